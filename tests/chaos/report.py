"""What came of the rounds, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from statistics import median

from tests.benchmarks.report import machine
from tests.chaos.points import MOMENTS, PLACES
from tests.chaos.replicas import ReplicaTally
from tests.chaos.rounds import Tally

WORDS = {
    "kill": "a replica was killed",
    "freeze": "a replica was frozen",
    "cut": "connections were cut",
    "restart": "PostgreSQL was restarted",
    "roll": "a replica was upgraded",
}


def as_table(tally: Tally, seed: int, spent_s: float) -> str:
    """Return it for people."""
    lines = [f"{'killed at':28}{'before':>8}{'after':>8}"]
    lines += [f"{place:28}{tally.hits[f'{place}/before']:8}{tally.hits[f'{place}/after']:8}" for place in PLACES]
    lines += [f"{'any moment':28}{tally.random_kills:8}", "", f"{'what coordinations were doing':28}{'times':>7}"]
    lines += [f"{phase:28}{times:8}" for phase, times in tally.phases.most_common()]
    counts = f"{tally.rounds} rounds, {tally.processes} processes, {tally.coordinations} coordinations"
    lines += [
        "",
        f"{counts}, seed {seed}, {spent_s:.0f} s",
        f"work done twice by specialists that list no tasks: {tally.doubled_unlisted}",
        f"{tally.repeated} requests of clients repeated, {len(tally.complaints)} complaints",
        *tally.complaints,
        ", ".join(f"{key} {value}" for key, value in machine().items()),
    ]
    return "\n".join(lines)


def as_json(tally: Tally, seed: int, spent_s: float) -> str:
    """Return it for programs."""
    document = {
        "machine": machine(),
        "seed": seed,
        "seconds": round(spent_s, 1),
        "rounds": tally.rounds,
        "processes": tally.processes,
        "coordinations": tally.coordinations,
        "hits": {f"{place}/{moment}": tally.hits[f"{place}/{moment}"] for place in PLACES for moment in MOMENTS},
        "random_kills": tally.random_kills,
        "phases": dict(tally.phases),
        "repeated": tally.repeated,
        "doubled_unlisted": tally.doubled_unlisted,
        "complaints": tally.complaints,
    }
    return json.dumps(document)


def replicas_as_table(tally: ReplicaTally, seed: int, spent_s: float) -> str:
    """Return what came of rounds with several replicas, for people."""
    lines = [f"{'what happened':34}{'times':>7}"]
    lines += [f"{WORDS[name]:34}{times:7}" for name, times in tally.faults.most_common()]
    lines += [f"{'died at a fault point':34}{tally.hits.total():7}  at {len(tally.hits)} points", ""]
    lines += [f"{'what coordinations were doing':34}{'times':>7}"]
    lines += [f"{phase:34}{times:7}" for phase, times in tally.phases.most_common()]
    lines += ["", f"{'until the next driver, seconds':34}{'median':>8}{'p95':>8}{'most':>8}{'times':>8}"]
    for kind, times in tally.taken_over.items():
        figures = "".join(f"{figure:8.2f}" for figure in _spread(times)) if times else f"{'-':>8}" * 3
        lines += [f"{WORDS[kind]:34}{figures}{len(times):8}"]
    counts = f"{tally.rounds} rounds of {tally.replicas} replicas, {tally.processes} processes"
    lines += [
        "",
        f"{counts}, {tally.coordinations} coordinations, seed {seed}, {spent_s:.0f} s",
        f"work done twice by specialists that list no tasks: {tally.doubled_unlisted}",
        f"{tally.repeated} requests of clients repeated, {len(tally.complaints)} complaints",
        *tally.complaints,
        ", ".join(f"{key} {value}" for key, value in machine().items()),
    ]
    return "\n".join(lines)


def replicas_as_json(tally: ReplicaTally, seed: int, spent_s: float) -> str:
    """Return it for programs."""
    about = {"machine": machine(), "seed": seed, "seconds": round(spent_s, 1)}
    taken = {
        kind: dict(zip(("median", "p95", "most"), _spread(times), strict=True)) | {"times": len(times)}
        for kind, times in tally.taken_over.items()
        if times
    }
    return json.dumps(about | asdict(tally) | {"taken_over": taken})


def _spread(times: Sequence[float]) -> tuple[float, float, float]:
    ordered = sorted(times)
    return median(ordered), ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], ordered[-1]

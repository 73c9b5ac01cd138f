"""What came of the rounds, for people and for programs."""

from __future__ import annotations

import json

from tests.benchmarks.report import machine
from tests.chaos.points import MOMENTS, PLACES
from tests.chaos.rounds import Tally


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

"""What merging costs, in units of writing and reading the same findings as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence

from coordinator.core.commands import Merge
from coordinator.core.merging import Contribution, Findings, Source
from coordinator.core.model import Artifact, MergeSpec, Outcome, Part, Settled
from coordinator.merges import merge
from coordinator.testing import answers
from coordinator.wire import content_out, parts_in
from tests.benchmarks.report import Figure, median_of

FINDINGS = 10_000
AGENTS = 50


async def run(*, quick: bool) -> list[Figure]:
    """Return the times of two merges, one of twice as many findings, and what they are in units of JSON."""
    small, large = ([_contribution(number, count) for number in range(AGENTS)] for count in (FINDINGS, 2 * FINDINGS))
    documents = [part.content for contribution in small for part in contribution.parts]
    command, bodies = _command(small)
    acts: Mapping[str, Callable[[], object]] = {
        "once": lambda: Findings()(small),
        "twice": lambda: Findings()(large),
        "similar": lambda: Findings(similarity=85)(small),
        "json": lambda: json.loads(json.dumps(documents)),
        "whole": lambda: merge(command, bodies, 0.0),
    }
    # Round by round, so that what else the machine does is spread over all of them.
    rounds = [{name: _seconds(act) for name, act in acts.items()} for _ in range(3 if quick else 15)]
    times = {name: [one[name] for one in rounds] for name in acts}
    return [
        _figure(f"{FINDINGS} findings of {AGENTS} agents", times["once"], "about a second"),
        _figure(f"{2 * FINDINGS} findings of {AGENTS} agents", times["twice"]),
        median_of("merge", "twice as many / once", [one["twice"] / one["once"] for one in rounds], "", "under 2.3"),
        _figure(f"{FINDINGS} findings, similar ones joined", times["similar"]),
        _figure(f"{FINDINGS} findings, with reading and writing the parts", times["whole"]),
        _figure("json.dumps and loads of the same", times["json"]),
        median_of("merge", "merge / JSON", [one["once"] / one["json"] for one in rounds], ""),
    ]


def _figure(what: str, seconds: Sequence[float], target: str = "") -> Figure:
    return median_of("merge", what, [it * 1000 for it in seconds], "ms", target)


def _command(contributions: Sequence[Contribution]) -> tuple[Merge, Mapping[str, bytes]]:
    """Return all there is to do at a barrier: protobuf to values, the merge, values to protobuf."""
    outcomes = []
    bodies: dict[str, bytes] = {}
    for contribution in contributions:
        refs, payloads = parts_in(content_out(part) for part in contribution.parts)
        bodies |= {payload.digest: payload.body for payload in payloads}
        source = contribution.source
        artifacts = (Artifact(source.artifact_id, refs),)
        outcomes.append(Outcome(source.branch, source.agent, Settled.SUCCEEDED, artifacts=artifacts))
    spec = MergeSpec("findings")
    return Merge(id="merge:review", stage="review", spec=spec, outcomes=tuple(outcomes)), bodies


def _contribution(number: int, findings: int) -> Contribution:
    # Neighbours share half of their seeds' places, so that there is something to join.
    artifact = answers.many_findings(findings // AGENTS, seed=number // 2)
    parts = tuple(Part("data", part["data"], part["mediaType"]) for part in artifact["parts"])
    return Contribution(Source(f"agent-{number}", f"review/agent-{number}", f"task-{number}", "findings"), parts)


def _seconds(act: Callable[[], object]) -> float:
    before = time.perf_counter()
    act()
    return time.perf_counter() - before

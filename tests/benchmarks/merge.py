"""What merging costs, in units of writing and reading the same findings as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from coordinator.core.merging import Contribution, Findings, Source
from coordinator.core.model import Part
from coordinator.testing import answers
from tests.benchmarks.report import Figure, median_of

FINDINGS = 10_000
AGENTS = 5


async def run(*, quick: bool) -> list[Figure]:
    """Return the time of the merge, of the reference, and their ratio."""
    contributions = [_contribution(number) for number in range(AGENTS)]
    documents = [part.content for contribution in contributions for part in contribution.parts]
    merge: list[float] = []
    reference: list[float] = []
    for _ in range(3 if quick else 15):
        reference.append(_seconds(lambda: json.loads(json.dumps(documents))))
        merge.append(_seconds(lambda: Findings()(contributions)))
    ratios = [b / a for a, b in zip(reference, merge, strict=True)]
    return [
        median_of(
            "merge", f"{FINDINGS} findings of {AGENTS} agents", [it * 1000 for it in merge], "ms", "about a second"
        ),
        median_of("merge", "json.dumps and loads of the same", [it * 1000 for it in reference], "ms"),
        median_of("merge", "merge / JSON", ratios, ""),
    ]


def _contribution(number: int) -> Contribution:
    # Neighbours share half of their seeds' places, so that there is something to join.
    artifact = answers.many_findings(FINDINGS // AGENTS, seed=number // 2)
    parts = tuple(Part("data", part["data"], part["mediaType"]) for part in artifact["parts"])
    return Contribution(Source(f"agent-{number}", f"review/agent-{number}", f"task-{number}", "findings"), parts)


def _seconds(act: Callable[[], object]) -> float:
    before = time.perf_counter()
    act()
    return time.perf_counter() - before

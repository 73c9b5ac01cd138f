"""What merging costs, in units of writing and reading the same findings as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

from coordinator.core.merging import Contribution, Findings, Source, Strategy
from coordinator.core.model import Part
from coordinator.testing import answers
from tests.benchmarks.report import Figure, median_of

FINDINGS = 10_000
AGENTS = 50


async def run(*, quick: bool) -> list[Figure]:
    """Return the times of two merges, one of twice as many findings, and what they are in units of JSON."""
    rounds = 3 if quick else 15
    once, reference = _measured(FINDINGS, rounds)
    twice, _ = _measured(2 * FINDINGS, rounds)
    similar, _ = _measured(FINDINGS, rounds, Findings(similarity=85))
    growth = [b / a for a, b in zip(once, twice, strict=True)]
    ratios = [b / a for a, b in zip(reference, once, strict=True)]
    return [
        _figure(f"{FINDINGS} findings of {AGENTS} agents", once, "about a second"),
        _figure(f"{2 * FINDINGS} findings of {AGENTS} agents", twice),
        median_of("merge", "twice as many / once", growth, "", "under 2.3"),
        _figure(f"{FINDINGS} findings, similar ones joined", similar),
        _figure("json.dumps and loads of the same", reference),
        median_of("merge", "merge / JSON", ratios, ""),
    ]


def _figure(what: str, seconds: Sequence[float], target: str = "") -> Figure:
    return median_of("merge", what, [it * 1000 for it in seconds], "ms", target)


def _measured(findings: int, rounds: int, strategy: Strategy | None = None) -> tuple[list[float], list[float]]:
    """Return the times of merging so many findings, and of writing and reading them as JSON."""
    contributions = [_contribution(number, findings) for number in range(AGENTS)]
    documents = [part.content for contribution in contributions for part in contribution.parts]
    merge, reference = [], []
    for _ in range(rounds):
        reference.append(_seconds(lambda: json.loads(json.dumps(documents))))
        merge.append(_seconds(lambda: (strategy or Findings())(contributions)))
    return merge, reference


def _contribution(number: int, findings: int) -> Contribution:
    # Neighbours share half of their seeds' places, so that there is something to join.
    artifact = answers.many_findings(findings // AGENTS, seed=number // 2)
    parts = tuple(Part("data", part["data"], part["mediaType"]) for part in artifact["parts"])
    return Contribution(Source(f"agent-{number}", f"review/agent-{number}", f"task-{number}", "findings"), parts)


def _seconds(act: Callable[[], object]) -> float:
    before = time.perf_counter()
    act()
    return time.perf_counter() - before

"""What the work has cost, as far as specialists say: the numbers of their `usage` objects, summed.

An agent reports usage in the metadata of its artifacts, or of its message. Nothing is
converted: a field means what the agents mean by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from coordinator.core.model import Json, Metadata, Outcome

USAGE = "usage"
MOST_FIELDS = 50
"""Fields that are summed for one agent; the record of a run stays small whatever agents report."""
MOST_LEVELS = 4
LARGEST = 1e15
LONGEST_NAME = 64
DIGITS = 9
"""Decimal places of a sum: 0.1 + 0.2 is 0.3."""


def usage_summary(outcomes: Iterable[Outcome]) -> dict[str, Json]:
    """Return `{"usage": {"total": …, "by_agent": …}}`, or nothing when nobody reports any."""
    by_agent: dict[str, dict[str, float]] = {}
    for outcome in outcomes:
        for metadata in _metadata(outcome):
            for name, number in _numbers(metadata.get(USAGE), ""):
                sums = by_agent.setdefault(outcome.agent, {})
                if name in sums or len(sums) < MOST_FIELDS:
                    sums[name] = sums.get(name, 0) + number
    total: dict[str, float] = {}
    for sums in by_agent.values():
        for name, number in sums.items():
            if name in total or len(total) < MOST_FIELDS:
                total[name] = total.get(name, 0) + number
    told = {agent: _rounded(sums) for agent, sums in by_agent.items()}
    return {USAGE: {"total": _rounded(total), "by_agent": told}} if total else {}


def _metadata(outcome: Outcome) -> Iterator[Metadata]:
    for artifact in outcome.artifacts:
        yield artifact.metadata
    if outcome.message:
        yield outcome.message.metadata


def _numbers(value: Json, path: str, level: int = 0) -> Iterator[tuple[str, float]]:
    """Yield the numbers of an object with their dotted names; nothing negative or beyond reason."""
    if isinstance(value, Mapping) and level < MOST_LEVELS:
        for name, inner in value.items():
            yield from _numbers(inner, f"{path}.{name}" if path else str(name), level + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST and path:
        yield path[:LONGEST_NAME], value


def _rounded(sums: Mapping[str, float]) -> dict[str, float]:
    return {name: round(number, DIGITS) if isinstance(number, float) else number for name, number in sums.items()}

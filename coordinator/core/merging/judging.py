"""Pairs that may be the same thing, which another agent decides: how they are told, and how its answer is read.

What it does not decide stays apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.core.merging.contribution import Answer, Ask
from coordinator.core.merging.entries import Group
from coordinator.core.merging.fields import at, label, one_line
from coordinator.core.merging.near import Found, Near, joined
from coordinator.core.model import Part

SCHEMA = "doubtful-pairs/v1"
MOST_IN_TEXT = 20


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge made of the groups, and what the summary says about it."""

    groups: Sequence[Group]
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Pair:
    number: int
    places: tuple[int, int]
    groups: tuple[Group, Group]
    similarity: float

    def as_json(self) -> dict[str, Any]:
        items = [{"agents": group.agents, "item": group.spokesman.item} for group in self.groups]
        return {"number": str(self.number), "similarity": round(self.similarity, 1), "items": items}

    def line(self, text: str) -> str:
        first, second = (
            f"{label(at(group.spokesman.item, text))} ({label(', '.join(group.agents), 60)})" for group in self.groups
        )
        return f"{self.number}. {first} | {second}"


def ask(found: Found, rule: Near) -> Ask:
    """Return what the judge is asked about pairs in doubt, of which there is one at least."""
    pairs = _pairs(found)
    lines = [f"Each pair below may be one thing in other words ({len(pairs)} in all):"]
    lines += [pair.line(rule.text) for pair in pairs[:MOST_IN_TEXT]]
    if len(pairs) > MOST_IN_TEXT:
        lines.append(f"… and {len(pairs) - MOST_IN_TEXT} more in the data part.")
    lines.append(
        '\nIn which pairs do both mean the same thing? Answer with a data part {"same": ["1", "4"]} that names '
        'these pairs by their numbers, or {"same": []} for none.'
    )
    document = {"schema": SCHEMA, "pairs": [pair.as_json() for pair in pairs]}
    return Ask(rule.judge, (Part("text", "\n".join(lines), "text/plain"), Part("data", document, "application/json")))


def unjudged(found: Found, rule: Near) -> Judged:
    """Return the groups as they are, where nothing was in doubt or nobody was to be asked."""
    return Judged(found.groups, {"judged": _told(0, 0, 0, found)} if rule.judge else {})


def judged(found: Found, answer: Answer) -> Judged:
    """Return the groups with those pairs joined which the judge calls the same, and whatever is the same as either."""
    pairs = _pairs(found)
    try:
        same = _same(answer, {str(pair.number) for pair in pairs})
    except ValueError as error:
        return Judged(found.groups, {"judged": _told(0, 0, 0, found), "not_judged": str(error)})
    chosen = [pair for pair in pairs if str(pair.number) in same]
    groups = _merged(found.groups, chosen)
    return Judged(groups, {"judged": _told(len(pairs), len(chosen), len(found.groups) - len(groups), found)})


def _told(pairs: int, same: int, merged: int, found: Found) -> dict[str, int]:
    """Return the numbers: pairs decided, those that are the same, groups that joined another, pairs left open."""
    undecided = len(found.doubts) + found.undecided - pairs
    return {"pairs": pairs, "same": same, "joined": merged, "undecided": undecided}


def _pairs(found: Found) -> list[_Pair]:
    return [
        _Pair(
            number,
            (doubt.one, doubt.other),
            (found.groups[doubt.one], found.groups[doubt.other]),
            doubt.similarity,
        )
        for number, doubt in enumerate(found.doubts, start=1)
    ]


def _same(answer: Answer, asked: set[str]) -> set[str]:
    """Return the numbers of the pairs that are the same. Raises `ValueError` that says why no answer counts."""
    if answer.failure:
        raise ValueError(one_line(answer.failure))
    lists = [
        part.content["same"]
        for part in answer.parts
        if part.kind == "data" and isinstance(part.content, Mapping) and isinstance(part.content.get("same"), list)
    ]
    if not lists:
        raise ValueError("it answered without a list of the pairs that are the same")
    named = {str(number) for numbers in lists for number in numbers}
    if unknown := sorted(named - asked):
        raise ValueError(f"it named pairs it was not asked about, such as {one_line(unknown[0], 20)}")
    return named


def _merged(groups: Sequence[Group], pairs: Iterable[_Pair]) -> list[Group]:
    together = [[number] for number in range(len(groups))]
    for pair in pairs:
        first, second = (together[place] for place in pair.places)
        if first is not second:
            first += second
            for number in second:
                together[number] = first
    return [
        joined(groups[number] for number in numbers) for place, numbers in enumerate(together) if min(numbers) == place
    ]

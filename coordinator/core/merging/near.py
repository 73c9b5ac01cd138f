"""Near-duplicates: things that overlap in place and are told in almost the same words.

The cost stays linear: groups are sorted by block, place and words, and each is compared only with
the few leaders before it. A group joins a leader, never a chain, so what ends up together is
similar to one and the same group.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz

from coordinator.core.merging.entries import Group
from coordinator.core.merging.fields import at, canonical, number_at
from coordinator.core.model import Json

WINDOW = 32
"""Leaders a group is compared with, the nearest ones before it."""
LONGEST_TEXT = 500
"""Characters that are compared: the cost of one comparison grows with the length of both texts."""

Ratio = Callable[[str, str], float]


@dataclass(frozen=True, slots=True)
class Near:
    """When two groups are near-duplicates; `similarity` 0 turns the search off."""

    similarity: int
    text: str
    location: Sequence[str] = ()  #: paths of the first and the last line, or of one number; empty: any place
    block: Sequence[str] = ()  #: fields that have to be equal


@dataclass(slots=True)
class _Place:
    group: Group
    block: str
    first: float | None
    last: float
    words: str
    order: tuple[Any, ...]


@dataclass(slots=True)
class _Leader:
    place: _Place
    groups: list[Group]


def near(groups: Sequence[Group], rule: Near, ratio: Ratio = fuzz.ratio) -> list[Group]:
    """Return the groups with near-duplicates joined; the entries of each stay in plan order."""
    if not rule.similarity:
        return list(groups)
    leaders: list[_Leader] = []
    window: deque[_Leader] = deque(maxlen=WINDOW)
    for place in sorted((_place(group, rule) for group in groups), key=lambda place: place.order):
        if window and window[-1].place.block != place.block:
            window.clear()
        leader = next((one for one in reversed(window) if _is_near(one.place, place, rule, ratio)), None)
        if leader is None:
            leaders.append(_Leader(place, [place.group]))
            window.append(leaders[-1])
        else:
            leader.groups.append(place.group)
    return [_joined(leader.groups) for leader in leaders]


def _place(group: Group, rule: Near) -> _Place:
    entry = group.spokesman
    block = canonical([at(entry.item, path) for path in rule.block])
    lines = [line for line in (number_at(entry.item, path) for path in rule.location) if line is not None]
    first, last = (min(lines), max(lines)) if lines else (None, 0.0)
    words = _words(at(entry.item, rule.text))
    place = -1.0 if first is None else first
    return _Place(group, block, first, last, words, (block, place, last, words, entry.key))


def _words(value: Json) -> str:
    """Return a text as it is compared: the order of words, capitals and spaces make no difference."""
    return " ".join(sorted(value[:LONGEST_TEXT].casefold().split())) if isinstance(value, str) else ""


def _is_near(one: _Place, other: _Place, rule: Near, ratio: Ratio) -> bool:
    if not one.words or not other.words or (rule.location and not _overlap(one, other)):
        return False
    return ratio(one.words, other.words) >= rule.similarity


def _overlap(one: _Place, other: _Place) -> bool:
    if one.first is None or other.first is None:
        return False
    return one.first <= other.last and other.first <= one.last


def _joined(groups: Iterable[Group]) -> Group:
    entries = (entry for group in groups for entry in group.entries)
    return Group(tuple(sorted(entries, key=lambda entry: entry.number)))

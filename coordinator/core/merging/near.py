"""Near-duplicates: things that overlap in place and are told in almost the same words.

The cost stays linear: groups are sorted by block, place and words, and each is compared only with
the few leaders before it. A group joins a leader, never a chain, so what ends up together is
similar to one and the same group. Leaders that are not quite similar enough are in doubt: whether
they are the same is not decided here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from typing import Any

from rapidfuzz import fuzz

from coordinator.core.merging.entries import Group
from coordinator.core.merging.fields import at, canonical, number_at
from coordinator.core.model import Json

WINDOW = 32
"""Leaders a group is compared with, the nearest ones before it."""
LONGEST_TEXT = 500
"""Characters that are compared: the cost of one comparison grows with the length of both texts."""

DOUBT = 60
"""The similarity from which a judge is asked, unless the plan says another one."""
MOST_DOUBTS = 100
"""Pairs in doubt that are kept, the most similar ones; the others are counted."""

Ratio = Callable[[str, str], float]


@dataclass(frozen=True, slots=True)
class Near:
    """When two groups are near-duplicates; `similarity` 0 turns the search off."""

    similarity: int
    text: str
    location: Sequence[str] = ()  #: paths of the first and the last line, or of one number; empty: any place
    block: Sequence[str] = ()  #: fields that have to be equal
    judge: str = ""  #: the agent that decides about pairs in doubt; empty: they are told apart
    doubt: int = DOUBT  #: where doubt begins; it ends at `similarity`

    def check(self) -> None:
        """Raise `ValueError` that names the option which is out of range."""
        if not 0 <= self.similarity <= 100:
            raise ValueError("similarity lies between 0 (off) and 100 (the same words)")
        if self.judge and not self.similarity:
            raise ValueError("judge needs similarity, from which on things are the same without being asked about")
        if self.judge and not 1 <= self.doubt < self.similarity:
            raise ValueError(f"doubt is at least 1 and below similarity ({self.similarity}); it is {self.doubt}")
        if not self.judge and self.doubt != DOUBT:
            raise ValueError("doubt says when a judge is asked: name one as judge, or leave doubt out")


@dataclass(frozen=True, slots=True, order=True)
class Doubt:
    """Two groups that may be the same thing; the less similar ones come first."""

    similarity: float
    one: int  #: its place in the list of groups
    other: int


@dataclass(frozen=True, slots=True)
class Found:
    """The groups, near-duplicates joined, and the pairs in doubt, the most similar ones first."""

    groups: list[Group]
    doubts: Sequence[Doubt] = ()
    undecided: int = 0  #: further pairs in doubt


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
    number: int
    place: _Place
    groups: list[Group]


@dataclass(slots=True)
class _Search:
    rule: Near
    ratio: Ratio
    window: deque[_Leader] = field(default_factory=lambda: deque(maxlen=WINDOW))
    leaders: list[_Leader] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)  #: a heap
    in_doubt: int = 0

    def take(self, place: _Place) -> None:
        """Let a group join the nearest leader that is similar, or be one itself."""
        if self.window and self.window[-1].place.block != place.block:
            self.window.clear()
        doubts: list[Doubt] = []
        for leader in reversed(self.window):
            similarity = _similarity(leader.place, place, self.rule, self.ratio)
            if similarity >= self.rule.similarity:
                leader.groups.append(place.group)
                return
            if self.rule.judge and similarity >= self.rule.doubt:
                doubts.append(Doubt(similarity, leader.number, len(self.leaders)))
        self._note(doubts)
        self.leaders.append(_Leader(len(self.leaders), place, [place.group]))
        self.window.append(self.leaders[-1])

    def found(self) -> Found:
        """Return what came of it."""
        groups = [joined(leader.groups) for leader in self.leaders]
        return Found(groups, sorted(self.doubts, reverse=True), self.in_doubt - len(self.doubts))

    def _note(self, doubts: Sequence[Doubt]) -> None:
        self.in_doubt += len(doubts)
        for doubt in doubts:
            if len(self.doubts) < MOST_DOUBTS:
                heappush(self.doubts, doubt)
            else:
                heappushpop(self.doubts, doubt)


def near(groups: Sequence[Group], rule: Near, ratio: Ratio = fuzz.ratio) -> Found:
    """Return the groups with near-duplicates joined; the entries of each stay in plan order."""
    if not rule.similarity:
        return Found(list(groups))
    search = _Search(rule, ratio)
    for place in sorted((_place(group, rule) for group in groups), key=lambda place: place.order):
        search.take(place)
    return search.found()


def joined(groups: Iterable[Group]) -> Group:
    """Return one group of all entries, in plan order."""
    entries = (entry for group in groups for entry in group.entries)
    return Group(tuple(sorted(entries, key=lambda entry: entry.number)))


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


def _similarity(one: _Place, other: _Place, rule: Near, ratio: Ratio) -> float:
    """Return a number up to 100; 0, which is never enough, where the words make no difference."""
    if not one.words or not other.words or (rule.location and not _overlap(one, other)):
        return 0
    return ratio(one.words, other.words)


def _overlap(one: _Place, other: _Place) -> bool:
    if one.first is None or other.first is None:
        return False
    return one.first <= other.last and other.first <= one.last

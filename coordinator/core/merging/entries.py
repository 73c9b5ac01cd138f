"""What one agent said about one thing, and the groups of entries that mean the same thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.core.merging.contribution import Source
from coordinator.core.merging.fields import at, canonical, number_at, sortable
from coordinator.core.model import Json

Item = Mapping[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as one agent gave it."""

    source: Source
    item: Item
    key: Key  #: equal for the same thing; can be hashed and compared with any other key
    severity: int  #: its place in the plan's list, 0 is the worst
    confidence: float  #: 0 to 100
    number: int  #: its place in plan order


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that mean the same thing, in plan order."""

    entries: tuple[Entry, ...]

    @property
    def spokesman(self) -> Entry:
        """The most confident entry, the first in plan order among equals: its words are used."""
        return max(self.entries, key=lambda entry: entry.confidence)

    @property
    def key(self) -> Key:
        """What no other group has, whatever the order of the plan."""
        return min(entry.key for entry in self.entries)

    @property
    def agents(self) -> list[str]:
        """Who is for it, each agent once."""
        return list(dict.fromkeys(entry.source.agent for entry in self.entries))


def grouped(entries: Iterable[Entry]) -> list[Group]:
    """Return the entries by identity, in order of first appearance."""
    groups: dict[Key, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.key, []).append(entry)
    return [Group(tuple(group)) for group in groups.values()]


@dataclass(slots=True)
class Received:
    """The lists of objects agents sent; what is no object is counted, and nothing is thrown away unseen."""

    path: str  #: where in a data part the list is
    by_agent: Counter[str]
    malformed: int = 0

    def items(self, source: Source, content: Json) -> Iterable[Item]:
        """Yield the objects of one data part; one that has nothing there is passed over."""
        found = at(content, self.path)
        for item in found if isinstance(found, list) else [] if found is None else [found]:
            self.by_agent[source.agent] += 1
            if isinstance(found, list) and isinstance(item, Mapping):
                yield item
            else:
                self.malformed += 1


@dataclass(frozen=True, slots=True)
class Reader:
    """How identity, severity and confidence are read off an item."""

    key: Sequence[str]
    severity: str
    severities: Sequence[str]
    confidence: str

    def entry(self, source: Source, item: Item, number: int) -> Entry:
        """Return the entry; an item without any of the key fields is the same as no other one."""
        values = [at(item, path) for path in self.key]
        key: Key = tuple(sortable(value) for value in values)
        if all(value is None for value in values):
            key = (sortable(canonical(item)), (9, number))
        stated = number_at(item, self.confidence) or 0
        severity = at(item, self.severity)
        place = self.severities.index(severity) if severity in self.severities else len(self.severities)
        return Entry(source, item, key, place, min(max(stated, 0), 100), number)

"""`items`: lists of objects from several agents, each thing once, with votes, ranked.

What makes two objects the same thing, how sure and how bad they are, is said by the plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coordinator.core.merging.conflicts import Conflicts
from coordinator.core.merging.contribution import (
    Answer,
    Contribution,
    Decision,
    MergedArtifact,
    Merging,
    parts_of,
)
from coordinator.core.merging.entries import Entry, Item, Reader, Received
from coordinator.core.merging.fields import at, check_path, check_paths, label
from coordinator.core.merging.joining import Ranked, Rules, Sorted, Ties, Weights, decided, resumed
from coordinator.core.merging.near import DOUBT, Near
from coordinator.core.merging.report import documents, numbered, reasons, seen_by, summarised, text
from coordinator.core.model import Json

SCHEMA = "merged-items/v1"
MOST_DROPPED = 100
"""Dropped items that are named; the summary counts them all."""


@dataclass(frozen=True, slots=True)
class Items:
    """The fields are dotted paths into an object; what an agent leaves out is no reason to refuse the object."""

    items: str = "items"  #: where in a data part the list is
    key: Sequence[str] = ("id",)  #: objects that are equal in these are the same thing
    text: str = "text"  #: what the thing is in words
    similarity: int = 0  #: from 1 to 100: objects whose words are so similar are the same thing as well; 0: never
    location: Sequence[str] = ()  #: first and last line, or one number: similar objects have to overlap there
    block: Sequence[str] = ()  #: fields in which similar objects have to be equal
    judge: str = ""  #: an agent that decides about pairs which are nearly so similar
    doubt: int = DOUBT  #: the similarity, below `similarity`, from which on it is asked
    severity: str = "severity"
    severities: Sequence[str] = ("critical", "high", "medium", "low", "info")  #: the worst first
    confidence: str = "confidence"  #: a number from 0 to 100; left out: 0
    claims: Sequence[str] = ()  #: fields besides the severity in which agents contradict each other
    conflicts: Conflicts = "flag"  #: what counts where they do
    weights: Weights = field(default_factory=dict)  #: rank by a weighed score; empty: severity, votes, confidence
    ties: Ties = "agreement"  #: what ranks first among equals: more votes, then confidence; or what came first
    min_confidence: int = 0  #: items below are dropped and counted; 0 to 100
    min_votes: int = 1  #: items that fewer agents saw are dropped and counted
    name: str = "items"  #: name of the merged artifact

    def __post_init__(self) -> None:
        """Raise `ValueError` that names the option which is wrong."""
        for option in ("items", "text", "severity", "confidence"):
            check_path(option, getattr(self, option))
        check_paths("key", self.key, at_least=1)
        check_paths("location", self.location, at_most=2)
        check_paths("block", self.block)
        check_paths("claims", self.claims)
        if not self.severities or len(set(self.severities)) < len(self.severities):
            raise ValueError("severities names each severity once, the worst first")
        self.rules.check()

    def __call__(self, contributions: Sequence[Contribution]) -> Decision:
        """Return the list as data parts, followed by a text part for readers."""
        return decided(self, contributions)

    def resume(self, contributions: Sequence[Contribution], answer: Answer) -> Merging:
        """Return the list with doubts or contradictions settled as the answer says."""
        return resumed(self, contributions, answer)

    @property
    def rules(self) -> Rules:
        """The rules of the plan."""
        return Rules(
            self.severity,
            self.severities,
            Near(self.similarity, self.text, self.location, self.block, self.judge, self.doubt),
            self.claims,
            self.conflicts,
            self.weights,
            self.min_confidence,
            self.min_votes,
            self.ties,
        )

    def read(self, contributions: Sequence[Contribution]) -> tuple[list[Entry], Counter[str], int]:
        """Return the objects of all data parts; what is none is counted."""
        reader = Reader(self.key, self.severity, self.severities, self.confidence)
        received = Received(self.items, Counter())
        entries: list[Entry] = []
        for source, part in parts_of(contributions):
            if part.kind == "data":
                for item in received.items(source, part.content):
                    entries.append(reader.entry(source, item, len(entries)))
        return entries, received.by_agent, received.malformed

    def report(self, result: Sorted, groups: int, by_agent: Mapping[str, int], malformed: int) -> Merging:
        """Return the artifact."""
        summary = summarised(result, groups + malformed, by_agent)
        summary["dropped"]["malformed"] = malformed
        items = numbered(map(self._item, result.kept))
        head = {"summary": summary, "dropped": self._dropped(result)}
        told = f"{len(items)} items from {len(by_agent)} agents, {summary['duplicates']} duplicates joined."
        parts = (*documents(SCHEMA, items, head), text(told, items, self._line))
        return Merging(MergedArtifact(self.name, parts, told), summary)

    def _item(self, one: Ranked) -> dict[str, Any]:
        item = one.group.spokesman.item
        for path, value in one.decided.items():
            item = _with(item, path.split("."), value)
        return {
            "item": item,
            "votes": one.votes,
            "confidence": one.confidence,
            **reasons(one),
            "sources": [{**entry.source.as_json(), "said": _said(entry, item)} for entry in one.group.entries],
        }

    def _dropped(self, result: Sorted) -> list[dict[str, Any]]:
        named = [(option, one) for option, dropped in result.dropped.items() for one in dropped]
        return [
            {
                "by": option,
                "item": one.group.spokesman.item,
                "votes": one.votes,
                "confidence": one.confidence,
                "agents": one.group.agents,
            }
            for option, one in named[:MOST_DROPPED]
        ]

    def _line(self, item: Mapping[str, Any]) -> str:
        words = at(item["item"], self.text) or [at(item["item"], path) for path in self.key]
        severity = at(item["item"], self.severity)
        flagged = " (contradicted)" if item.get("conflicts") else ""
        return f"{'' if severity is None else f'**{label(severity, 20)}** '}{label(words)} {seen_by(item)}{flagged}"


def _with(item: Item, path: Sequence[str], value: Json) -> Item:
    """Return *item* with another value at *path*."""
    if at(item, ".".join(path)) == value:
        return item
    step, *rest = path
    inner = item.get(step)
    return {**item, step: _with(inner if isinstance(inner, Mapping) else {}, rest, value) if rest else value}


def _said(entry: Entry, item: Item) -> dict[str, Json]:
    """Return the fields in which an agent's object differs from the merged one; null for one it does not have."""
    said = {name: value for name, value in entry.item.items() if name not in item or item[name] != value}
    return {**said, **{name: None for name in item if name not in entry.item}}

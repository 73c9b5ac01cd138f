"""`findings`: reviewers' findings, each thing once, with votes, ranked.

Two findings are the same when they name the same path, kind, enclosing statement and
symbol: tools disagree on exact lines and on rule names, so neither is part of the identity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coordinator.core.merging.conflicts import Conflicts
from coordinator.core.merging.contribution import (
    Answer,
    Contribution,
    Decision,
    MergedArtifact,
    Merging,
    Source,
    parts_of,
)
from coordinator.core.merging.entries import Entry, Item, Key
from coordinator.core.merging.fields import one_line
from coordinator.core.merging.joining import Ranked, Rules, Sorted, Weights, decided, resumed
from coordinator.core.merging.near import DOUBT, Near
from coordinator.core.merging.report import documents, numbered, reasons, seen_by, summarised, text

SCHEMA = "findings/v1"
MERGED_SCHEMA = "merged-findings/v1"
SEVERITIES: Mapping[str, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3, "info": 4}

FIELDS: Mapping[str, type] = {
    "rule": str,
    "kind": str,
    "message": str,
    "path": str,
    "range": Mapping,
    "statement": int,
    "severity": str,
    "confidence": int,
    "tool": Mapping,
}
"""What every finding has; the schema says the same in more detail."""

SHOWN = ("kind", "path", "statement", "range", "message")
TOLD = ("rule", "message", "range", "severity", "confidence", "tool")
IDENTITY = ("kind", "path", "statement", "symbol")


@dataclass(frozen=True, slots=True)
class Findings:
    """Exact identity, votes by distinct agents, the highest confidence counts."""

    min_confidence: int = 0  #: items below are dropped and counted; 0 to 100
    min_votes: int = 1  #: items that fewer agents saw are dropped and counted
    similarity: int = 0  #: from 1 to 100: findings in one place whose messages are so similar are the same as well
    judge: str = ""  #: an agent that decides about pairs which are nearly so similar
    doubt: int = DOUBT  #: the similarity, below `similarity`, from which on it is asked
    conflicts: Conflicts = "worst"  #: which severity counts where agents contradict each other
    weights: Weights = field(default_factory=dict)  #: rank by a weighed score; empty: severity, votes, confidence

    def __post_init__(self) -> None:
        """Raise `ValueError` that names the option which is wrong."""
        self.rules.check()

    def __call__(self, contributions: Sequence[Contribution]) -> Decision:
        """Return the report as data parts, followed by a text part for readers."""
        return decided(self, contributions)

    def resume(self, contributions: Sequence[Contribution], answer: Answer) -> Merging:
        """Return the report with doubts or contradictions settled as the answer says."""
        return resumed(self, contributions, answer)

    @property
    def rules(self) -> Rules:
        """The rules of the plan."""
        return Rules(
            "severity",
            tuple(SEVERITIES),
            Near(
                self.similarity,
                "message",
                ("range.startLine", "range.endLine"),
                ("path",),
                self.judge,
                self.doubt,
            ),
            (),
            self.conflicts,
            self.weights,
            self.min_confidence,
            self.min_votes,
        )

    def read(self, contributions: Sequence[Contribution]) -> tuple[list[Entry], Counter[str], int]:
        """Return the findings. Raises `ValueError` for one that cannot be merged."""
        entries = [
            Entry(source, one, _identity(one), SEVERITIES[one["severity"]], one["confidence"], number)
            for number, (source, one) in enumerate(_findings(contributions))
        ]
        return entries, Counter(entry.source.agent for entry in entries), 0

    def report(self, result: Sorted, groups: int, by_agent: Mapping[str, int], malformed: int) -> Merging:
        """Return the artifact; a malformed finding never comes this far."""
        summary = summarised(result, groups + malformed, by_agent, self.conflicts)
        items = numbered(map(_item, result.kept))
        told = f"{len(items)} findings from {len(by_agent)} agents, {summary['duplicates']} duplicates joined."
        parts = (*documents(MERGED_SCHEMA, items, {"summary": summary}), text(told, items, _line))
        return Merging(MergedArtifact("report", parts, told), summary)


def _findings(contributions: Sequence[Contribution]) -> Iterator[tuple[Source, Item]]:
    for source, part in parts_of(contributions):
        if part.kind == "data" and isinstance(part.content, Mapping) and part.content.get("schema") == SCHEMA:
            for finding in _list(source, part.content):
                _check(source, finding)
                yield source, finding


def _list(source: Source, document: Mapping[str, Any]) -> list[Item]:
    findings = document.get("findings")
    if not isinstance(findings, list):
        raise ValueError(f"{source.agent}: a document of {SCHEMA} holds no list of findings")
    return findings


def _check(source: Source, finding: Item) -> None:
    """Raise `ValueError` for a finding that cannot be merged, when the plan did not ask for the schema."""
    if not isinstance(finding, Mapping):
        raise ValueError(f"{source.agent}: a finding is no object")
    wrong = [name for name, kind in FIELDS.items() if not isinstance(finding.get(name), kind)]
    if wrong:
        raise ValueError(f"{source.agent}: a finding lacks {', '.join(wrong)}, or it is of the wrong type")
    if not isinstance(finding.get("symbol", ""), str):
        raise ValueError(f"{source.agent}: a finding names a symbol that is no text")
    if finding["severity"] not in SEVERITIES:
        raise ValueError(f"{source.agent}: a finding has the unknown severity {finding['severity']!r}")


def _identity(finding: Item) -> Key:
    return finding["path"], finding["statement"], finding["kind"], finding.get("symbol", "")


def _item(one: Ranked) -> dict[str, Any]:
    """Return one item; the words are those of the most confident source, the first in plan order among equals."""
    spokesman = one.group.spokesman.item
    item = {name: spokesman[name] for name in SHOWN}
    if spokesman.get("symbol"):
        item["symbol"] = spokesman["symbol"]
    return {
        **item,
        "severity": one.decided["severity"],
        "confidence": one.confidence,
        "votes": one.votes,
        **reasons(one),
        "sources": [_source(entry, item) for entry in one.group.entries],
    }


def _source(entry: Entry, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return what one agent said; of a near-duplicate also what else it named."""
    named = {name: entry.item.get(name, "") for name in IDENTITY}
    differs = {name: value for name, value in named.items() if value != item.get(name, "")}
    return {**entry.source.as_json(), **{name: entry.item[name] for name in TOLD}, **differs}


def _line(item: Mapping[str, Any]) -> str:
    return (
        f"**{item['severity']}** `{one_line(item['path'])}:{item['statement']}` "
        f"{one_line(item['kind'])}: {one_line(item['message'])} {seen_by(item)}"
    )

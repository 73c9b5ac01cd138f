"""`findings`: reviewers' findings, each thing once, with votes, ranked.

Two findings are the same when they name the same path, kind, enclosing statement and
symbol: tools disagree on exact lines and on rule names, so neither is part of the identity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.core.merging.contribution import Contribution, MergedArtifact, Merging, Source, parts_of
from coordinator.core.model import Part

SCHEMA = "findings/v1"
MERGED_SCHEMA = "merged-findings/v1"
ITEMS_PER_PART = 1000
ITEMS_IN_TEXT = 50
LINE_IN_TEXT = 160
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

Finding = Mapping[str, Any]
Identity = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True)
class Findings:
    """Exact identity, votes by distinct agents, the highest confidence counts."""

    min_confidence: int = 0  #: items below are dropped and counted; 0 to 100
    min_votes: int = 1  #: items that fewer agents saw are dropped and counted

    def __post_init__(self) -> None:
        """Raise `ValueError` for options out of range."""
        if not 0 <= self.min_confidence <= 100:
            raise ValueError("min_confidence lies between 0 and 100")
        if self.min_votes < 1:
            raise ValueError("min_votes is at least 1")

    def __call__(self, contributions: Sequence[Contribution]) -> Merging:
        """Return the report as data parts, followed by a text part for readers."""
        groups: dict[Identity, list[tuple[Source, Finding]]] = {}
        by_agent: Counter[str] = Counter()
        for source, finding in _findings(contributions):
            groups.setdefault(_identity(finding), []).append((source, finding))
            by_agent[source.agent] += 1
        merged = [_merge(group) for group in groups.values()]
        kept, dropped = self._filter(merged)
        kept.sort(key=_rank)
        items = [{"rank": number, **item} for number, item in enumerate(kept, start=1)]
        summary = {
            "received": sum(by_agent.values()),
            "merged": len(items),
            "duplicates": sum(by_agent.values()) - len(groups),
            "dropped": dropped,
            "by_agent": {c.source.agent: by_agent[c.source.agent] for c in contributions},
        }
        parts = (*_documents(items, summary), _text(items, summary))
        return Merging(MergedArtifact("report", parts, _headline(summary)), summary)

    def _filter(self, items: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, int]]:
        kept: list[dict[str, Any]] = []
        dropped = {"min_confidence": 0, "min_votes": 0}
        for item in items:
            if item["confidence"] < self.min_confidence:
                dropped["min_confidence"] += 1
            elif item["votes"] < self.min_votes:
                dropped["min_votes"] += 1
            else:
                kept.append(item)
        return kept, dropped


def _findings(contributions: Sequence[Contribution]) -> Iterator[tuple[Source, Finding]]:
    for source, part in parts_of(contributions):
        if part.kind == "data" and isinstance(part.content, Mapping) and part.content.get("schema") == SCHEMA:
            for finding in _list(source, part.content):
                _check(source, finding)
                yield source, finding


def _list(source: Source, document: Mapping[str, Any]) -> list[Finding]:
    findings = document.get("findings")
    if not isinstance(findings, list):
        raise ValueError(f"{source.agent}: a document of {SCHEMA} holds no list of findings")
    return findings


def _check(source: Source, finding: Finding) -> None:
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


def _identity(finding: Finding) -> Identity:
    return finding["path"], finding["kind"], finding["statement"], finding.get("symbol", "")


def _merge(group: list[tuple[Source, Finding]]) -> dict[str, Any]:
    """Return one item; the words are those of the most confident source, the first in plan order among equals."""
    _, spokesman = max(group, key=lambda entry: entry[1]["confidence"])
    item = {name: spokesman[name] for name in ("kind", "path", "statement", "range", "message")}
    if spokesman.get("symbol"):
        item["symbol"] = spokesman["symbol"]
    return {
        **item,
        "severity": min((finding["severity"] for _, finding in group), key=SEVERITIES.__getitem__),
        "confidence": max(finding["confidence"] for _, finding in group),
        "votes": len({source.agent for source, _ in group}),
        "sources": [_source(source, finding) for source, finding in group],
    }


def _source(source: Source, finding: Finding) -> dict[str, Any]:
    told = ("rule", "message", "range", "severity", "confidence", "tool")
    return {**source.as_json(), **{name: finding[name] for name in told}}


def _rank(item: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        SEVERITIES[item["severity"]],
        -item["votes"],
        -item["confidence"],
        item["path"],
        item["statement"],
        item["kind"],
        item.get("symbol", ""),
    )


def _documents(items: list[dict[str, Any]], summary: Mapping[str, Any]) -> Iterator[Part]:
    first = {"schema": MERGED_SCHEMA, "summary": summary, "items": items[:ITEMS_PER_PART]}
    yield Part("data", first, "application/json")
    for start in range(ITEMS_PER_PART, len(items), ITEMS_PER_PART):
        more = {"schema": MERGED_SCHEMA, "items": items[start : start + ITEMS_PER_PART]}
        yield Part("data", more, "application/json")


def _headline(summary: Mapping[str, Any]) -> str:
    agents = len(summary["by_agent"])
    return f"{summary['merged']} findings from {agents} agents, {summary['duplicates']} duplicates joined."


def _text(items: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> Part:
    lines = [f"# Report\n\n{_headline(summary)}\n"]
    for item in items[:ITEMS_IN_TEXT]:
        agents = ", ".join(dict.fromkeys(source["agent"] for source in item["sources"]))
        lines.append(
            f"{item['rank']}. **{item['severity']}** `{_line(item['path'])}:{item['statement']}` "
            f"{_line(item['kind'])}: "
            f"{_line(item['message'])} ({item['votes']} votes: {agents}; confidence {item['confidence']})"
        )
    if len(items) > ITEMS_IN_TEXT:
        lines.append(f"\n… and {len(items) - ITEMS_IN_TEXT} more in the data parts.")
    return Part("text", "\n".join(lines), "text/markdown")


def _line(told: str) -> str:
    """Return *told* as one bounded line: an agent's words cannot add items of their own to the text."""
    line = " ".join(told.split())
    return line if len(line) <= LINE_IN_TEXT else f"{line[:LINE_IN_TEXT]}…"

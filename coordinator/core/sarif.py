"""Merged findings as SARIF 2.1.0, the form in which code hosts and editors take the results of analysers.

Pure: the items of a merged report in, one JSON document out, and the same items give the same document. What SARIF
has no place for (votes, sources, confidence) is kept in property bags, so that nothing of a report is lost. Items may
have been written by another version, so nothing but the message is relied on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from coordinator import __version__

Json = Mapping[str, Any]

MEDIA_TYPE = "application/sarif+json"
SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

LEVELS: Mapping[str, str] = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}
"""SARIF's three levels for our five severities (section 3.27.10); the severity itself is in the properties."""

TOLD_ELSEWHERE = frozenset({"message", "path", "range", "kind"})
"""Fields of an item that SARIF has a place for; all others are properties of the result."""


def sarif_log(items: Sequence[Json], summary: Json, *, missing: str = "") -> dict[str, Any]:
    """Return the report as one SARIF log; *missing* says why it is not whole, empty when it is."""
    rules = {kind: index for index, kind in enumerate(sorted({_kind(item) for item in items}))}
    run = {
        "tool": {
            "driver": {
                "name": "a2a-coordinator",
                "version": __version__,
                "rules": [{"id": kind, "shortDescription": {"text": kind.replace("-", " ")}} for kind in rules],
            },
            "extensions": [{"name": name, "version": version} for name, version in _tools(items)],
        },
        "invocations": [_invocation(missing)],
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, rules) for item in items],
        "properties": {"summary": summary},
    }
    return {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}


def _kind(item: Json) -> str:
    return str(item.get("kind", ""))


def _tools(items: Sequence[Json]) -> list[tuple[str, str]]:
    """Return the analysers whose words the report rests on, with their versions."""
    named = [source.get("tool", {}) for item in items for source in item.get("sources", ())]
    return sorted({(str(tool["name"]), str(tool.get("version", ""))) for tool in named if tool.get("name")})


def _invocation(missing: str) -> dict[str, Any]:
    if not missing:
        return {"executionSuccessful": True}
    notification = {"level": "error", "message": {"text": missing}}
    return {"executionSuccessful": False, "toolExecutionNotifications": [notification]}


def _result(item: Json, rules: Mapping[str, int]) -> dict[str, Any]:
    kind = _kind(item)
    return {
        "ruleId": kind,
        "ruleIndex": rules[kind],
        "level": LEVELS.get(item.get("severity", ""), "warning"),
        "message": {"text": str(item.get("message", ""))},
        "locations": _locations(item),
        "properties": {name: value for name, value in item.items() if name not in TOLD_ELSEWHERE},
    }


def _locations(item: Json) -> list[dict[str, Any]]:
    if not (path := item.get("path")):
        return []
    place = {"artifactLocation": _artifact_location(str(path))}
    if region := _region(item):
        place["region"] = region
    return [{"physicalLocation": place}]


def _artifact_location(path: str) -> dict[str, Any]:
    """Return the place of a file: below the root of the sources, wherever a reader has them, unless it is absolute."""
    uri = quote(path, safe="/", errors="replace")
    return {"uri": uri} if path.startswith("/") else {"uri": uri, "uriBaseId": "%SRCROOT%"}


def _region(item: Json) -> dict[str, int]:
    """Return the range as SARIF counts it, which is as we do; without one, the statement's first line."""
    told = item.get("range", {})
    first, last = _number(told.get("startLine")) or _number(item.get("statement")), _number(told.get("endLine"))
    if not first:
        return {}
    region = {"startLine": first, "endLine": max(first, last)}
    begin, end = _number(told.get("startColumn")), _number(told.get("endColumn"))
    # A tool that names lines only has 1 for both columns: SARIF means whole lines when they are left out.
    if begin and end and (begin, end) != (1, 1) and (first, begin) <= (last, end):
        region |= {"startColumn": begin, "endColumn": end}
    return region


def _number(value: Any) -> int:
    """Return a line or column, 0 for what is none."""
    return value if isinstance(value, int) and value > 0 else 0

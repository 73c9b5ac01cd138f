"""Findings as reviewers report them, and ways to read the merged report."""

from __future__ import annotations

from typing import Any

from coordinator.core.merging import Contribution, Merging, Source
from coordinator.core.model import Part

Json = dict[str, Any]


def finding(**changes: Any) -> Json:
    return {
        "rule": "S602",
        "kind": "shell-injection",
        "message": "a shell starts with input from outside",
        "path": "app.py",
        "range": {"startLine": 13, "startColumn": 5, "endLine": 13, "endColumn": 20},
        "statement": 13,
        "severity": "high",
        "confidence": 90,
        "tool": {"name": "ruff", "version": "0.14"},
        **changes,
    }


def document(*findings: Json) -> Part:
    return Part("data", {"schema": "findings/v1", "findings": list(findings)}, "application/json")


def contribution(agent: str, *findings: Json) -> Contribution:
    return Contribution(Source(agent, f"review/{agent}", f"remote-{agent}", "findings"), (document(*findings),))


def items_of(merging: Merging) -> list[Json]:
    return [item for part in merging.artifact.parts if part.kind == "data" for item in part.content["items"]]


def text_of(merging: Merging) -> str:
    (text,) = [part.content for part in merging.artifact.parts if part.kind == "text"]
    return text

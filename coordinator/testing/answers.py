"""Artifacts for specialists to answer with, as the JSON of the wire."""

from __future__ import annotations

import random
from collections.abc import Sequence

from coordinator.testing.behaviour import Json

KINDS = ("unused-import", "shell-injection", "complex-function", "type-mismatch", "dead-code")
SEVERITIES = ("info", "low", "medium", "high", "critical")


def text(words: str, *more: str, name: str = "answer") -> Json:
    """Return an artifact of one text part for each of the words."""
    parts = [{"text": part, "mediaType": "text/plain"} for part in (words, *more)]
    return {"artifactId": name, "name": name, "parts": parts}


def data(*documents: Json, name: str = "answer") -> Json:
    """Return an artifact of one data part for each document."""
    parts = [{"data": document, "mediaType": "application/json"} for document in documents]
    return {"artifactId": name, "name": name, "parts": parts}


def findings(*found: Json) -> Json:
    """Return the artifact `findings` a reviewer answers with."""
    return data({"schema": "findings/v1", "findings": list(found)}, name="findings")


def finding(**changes: object) -> Json:
    """Return one complete finding, with some of its fields changed."""
    return {
        "rule": "T100",
        "kind": "unused-import",
        "message": "it is imported and never used",
        "path": "app.py",
        "range": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 10},
        "statement": 1,
        "severity": "medium",
        "confidence": 90,
        "tool": {"name": "testing", "version": "1"},
        **changes,
    }


def many_findings(count: int, *, seed: int = 0, paths: Sequence[str] = ("app.py", "orders.py", "users.py")) -> Json:
    """Return *count* findings at random places; the same seed gives the same ones, so agents may agree."""
    rng = random.Random(seed)  # noqa: S311 - nothing is kept secret here
    return findings(*(_random_finding(rng, paths) for _ in range(count)))


def _random_finding(rng: random.Random, paths: Sequence[str]) -> Json:
    line = rng.randint(1, 2000)
    return finding(
        kind=rng.choice(KINDS),
        path=rng.choice(paths),
        range={"startLine": line, "startColumn": 1, "endLine": line, "endColumn": 80},
        statement=line,
        severity=rng.choice(SEVERITIES),
        confidence=rng.randint(50, 100),
    )

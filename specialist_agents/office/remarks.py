"""What the checkers of texts answer with: one remark for each place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from specialist_agents.office.texts import File, excerpt

SCHEMA = "checks/v1"
MOST_OF_A_KIND = 50
"""Remarks of one kind about one document; what is wrong everywhere need not be told everywhere."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One place in a text and what is the matter with it; the confidence is from 0 to 100."""

    kind: str
    severity: str
    confidence: int
    message: str
    excerpt: str
    line: int


def items(check: str, file: File, remarks: Iterator[Remark] | Sequence[Remark]) -> Iterator[dict[str, Any]]:
    """Yield the remarks about one file in the shape that is sent."""
    told: dict[str, int] = {}
    for remark in remarks:
        told[remark.kind] = told.get(remark.kind, 0) + 1
        if told[remark.kind] > MOST_OF_A_KIND:
            continue
        yield {
            "check": check,
            "document": file.name,
            "kind": remark.kind,
            "severity": remark.severity,
            "confidence": remark.confidence,
            "message": excerpt(remark.message, 300),
            "excerpt": excerpt(remark.excerpt),
            "line": remark.line,
        }

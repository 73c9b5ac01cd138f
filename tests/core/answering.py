"""Answers of agents in a line each, for the tests of merging."""

from __future__ import annotations

from typing import Any

from coordinator.core.merging import Contribution, Merging, Source
from coordinator.core.model import Part

FILE = Part("raw", b"%PDF", "application/pdf", "report.pdf", {"pages": 2})
LINK = Part("url", "https://example.test/log", "text/plain", "log.txt")


def text(words: str) -> Part:
    return Part("text", words, "text/plain")


def data(document: Any) -> Part:
    return Part("data", document, "application/json")


def answer(agent: str, *contents: Any, branch: str = "") -> Contribution:
    """Return the answer of a branch: a text or an object becomes a part."""
    parts = [_part(content) for content in contents]
    return Contribution(Source(agent, branch or f"only/{agent}", f"remote-{agent}", "a1"), tuple(parts))


def _part(content: Any) -> Part:
    if isinstance(content, Part):
        return content
    return text(content) if isinstance(content, str) else data(content)


def document(merging: Merging, number: int = 0) -> Any:
    """Return the content of one data part."""
    return [part.content for part in merging.artifact.parts if part.kind == "data"][number]


def contents(merging: Merging) -> list[Any]:
    return [part.content for part in merging.artifact.parts]

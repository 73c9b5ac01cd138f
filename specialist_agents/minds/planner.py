"""Planning by rule: a sub-task for every file, or for every section of a document.

The same material gives the same list, and everything is in exactly one sub-task but the request, which is in all.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from specialist_agents.minds.material import Material, Piece

_T = TypeVar("_T")

_HEADING = re.compile(r"^(#{1,6})[ \t]+\S", re.MULTILINE)
_FENCE = re.compile(r"^(```|~~~).*?(?:^\1|\Z)", re.MULTILINE | re.DOTALL)


def plan(material: Material, most: int) -> dict[str, Any]:
    """Return the list of sub-tasks, at most *most*: neighbours share one when there are more."""
    files = [piece for piece in material.documents if piece.name]
    if len(files) > 1:
        return {"tasks": list(_of_files(material, _shared(material.documents, most)))}
    sections = [section for piece in material.documents for section in _sections(piece.text)]
    return {"tasks": list(_of_sections(material, _shared(sections, most)))}


def _of_files(material: Material, groups: Sequence[Sequence[Piece]]) -> Iterator[dict[str, Any]]:
    wish = [material.wish.number] if material.wish else []
    for number, group in enumerate(groups, start=1):
        names = ", ".join(piece.name or f"part {piece.number}" for piece in group)
        parts = [*wish, *(piece.number for piece in group)]
        yield {"id": f"file-{number}", "text": f"Only this is your part: {names}", "parts": parts}


def _of_sections(material: Material, groups: Sequence[Sequence[str]]) -> Iterator[dict[str, Any]]:
    # In one text with the section, since a part of its own would stand behind the section and look like the document.
    wish = [material.wish.text.strip()] if material.wish else []
    for number, group in enumerate(groups, start=1):
        yield {"id": f"section-{number}", "text": "\n\n".join([*wish, *group])}


def _sections(text: str) -> list[str]:
    """Cut a Markdown text before its headings of the highest level that is there twice; what precedes stays first."""
    fenced = [match.span() for match in _FENCE.finditer(text)]
    headings = [
        (match.start(), len(match[1]))
        for match in _HEADING.finditer(text)
        if not any(start <= match.start() < end for start, end in fenced)
    ]
    levels = [level for _, level in headings]
    level = next((level for level in range(1, 7) if levels.count(level) > 1), None)
    if level is None:
        return [text.strip()]
    cuts = [start for start, of in headings if of == level]
    # A title and what stands before the first section say little alone: they go with it.
    cuts[0] = 0
    return [text[start:end].strip() for start, end in pairwise([*cuts, len(text)])]


def _shared(items: Sequence[_T], most: int) -> list[Sequence[_T]]:
    number = min(len(items), most)
    cuts = [len(items) * cut // number for cut in range(number + 1)]
    return [items[start:end] for start, end in pairwise(cuts)]

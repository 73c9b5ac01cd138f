"""The program behind `search-documentation`: sections of Markdown and reStructuredText, and Python docstrings."""

import ast
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from specialist_agents.research.passages import File, Passage, definitions, parsed

KIND = "documentation"
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_UNDERLINE = re.compile(r"^([=\-~^\"'#*+])\1{2,}\s*$")


def passages_of(files: Iterable[File], _names: tuple[str, ...]) -> Iterator[Passage]:
    """Yield the sections and docstrings of all files."""
    for file in files:
        if file.suffix in {".md", ".rst"}:
            yield from sections(file)
        elif file.is_python and not file.is_test and (tree := parsed(file)) is not None:
            yield from docstrings(file, tree)


def sections(file: File) -> Iterator[Passage]:
    """Yield a document from each heading to the next; what is above the first is a section, too."""
    lines = file.lines
    starts = sorted({0, *_headings(lines, is_markdown=file.suffix == ".md"), len(lines)})
    for start, end in pairwise(starts):
        body = lines[start:end]
        if any(line.strip() for line in body):
            title = next(line for line in body if line.strip()).lstrip("# ").strip()[:200]
            yield Passage(KIND, f"{title} in {file.name}", "\n".join(body), file.name, start + 1, end, heading=title)


def _headings(lines: list[str], *, is_markdown: bool) -> Iterator[int]:
    """Yield the indexes of heading lines; what looks like one inside a code block is none."""
    fenced = False
    for number, line in enumerate(lines):
        fenced ^= is_markdown and bool(_FENCE.match(line))
        if is_markdown and not fenced and re.match(r"#{1,6} ", line):
            yield number
        elif not is_markdown and number and _UNDERLINE.match(line) and lines[number - 1].strip():
            yield number - 1


def docstrings(file: File, tree: ast.Module) -> Iterator[Passage]:
    """Yield what code says of itself, cited where the thing is defined."""
    if text := ast.get_docstring(tree):
        yield Passage(KIND, file.name, text, file.name, 1, len(text.splitlines()))
    for name, node in definitions(tree):
        if text := ast.get_docstring(node):
            end = node.body[0].end_lineno or node.lineno
            yield Passage(KIND, f"{name} in {file.name}", text, file.name, node.lineno, end, heading=name)

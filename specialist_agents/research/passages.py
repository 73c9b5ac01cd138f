"""What can be found: a passage of a file or a commit, where it stands, and how it is cited."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from specialist_agents.research.words import terms_of

WINDOW_LINES = 30
MAX_EXCERPT_LINES, MAX_LINE_CHARACTERS = 5, 160
_TEST = re.compile(r"(?:^|/)(?:tests?/|test_[^/]*\.py$|[^/]*_test\.py$|conftest\.py$)|\.(?:test|spec)\.[jt]sx?$")


@dataclass(frozen=True, slots=True)
class File:
    """One text file of the repository."""

    name: str
    text: str

    @property
    def suffix(self) -> str:
        """Return the end of its name, with the dot, in small letters."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def is_python(self) -> bool:
        """Whether it holds Python code."""
        return self.suffix in {".py", ".pyi"}

    @property
    def is_test(self) -> bool:
        """Whether it is there to test the others, by its name."""
        return _TEST.search(self.name) is not None

    @property
    def lines(self) -> list[str]:
        """Return its lines."""
        return self.text.splitlines()


@dataclass(frozen=True, slots=True)
class Passage:
    """Some lines of a file, or a commit; *heading* is searched like the text, and weighs twice."""

    kind: str
    title: str
    text: str
    path: str = ""
    line: int = 0
    end_line: int = 0
    commit: str = ""
    date: str = ""
    heading: str = ""

    @property
    def citation(self) -> str:
        """Return where it can be looked up: `path:line`, or the commit."""
        return f"{self.path}:{self.line}" if self.path else f"commit {self.commit[:12]}"

    @property
    def searched(self) -> str:
        """Return all that is searched."""
        return f"{self.heading or self.title}\n{self.heading or self.title}\n{self.text}"


def windows(file: File, kind: str) -> Iterator[Passage]:
    """Yield a file in pieces of a few lines, each once."""
    lines = file.lines
    for start in range(0, len(lines), WINDOW_LINES):
        piece = lines[start : start + WINDOW_LINES]
        if any(line.strip() for line in piece):
            yield Passage(
                kind, file.name, "\n".join(piece), file.name, start + 1, start + len(piece), heading=file.name
            )


def parsed(file: File) -> ast.Module | None:
    """Return a Python file's syntax, or nothing where it does not parse. Parsing runs none of it."""
    try:
        return ast.parse(file.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def definitions(tree: ast.Module) -> Iterator[tuple[str, Definition]]:
    """Yield functions, classes and methods with their dotted names, in the order of the file."""
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        prefix, node = waiting.pop()
        for child in reversed(list(ast.iter_child_nodes(node))):
            if isinstance(child, Definition):
                waiting.append((f"{prefix}{child.name}.", child))
            elif isinstance(child, ast.If | ast.Try | ast.With):
                waiting.append((prefix, child))
        if isinstance(node, Definition):
            yield prefix.removesuffix("."), node


def excerpt_of(text: str, terms: Sequence[str]) -> str:
    """Return the lines of *text* around the one that holds most of the terms."""
    lines = text.splitlines() or [""]
    found = [len(set(terms_of(line)).intersection(terms)) for line in lines]
    best = max(range(len(lines)), key=lambda number: (found[number], -number))
    start = max(0, min(best - 1, len(lines) - MAX_EXCERPT_LINES))
    kept = "\n".join(line[:MAX_LINE_CHARACTERS] for line in lines[start : start + MAX_EXCERPT_LINES])
    return kept.strip("\n")

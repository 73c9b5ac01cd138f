"""What a tool says about one place, before and after it becomes a finding.

Frozen values only. A remark is the tool's view; a finding adds what makes it comparable between
tools: the statement and the name it is about.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from specialist_agents.analysis.sources import Source


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A range of text; lines and columns count from 1, the end column is one past the last."""

    start_line: int
    start_column: int
    end_line: int
    end_column: int

    @classmethod
    def of(cls, line: int, column: int = 1, end_line: int = 0, end_column: int = 0) -> "Span":
        """Make a valid range of what a tool reports: nothing below 1, no end before the start."""
        start = (max(line, 1), max(column, 1))
        end = max(start, (max(end_line, 1), max(end_column, 1)))
        return cls(*start, *end)


@dataclass(frozen=True, slots=True)
class Remark:
    """What one tool says about one place in one file."""

    source: Source
    rule: str
    kind: str
    message: str
    span: Span
    severity: str
    confidence: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a tool works: the reviewed tree, a folder of its own, whom to tell how far it is, what was answered."""

    root: Path
    scratch: Path
    progress: Callable[[str], None]
    decided: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tool:
    """An analyser: its name, the distribution it comes from, and the function that runs it."""

    name: str
    review: Callable[[Sequence[Source], Bench], Iterable[Remark]]
    needs_utf8: bool = False
    reads_stubs: bool = True
    reads_texts: bool = False  #: also files that are not Python's


Finding = dict[str, Any]


class ToolFailure(Exception):
    """The analyser itself failed, so there is no review."""


class Undecided(Exception):
    """The analyser needs to know something first: the question as a document of its own."""

    def __init__(self, question: Mapping[str, Any]) -> None:
        super().__init__(question.get("text"))
        self.question = question

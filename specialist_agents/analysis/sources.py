"""The files under review, parsed once, and why some of them cannot be parsed.

A file no tool can read is still an answer: it becomes a finding, and the tools never see it. That
is also what keeps code nested thousands of levels deep away from parsers that would overflow their
stack on it. Parsing is not running: nothing here compiles or imports.
"""

import ast
import io
import tokenize
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from specialist_agents.analysis.statements import StatementIndex


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file cannot be reviewed, and where."""

    kind: str
    message: str
    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Source:
    """One file under review: its name as sent, where it lies, and its statements or its problem."""

    name: str
    path: Path
    is_utf8: bool
    index: StatementIndex | None
    problem: Problem | None

    @property
    def is_stub(self) -> bool:
        """Say whether this is a stub file, which describes code without holding any."""
        return self.name.endswith(".pyi")

    def statement(self, line: int) -> int:
        """Return the first line of the statement at *line*."""
        return self.index.first_line(line) if self.index else max(line, 1)


def read_sources(
    root: Path, names: Sequence[str], progress: Callable[[str], None], *, texts: bool = False
) -> Iterator[Source]:
    """Parse every named file below *root*, in the order of the names; with *texts* only those of Python."""
    for count, name in enumerate(names):
        progress(f"reading {count} of {len(names)} files")
        yield _read(name, root / name, is_code=not texts or name.endswith((".py", ".pyi")))


def _read(name: str, path: Path, *, is_code: bool) -> Source:
    content = path.read_bytes()
    index, problem = _parsed(content) if is_code else (None, None)
    return Source(name=name, path=path, is_utf8=_is_utf8(content), index=index, problem=problem)


def _parsed(content: bytes) -> tuple[StatementIndex | None, Problem | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in reviewed code is not our warning
            tree = ast.parse(content)
        return StatementIndex(tree, _text(content)), None
    except SyntaxError as error:
        return None, _syntax_problem(error)
    except ValueError as error:  # null bytes, before Python 3.12
        return None, Problem("syntax-error", str(error))
    except (RecursionError, MemoryError):
        return None, Problem("not-reviewed", "too large or nested too deeply to be parsed")


def _syntax_problem(error: SyntaxError) -> Problem:
    line = error.lineno if error.lineno and error.lineno > 0 else 1
    column = error.offset if error.offset and error.offset > 0 else 1
    return Problem("syntax-error", error.msg or "invalid syntax", line, column)


def _text(content: bytes) -> str:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return content.decode(encoding)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True

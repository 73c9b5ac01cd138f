"""A repository as file parts: what each file is by its name, within bounds, and the history beside it.

The same files `review` would see, and further ones: documents, configuration, other languages. What a plan does not
take stays here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from a2a.types.a2a_pb2 import Part

from coordinator.cli import history
from coordinator.cli.exits import Stop
from coordinator.cli.message import PYTHON
from coordinator.cli.pack import Packed, base_of, name_of, read, resolved, walk

MOST_OF_A_FILE = 512 << 10
MOST_OF_A_REPORT = 8 << 20
MOST_BYTES = 16 << 20
"""Of all files together; a request holds 32 MiB with everything written in base64."""

_SOURCES = (
    ".js .jsx .mjs .cjs .ts .tsx .vue .go .rs .java .kt .scala .c .h .cc .cpp .hpp .cs .swift .rb .php .pl .lua .r .ex "
    ".exs .erl .hs .ml .clj .sh .bash .zsh .sql .html .css .scss .cfg .ini .proto .tf"
)
BY_SUFFIX = dict.fromkeys(_SOURCES.split(), "text/x-source") | {
    ".py": PYTHON,
    ".pyi": PYTHON,
    ".md": "text/markdown",
    ".rst": "text/x-rst",
    ".txt": "text/plain",
    ".toml": "application/toml",
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
BY_NAME = {
    r"(?i:licen[cs]e|copying|unlicense)(?:[.-][\w.-]+)?": "text/plain",
    r"Makefile|Dockerfile": "text/x-source",
    r"coverage\.xml": "application/xml",
    r"\.coverage": "application/vnd.sqlite3",
}
ALL_MODES = frozenset({*BY_SUFFIX.values(), *BY_NAME.values(), history.MEDIA_TYPE})
REPORTS = re.compile(r"coverage\.(?:json|xml)|\.coverage")


@dataclass(frozen=True, slots=True)
class Repository:
    """What is sent of a repository, and what is not."""

    parts: Sequence[Part]
    files: Sequence[Packed]
    commits: int = 0
    notes: Sequence[str] = ()


def media_type_of(name: str) -> str | None:
    """Return what a file is, by its name; nothing for what is not sent at all."""
    path = Path(name)
    named = next((kind for pattern, kind in BY_NAME.items() if re.fullmatch(pattern, path.name)), None)
    return named or BY_SUFFIX.get(path.suffix.lower())


def pack_repository(paths: Sequence[Path], modes: Collection[str]) -> Repository:
    """Return the files below *paths* whose type is one of *modes*, and the history where that is one of them.

    Raises `Stop` when a path cannot be read or holds nothing of these types.
    """
    roots = [resolved(path) for path in paths]
    base = base_of(roots)
    found = sorted({file for root in roots for file in _files(root) if media_type_of(file.name) in modes})
    kept, left_out = _within_bounds(found)
    files = [Packed(name_of(file, base), read(file)) for file in kept]
    if not files:
        raise Stop(f"there is nothing to read below {', '.join(map(str, paths))}")
    notes = [f"left out, as too large: {_listing([name_of(file, base) for file in left_out])}"] if left_out else []
    parts = [Part(raw=file.content, filename=file.name, media_type=media_type_of(file.name)) for file in files]
    told = history.history_of(base) if history.MEDIA_TYPE in modes else history.History()
    if told.file:
        parts.append(Part(raw=told.file.content, filename=told.file.name, media_type=history.MEDIA_TYPE))
        files.append(told.file)
    elif told.why_none:
        notes.append(f"without history: {told.why_none}")
    return Repository(parts, files, told.commits, notes)


def _files(root: Path) -> Iterator[Path]:
    return walk(root) if root.is_dir() else iter([root] if root.is_file() else [])


def _within_bounds(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files that fit, Python's first, each list in the order of the names, and those that do not."""
    kept: list[Path] = []
    left = MOST_BYTES
    for file in sorted(files, key=lambda file: file.suffix not in {".py", ".pyi"}):
        size = file.stat().st_size
        if size <= (MOST_OF_A_REPORT if REPORTS.fullmatch(file.name) else MOST_OF_A_FILE) and size <= left:
            kept.append(file)
            left -= size
    return sorted(kept), [file for file in files if file not in set(kept)]


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more

"""Which files a review is about, and under which names they travel.

Only regular files that the user can see: no hidden folders, caches, environments or build
output, and no symlinks, so nothing outside the given paths is ever sent. Bytes go as they
are; what they mean is for the reviewers to say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from coordinator.cli.exits import Stop

SUFFIXES = frozenset({".py", ".pyi"})
SKIPPED = frozenset({"__pycache__", "venv", "node_modules", "build"})


@dataclass(frozen=True, slots=True)
class Packed:
    """One file to send: a unique relative name with forward slashes, and its bytes."""

    name: str
    content: bytes


def pack(paths: Sequence[Path]) -> list[Packed]:
    """Return the Python files below *paths*, in order of their names.

    Raises `Stop` when a path cannot be read or there is nothing to review.
    """
    roots = [resolved(path) for path in paths]
    base = base_of(roots)
    files = {file for root in roots for file in _python_files(root)}
    if not files:
        raise Stop(f"no Python files below {', '.join(map(str, paths))}")
    named = sorted((name_of(file, base), file) for file in files)
    return [Packed(name, read(file)) for name, file in named]


def resolved(path: Path) -> Path:
    """Return where a path leads. Raises `Stop` when it leads nowhere."""
    try:
        return path.resolve(strict=True)
    except FileNotFoundError:
        raise Stop(f"{path}: there is no such file or folder") from None
    except RuntimeError as error:  # until Python 3.12 a circle of symlinks is no OSError
        raise Stop(f"{path} cannot be read: {error}") from error
    except OSError as error:
        _unreadable(error, path)


def base_of(roots: Sequence[Path]) -> Path:
    """Return the folder the names are relative to: the one given, or what several have in common."""
    folders = [root if root.is_dir() else root.parent for root in roots]
    return Path(os.path.commonpath(folders))


def _python_files(root: Path) -> Iterator[Path]:
    if root.is_dir():
        yield from (file for file in walk(root) if file.suffix in SUFFIXES)
    elif root.is_file() and root.suffix in SUFFIXES:
        yield root
    else:
        raise Stop(f"{root} is not a Python file")


def walk(root: Path) -> Iterator[Path]:
    """Yield the regular files below a folder that a user can see, folder by folder."""
    for folder, folders, names in os.walk(root, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not _is_skipped(name))
        for file in (Path(folder, name) for name in sorted(names)):
            # lstat comes first: a symlink may lead out of the tree, and a pipe would block the read
            if not file.is_symlink() and file.is_file():
                yield file


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in SKIPPED


def name_of(file: Path, base: Path) -> str:
    """Return the name a file travels under."""
    # A name the file system cannot decode is written with escapes: what travels is always valid text.
    return file.relative_to(base).as_posix().encode("utf-8", "backslashreplace").decode("utf-8")


def read(file: Path) -> bytes:
    """Return a file's bytes. Raises `Stop` when it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        _unreadable(error, file)


def _unreadable(error: OSError, path: Path | None = None) -> NoReturn:
    raise Stop(f"{path or error.filename} cannot be read: {error.strerror}") from error

"""Reading values out of what agents answered, by dotted paths, without trusting their shape."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from coordinator.core.model import Json

LONGEST_LINE = 160


def at(value: Json, path: str) -> Json:
    """Return what is at the dotted *path*; None where nothing is, and for null."""
    for step in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def number_at(value: Json, path: str) -> float | None:
    """Return the number at *path*; anything else is none."""
    found = at(value, path)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def canonical(value: Json) -> str:
    """Return a text that equal JSON values share, and only they."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def sortable(value: Json) -> tuple[int, Any]:
    """Return a stand-in that can be hashed, and compared with that of any other JSON value."""
    match value:
        case None:
            return 0, 0
        case bool():
            return 1, value
        case int() | float():
            return 2, value
        case str():
            return 3, value
        case _:
            return 4, canonical(value)


def one_line(words: str, longest: int = LONGEST_LINE) -> str:
    """Return *words* as one bounded line: an agent's words cannot add lines of their own to a text."""
    line = " ".join(words.split())
    return line if len(line) <= longest else f"{line[:longest]}…"


def label(value: Json, longest: int = LONGEST_LINE) -> str:
    """Return a value as people read it, on one line."""
    return one_line(value if isinstance(value, str) else canonical(value), longest)


def check_path(option: str, path: str) -> None:
    """Raise `ValueError` that names the option for a path that leads nowhere."""
    if not all(path.split(".")):
        raise ValueError(f"{option} is a field name or a dotted path such as result.score, not {path!r}")


def check_paths(option: str, paths: Iterable[str], *, at_least: int = 0, at_most: int = 10) -> None:
    """Raise `ValueError` that names the option for a wrong number of paths, or a wrong path."""
    given = list(paths)
    if not at_least <= len(given) <= at_most:
        raise ValueError(f"{option} names {at_least} to {at_most} fields, not {len(given)}")
    for path in given:
        check_path(option, path)

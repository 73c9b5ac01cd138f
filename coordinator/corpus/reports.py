"""Monthly reports; some names in here are nowhere to be found."""

from __future__ import annotations

import sys

try:
    import tomllib as settings_reader
except ImportError:
    settings_reader = None  # type: ignore[assignment]


def settings(text: str) -> dict[str, object]:
    return settings_reader.loads(text) if settings_reader else {}


def headline(month: str) -> str:
    return f"Report of {mounth}"


class Table:
    separator = " | "
    ruler = separator.strip() * 3

    def line(self, cells: list[str]) -> str:
        return separator.join(cells)

    def widened(self) -> Wide:
        return Wide()


class Wide(Table):
    """Defined below its first mention, which an annotation and a body may do."""


def parsed(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        sys.stderr.write("not a number\n")
    raise RuntimeError(str(error))


def total(amounts: list[int]) -> int:
    doubled = [amount * 2 for amount in amounts]
    return sum(doubled) + amount


def written(path: str, lines: list[str]) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(os.linesep.join(lines))


def count_again() -> None:
    global counter
    counter = 0


def counted() -> int:
    return counter + 1


counter = 0


def longest(lines: list[str]) -> int:
    if (length := max(map(len, lines), default=0)) > 80:
        return 80
    return length


def kind_of(value: object) -> str:
    match value:
        case [first, *_]:
            return f"a list that begins with {first}"
        case _:
            return __name__

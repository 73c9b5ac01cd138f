"""What reaches the terminal: consoles, text made safe, JSON.

Results go to stdout, everything else to stderr. Words that came over the network are never
printed as they are: a specialist could otherwise move the cursor or rewrite what stands above.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message as ProtoMessage
from rich.console import Console, RenderableType
from rich.text import Text

UNBOUNDED = 100_000
"""Columns of a pipe: nothing is wrapped or cut for a reader that is a program."""


def result_console() -> Console:
    """Return the console for results."""
    return _console(stderr=False)


def notice_console() -> Console:
    """Return the console for progress and errors."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = UNBOUNDED
    return console


def say(renderable: RenderableType, *, unbroken: bool = False) -> None:
    """Print a result. In a pipe its lines carry no padding; *unbroken* ones are left to the terminal to wrap."""
    _print(result_console(), renderable, unbroken=unbroken)


def note(renderable: RenderableType, *, unbroken: bool = False) -> None:
    """Print something about the work, not its result."""
    _print(notice_console(), renderable, unbroken=unbroken)


def complain(message: str) -> None:
    """Print one line about what went wrong."""
    note(Text.assemble(("error: ", "bold red"), printable(message)))


def _print(console: Console, renderable: RenderableType, *, unbroken: bool) -> None:
    if console.is_terminal:
        console.print(renderable, soft_wrap=unbroken)
        return
    with console.capture() as captured:
        console.print(renderable)
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    console.file.flush()


def say_json(value: Any) -> None:
    """Print *value* as the one JSON object a program reads; ASCII, so no terminal can be steered by it."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    sys.stdout.flush()


def printable(text: object) -> str:
    """Return *text* on one line, without control characters."""
    return _cleaned(str(text), lambda _: " ").strip()


def printable_lines(text: object) -> str:
    """Return *text* with its line breaks, without other control characters."""
    return _cleaned(str(text).replace("\r\n", "\n").expandtabs(), lambda space: "\n" if space == "\n" else " ")


def _cleaned(text: str, white: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else white(c) if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


def as_json(message: ProtoMessage) -> dict[str, Any]:
    """Return a protobuf message as A2A JSON, whole numbers as integers again."""
    whole: dict[str, Any] = _whole(MessageToDict(message))
    return whole


def _whole(value: Any) -> Any:
    """Undo what a protobuf Struct does to JSON: it only knows floats, and keeps no order of keys."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def duration(seconds: float) -> str:
    """Return seconds the way people say them: `0.8 s`, `2 min 05 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def size(count: int) -> str:
    """Return a number of bytes the way people say it: `12 bytes`, `3.4 MB`."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def plural(count: int, word: str) -> str:
    """Return the count with its word: `1 file`, `2 files`."""
    if count == 1:
        return f"1 {word}"
    return f"{count} {word}es" if word.endswith(("ch", "s")) else f"{count} {word}s"

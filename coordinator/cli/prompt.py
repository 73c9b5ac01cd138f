"""Reads a line from the terminal without blocking the event loop.

`input()` would hold the loop, and with it Ctrl-C and whatever else is awaited; a terminal in its
usual mode becomes readable when a line is complete, so the loop can wait for it like for a socket.
"""

from __future__ import annotations

import asyncio
import os
import sys

from rich.text import Text

from coordinator.cli.terminal import notice_console

MOST_BYTES = 1 << 16


def can_ask(*, no_input: bool) -> bool:
    """Whether there is a person to ask: questions go to stderr, answers come from stdin."""
    return not no_input and sys.stdin.isatty() and sys.stderr.isatty()


async def read_line(prompt: str) -> str | None:
    """Print *prompt* and return the line that is typed; `None` at the end of input (Ctrl-D)."""
    notice_console().print(Text(prompt, style="bold"), end="")
    descriptor = sys.stdin.fileno()
    readable = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)
    line = os.read(descriptor, MOST_BYTES)
    return line.decode("utf-8", "replace").rstrip("\r\n") if line else None

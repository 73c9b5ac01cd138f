"""Runs a command's coroutine, and makes every way of being ended look like Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import typer

from coordinator.cli.exits import ExitCode

ENDINGS = (signal.SIGTERM, signal.SIGHUP)


def run(work: Coroutine[Any, Any, ExitCode]) -> NoReturn:
    """Run *work* to its end and exit with its code."""
    raise typer.Exit(completed(work))


def completed(work: Coroutine[Any, Any, ExitCode]) -> ExitCode:
    """Run *work* and return its code. Ctrl-C and the like cancel it and raise `KeyboardInterrupt`.

    A second one cancels what the first one made it do.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDINGS)}
    try:
        return asyncio.run(_cancelable(work, [n for n, way in before.items() if way is not signal.SIG_IGN]))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        for number, way in before.items():
            signal.signal(number, way)  # the loop leaves the default behind


async def _cancelable(work: Coroutine[Any, Any, ExitCode], numbers: list[signal.Signals]) -> ExitCode:
    """Cancel *work* from the loop: a handler of Python's would raise in the middle of whatever runs."""
    task = asyncio.current_task()

    def cancel() -> None:
        if task is None or not task.cancel():
            raise KeyboardInterrupt  # all is over but for a thread the loop waits for

    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, cancel)
    return await work


@contextmanager
def terminable() -> Iterator[None]:
    """Treat SIGTERM and a closed terminal as Ctrl-C inside the block, so what was started is stopped in order."""
    before = {number: signal.signal(number, _interrupt) for number in ENDINGS}
    try:
        yield
    finally:
        for number, way in before.items():
            signal.signal(number, way)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt

"""What must not remain: asyncio tasks, file descriptors (sockets among them), and work at the specialists.

Counts are taken before and compared after, waiting for them to come back: closing a connection takes a few
rounds of the loop, and a cancel an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from coordinator import testing
from coordinator.testing import Fleet

PATIENCE_S = 5.0
AGAIN_S = 0.01
WATCHER = "_shutdown_watcher"
"""A task sse-starlette starts once in each loop that has served a stream."""

KIT = str(Path(testing.__file__).parent)


async def until(condition: Callable[[], bool | Awaitable[bool]], tell: Callable[[], object]) -> None:
    """Wait for *condition*; fail with what *tell* returns when it does not come true."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await _holds(condition):  # noqa: ASYNC110 - descriptors and tasks tell nobody when they go
                await asyncio.sleep(AGAIN_S)
    except TimeoutError:
        raise AssertionError(f"still there after {PATIENCE_S:g} s: {tell()}") from None


async def _holds(condition: Callable[[], bool | Awaitable[bool]]) -> bool:
    told = condition()
    return told if isinstance(told, bool) else await told


def tasks() -> set[asyncio.Task[object]]:
    """Return what runs beside the caller, except the work of specialists, which the fleet counts itself."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    return {task for task in others if not (_name(task) == WATCHER or _file(task).startswith(KIT))}


def _name(task: asyncio.Task[object]) -> str:
    return getattr(task.get_coro(), "__name__", "")


def _file(task: asyncio.Task[object]) -> str:
    code = getattr(task.get_coro(), "cr_code", None)
    return code.co_filename if code else ""


def descriptors() -> int:
    """Return how many files and sockets this process has open."""
    return psutil.Process().num_fds()


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Check that the block leaves neither a task nor a file descriptor."""
    before, files = tasks(), descriptors()
    yield
    await until(lambda: tasks() <= before, lambda: tasks() - before)
    await until(
        lambda: descriptors() <= files, lambda: psutil.Process().net_connections() + psutil.Process().open_files()
    )


@asynccontextmanager
async def settled(fleet: Fleet, *, open_tasks: int = 0) -> AsyncIterator[None]:
    """Check that the block leaves no task of ours, no request or stream, and *open_tasks* at the specialists.

    The server and the fleet live on, so idle connections of the pool may.
    """
    before = tasks()
    yield
    await until(lambda: tasks() <= before, lambda: tasks() - before)
    await until(lambda: not any(agent.connections for agent in fleet.agents.values()), lambda: fleet.counts)
    await until(lambda: fleet.counts.open == open_tasks and not fleet.counts.streams, lambda: fleet.counts)

"""Stays with one task until there is nothing to wait for, however often the connection breaks.

A cut stream is no failure of the task. First it is subscribed to again, and where that does
not work it is looked at; both more and more slowly, until nobody has answered for a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field

from a2a.types.a2a_pb2 import StreamResponse

from coordinator.cli.client import Connection
from coordinator.cli.exits import Lost, NoAnswer, Unsupported
from coordinator.cli.terminal import note
from coordinator.cli.view import TaskView

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 2.0
PATIENCE_S = 60.0
TOLD_AT = 3
"""After how many losses in a row the user is told."""

SEND_AGAIN = "it may have taken the message: look with `coordinator tasks` before sending it again"

Shown = Callable[[TaskView], None]


async def follow(connection: Connection, stream: AsyncGenerator[StreamResponse], view: TaskView, shown: Shown) -> None:
    """Fold *stream* into *view* until the task is settled, re-attaching as needed.

    Raises `Lost` when nobody answers any more; the task may well go on.
    """
    patience = Patience()
    with sending():
        settled = await _fold(stream, view, shown, patience)
    if settled:
        return
    if not view.task.id:
        raise Lost(f"{connection.target.server} named no task; {SEND_AGAIN}")
    while not settled:
        await patience.wait(view.task.id)
        settled = await _fold(attached(connection, view.task.id), view, shown, patience)
    # Chunks may have been lost or doubled where the stream was cut; a snapshot holds the artifacts whole.
    view.apply(StreamResponse(task=await connection.task(view.task.id)))
    shown(view)


@contextmanager
def sending() -> Iterator[None]:
    """Warn where a connection is lost that may have delivered a message already."""
    try:
        yield
    except NoAnswer:
        raise
    except Lost as lost:
        raise Lost(f"{lost}; {SEND_AGAIN}") from lost


async def _fold(stream: AsyncGenerator[StreamResponse], view: TaskView, shown: Shown, patience: Patience) -> bool:
    """Return whether the stream brought the end."""
    try:
        async with aclosing(stream) as events:
            async for event in events:
                view.apply(event)
                patience.renew()
                shown(view)
                if view.is_settled:
                    return True
    except Lost as lost:
        if not view.task.id:
            raise
        patience.blame(lost)
    return False


async def attached(connection: Connection, task_id: str) -> AsyncGenerator[StreamResponse]:
    """Yield what a subscription brings, and where there is none the task as it is now."""
    try:
        async with aclosing(connection.subscribe(task_id)) as events:
            async for event in events:
                yield event
    except (Unsupported, Lost):
        pass  # a task that has ended, a server without streams, a proxy that cuts them: looking still works
    yield StreamResponse(task=await connection.task(task_id))


@dataclass
class Patience:
    """How long to wait before the next look, and when to stop looking."""

    delay_s: float = FIRST_DELAY_S
    answered_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    last: str = "the stream ended"
    losses: int = 0  #: since the last answer

    def renew(self) -> None:
        """Note that the server has answered."""
        self.answered_at, self.losses = asyncio.get_running_loop().time(), 0

    def blame(self, lost: Lost) -> None:
        """Keep what went wrong last, to tell it at the end; tell at once what is no mere hand-over."""
        self.last = str(lost)
        self.losses += 1
        if self.losses == TOLD_AT:
            note(f"the connection is lost; trying again for {PATIENCE_S:g} s")

    async def wait(self, task_id: str) -> None:
        """Wait a little longer than before. Raises `Lost` when there was no answer for too long."""
        if asyncio.get_running_loop().time() - self.answered_at > PATIENCE_S:
            raise Lost(f"{self.last}. The task may go on: coordinator watch {task_id}")
        await asyncio.sleep(self.delay_s)
        self.delay_s = min(2 * self.delay_s, LONGEST_DELAY_S)

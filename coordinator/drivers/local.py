"""Turns as asyncio tasks of this process: the default, for SQLite and memory.

A sweep at the start and every few seconds takes up every coordination that is due, so a
crash between accepting and starting, or in the middle of a turn, loses nothing. So many
coordinations run at once; new ones wait their turn, as SUBMITTED. Parked ones do not count.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from coordinator.core.events import CancelRequested
from coordinator.drivers import Load
from coordinator.engine import Engine
from coordinator.errors import ClaimLost, JournalError, JournalUnavailable, RetryLater
from coordinator.journal import Journal, Status
from coordinator.journal.codec import encode

FULL_S = 5.0
"""After how many seconds to come back to a coordinator that is full."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LocalDriver:
    """Runs every turn in one task group."""

    engine: Engine
    journal: Journal
    most_running: int = 200
    most_waiting: int = 1000
    sweep_s: float = 3.0
    _wanted: set[str] = field(default_factory=set)
    _waiting: dict[str, None] = field(default_factory=dict)  #: new ones, in the order they came
    _entering: int = 0  #: being accepted now
    _turns: set[str] = field(default_factory=set)
    _stirred: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def admission(self) -> Iterator[bool]:
        """Keep room for a task about to be accepted and say whether it begins at once. Raises `RetryLater`."""
        load = self.load()
        if load.is_full:
            words = f"{load.running} tasks are under way and {load.waiting} wait: the coordinator takes no more for now"
            raise RetryLater(words, reason="TOO_MANY_COORDINATIONS", retry_after_s=FULL_S)
        self._entering += 1
        try:
            yield load.has_place
        finally:
            self._entering -= 1

    def admit(self, task_id: str) -> None:
        """Start a turn of a new task as soon as all that came before it have theirs and there is room."""
        if task_id not in self._turns and task_id not in self._wanted:
            self._waiting[task_id] = None
            self._stirred.set()

    def is_waiting(self, task_id: str) -> bool:
        """Whether *task_id* has not had its turn yet."""
        return task_id in self._waiting

    def wake(self, task_id: str) -> None:
        """Start a turn, or make the live one look at its inbox; does not wait for room."""
        if task_id in self._turns:
            self.engine.nudge(task_id)
        else:
            self._waiting.pop(task_id, None)
            self._wanted.add(task_id)
            self._stirred.set()

    def load(self) -> Load:
        """Return how many run and wait; who is being accepted waits."""
        running = len(self._turns | self._wanted)
        return Load(running, len(self._waiting) + self._entering, self.most_running, self.most_waiting)

    async def run(self) -> None:
        """Drive until canceled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep())
            while True:
                await self._stirred.wait()
                self._stirred.clear()
                while (task_id := self._next()) is not None:
                    if task_id not in self._turns and not self.engine.is_released:
                        self._turns.add(task_id)
                        group.create_task(self._drive(task_id), name=f"turn:{task_id}")

    def _next(self) -> str | None:
        if self._wanted:
            return self._wanted.pop()
        if not self._waiting or len(self._turns) >= self.most_running:
            return None
        task_id = next(iter(self._waiting))
        del self._waiting[task_id]
        return task_id

    async def cancel_all(self) -> None:
        """Cancel what is under way, here and at the specialists, and wait until that is settled.

        For a journal that does not outlive the process: nobody could take the work up again.
        """
        parked = await self.journal.due(math.inf)
        for task_id in dict.fromkeys((*self._turns, *self._waiting, *self._wanted, *parked)):
            with suppress(JournalError):
                await self.journal.put(task_id, encode(CancelRequested(at=await self.journal.now())))
            self.wake(task_id)
        while self._turns or self._wanted:
            self._ended.clear()
            await self._ended.wait()

    async def release(self) -> None:
        """Let go of every turn once it has written what it knows, and start none any more; remote tasks go on."""
        self.engine.release()
        while self._turns:
            self._ended.clear()
            await self._ended.wait()

    async def _sweep(self) -> None:
        while True:
            try:
                for task_id in await self.journal.due(await self.journal.now()):
                    if task_id not in self._turns and task_id not in self._waiting:
                        await self._take_up(task_id)
            except JournalUnavailable as error:
                log.warning("the database is away; trying again", extra={"error": str(error)})
            await asyncio.sleep(self.sweep_s)

    async def _take_up(self, task_id: str) -> None:
        """What was under way before goes on at once; what has not begun waits for its turn."""
        head = await self.journal.head(task_id)
        if head is not None and head.seq == 1:  # nothing but TaskAccepted
            self.admit(task_id)
        else:
            self.wake(task_id)

    async def _drive(self, task_id: str) -> None:
        """Run turns until the coordination needs none; a turn that fails is left to the next sweep."""
        try:
            while True:
                await self.engine.turn(task_id)
                head = await self.journal.head(task_id)
                # Something may have been put while the turn was ending.
                if head is None or head.status is not Status.DUE or self.engine.is_released:
                    return
        except* ClaimLost:
            log.info("somebody else drives this coordination now", extra={"task": task_id})
        except* JournalUnavailable as unavailable:
            log.warning("the database is away", extra={"task": task_id, "error": str(unavailable.exceptions[0])})
        except* Exception:
            # One coordination that trips over a bug must not stop the others. It is counted: after a few
            # claims without progress it fails with that reason.
            log.exception("a turn failed", extra={"task": task_id})
        finally:
            self._turns.discard(task_id)
            self._ended.set()
            self._stirred.set()  # there is room for one more

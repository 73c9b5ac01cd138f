"""What every driver does alike: room for new tasks, their line, the sweep, one turn after the other.

Where a turn runs, and who may run it, is each driver's own. Nothing here knows of other processes.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from coordinator.drivers import Load
from coordinator.engine import Engine
from coordinator.errors import ClaimLost, JournalTooNew, JournalUnavailable, RetryLater
from coordinator.journal import Head, Journal, Status

FULL_S = 5.0
"""After how many seconds to come back to a coordinator that is full."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Turns(ABC):
    """The turns of one process; a subclass says how one begins."""

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

    @property
    def executor(self) -> str:
        """Return under which name this process drives, as head rows and `coordinator replicas` show it."""
        return self.engine.name

    def why_not_ready(self) -> str:
        """Return why nothing can be driven here now; empty when it can."""
        return ""

    async def release(self) -> None:
        """Let go of every turn once it has written what it knows, and start none any more; remote tasks go on."""
        self.engine.release()
        await self._all_ended()

    async def _all_ended(self) -> None:
        while self._turns:
            self._ended.clear()
            await self._ended.wait()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Hold, inside the context, what driving needs; `run` is for inside. Raises `ConfigurationError`."""
        yield

    @abstractmethod
    async def run(self) -> None:
        """Drive until canceled; turns under way are then stopped, their remote tasks are not canceled."""

    @abstractmethod
    async def _begin(self, task_id: str) -> None:
        """See to it that *task_id*, which stands in `_turns`, has its turn; call `_over` when there is none here."""

    @abstractmethod
    async def _due(self) -> Sequence[str]:
        """Return what needs a turn and may have it here."""

    async def _take_turns(self, group: asyncio.TaskGroup) -> None:
        """Begin what is wanted, and what waits as there is room, until canceled."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            while (task_id := self._next()) is not None:
                if task_id not in self._turns and not self.engine.is_released:
                    self._turns.add(task_id)
                    group.create_task(self._begin(task_id), name=f"turn:{task_id}")

    def _next(self) -> str | None:
        if self._wanted:
            return self._wanted.pop()
        if not self._waiting or len(self._turns) >= self.most_running:
            return None
        task_id = next(iter(self._waiting))
        del self._waiting[task_id]
        return task_id

    async def _sweep(self) -> None:
        """Take up what is due, at once and every few seconds, until canceled."""
        while True:
            try:
                for task_id in await self._due():
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

    async def _drive(self, task_id: str, after: int | None = None) -> bool:
        """Run turns until none follows at once; return whether the last one came to its end.

        With *after*, the first one claims on top of that epoch only, as each later one does on top of its own.
        What failed is left to the next sweep; what was let go, or is somebody else's now, has not come to its end.
        """
        has_ended = False
        try:
            while True:
                after = await self.engine.turn(task_id, after)
                head = await self.journal.head(task_id)
                # Something may have been put while the turn was ending.
                if not self._goes_on(head):
                    has_ended = head is None or head.status is not Status.DUE or not self.engine.is_released
                    break
        except* ClaimLost:
            log.info("somebody else drives this coordination now", extra={"task": task_id})
        except* JournalUnavailable as unavailable:
            log.warning("the database is away", extra={"task": task_id, "error": str(unavailable.exceptions[0])})
        except* JournalTooNew as too_new:
            self._note_too_new(task_id, str(too_new.exceptions[0]))
            has_ended = True
        except* Exception:
            # One coordination that trips over a bug must not stop the others. It is counted: after a few
            # claims without progress it fails with that reason.
            log.exception("a turn failed", extra={"task": task_id})
            has_ended = True
        return has_ended

    def _goes_on(self, head: Head | None) -> bool:
        return head is not None and head.status is Status.DUE and not self.engine.is_released

    def _note_too_new(self, task_id: str, why: str) -> None:
        log.warning("left to a newer coordinator", extra={"task": task_id, "error": why})

    def _over(self, task_id: str) -> None:
        """Nothing of *task_id* is under way here any more: there is room for one more."""
        self._turns.discard(task_id)
        self._ended.set()
        self._stirred.set()

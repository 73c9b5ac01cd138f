"""Turns as asyncio tasks of this process: the default, for SQLite and memory.

A sweep at the start and every few seconds takes up every coordination that is due, so a
crash between accepting and starting, or in the middle of a turn, loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field

from coordinator.core.events import CancelRequested
from coordinator.engine import Engine
from coordinator.errors import ClaimLost, JournalError, JournalUnavailable
from coordinator.journal import Journal, Status
from coordinator.journal.codec import encode

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LocalDriver:
    """Runs every turn in one task group."""

    engine: Engine
    journal: Journal
    sweep_s: float = 3.0
    _wanted: set[str] = field(default_factory=set)
    _turns: set[str] = field(default_factory=set)
    _stirred: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self, task_id: str) -> None:
        """Start a turn, or make the live one look at its inbox."""
        if task_id in self._turns:
            self.engine.nudge(task_id)
        else:
            self._wanted.add(task_id)
            self._stirred.set()

    async def run(self) -> None:
        """Drive until canceled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep())
            while True:
                await self._stirred.wait()
                self._stirred.clear()
                while self._wanted:
                    task_id = self._wanted.pop()
                    if task_id not in self._turns:
                        self._turns.add(task_id)
                        group.create_task(self._drive(task_id), name=f"turn:{task_id}")

    async def cancel_all(self) -> None:
        """Cancel what is under way, here and at the specialists, and wait until that is settled.

        For a journal that does not outlive the process: nobody could take the work up again.
        """
        for task_id in tuple(self._turns):
            with suppress(JournalError):
                await self.journal.put(task_id, encode(CancelRequested(at=await self.journal.now())))
            self.wake(task_id)
        while self._turns:
            self._ended.clear()
            await self._ended.wait()

    async def _sweep(self) -> None:
        while True:
            try:
                for task_id in await self.journal.due(await self.journal.now()):
                    if task_id not in self._turns:
                        self.wake(task_id)
            except JournalUnavailable as error:
                log.warning("the database is away; trying again", extra={"error": str(error)})
            await asyncio.sleep(self.sweep_s)

    async def _drive(self, task_id: str) -> None:
        """Run turns until the coordination needs none; a turn that fails is left to the next sweep."""
        try:
            while True:
                await self.engine.turn(task_id)
                head = await self.journal.head(task_id)
                # Something may have been put while the turn was ending.
                if head is None or head.status is not Status.DUE:
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

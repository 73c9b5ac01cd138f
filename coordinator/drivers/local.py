"""Turns as asyncio tasks of this process: the default, for SQLite and memory.

A sweep at the start and every few seconds takes up every coordination that is due, so a
crash between accepting and starting, or in the middle of a turn, loses nothing. So many
coordinations run at once; new ones wait their turn, as SUBMITTED. Parked ones do not count.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from typing_extensions import override

from coordinator.core.events import CancelRequested
from coordinator.drivers.turns import Turns
from coordinator.errors import JournalError
from coordinator.journal.codec import encode


@dataclass(slots=True)
class LocalDriver(Turns):
    """Runs every turn in one task group."""

    @override
    async def run(self) -> None:
        """Drive until canceled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep())
            await self._take_turns(group)

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

    @override
    async def _begin(self, task_id: str) -> None:
        try:
            await self._drive(task_id)
        finally:
            self._over(task_id)

    @override
    async def _due(self) -> Sequence[str]:
        return await self.journal.due(await self.journal.now())

"""Slots over all replicas: advisory locks on the guard session, so many for each stage that shares them.

They are freed by themselves when a replica dies or freezes, as its other lock is. Whoever waits asks again after a
moment of chance, so no replica goes before another, and there is no order among them.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from dataclasses import dataclass, field
from zlib import crc32

from coordinator.core.model import Shared
from coordinator.drivers.dbos.guard import LOCKS, Guard
from coordinator.errors import JournalUnavailable

SLOT_LOCKS = LOCKS + 1
AGAIN_S = 0.2

log = logging.getLogger(__name__)


def keys_of(shared: Shared) -> list[int]:
    """Return the second keys of the locks of a stage, 32 bits with a sign."""
    numbers = (crc32(f"{shared.name}#{number}".encode()) for number in range(shared.most))
    return [number - 2**32 if number >= 2**31 else number for number in numbers]


@dataclass(slots=True, eq=False)
class SharedSlot:
    """A lock this process holds, or none where there was no room for what was under way already."""

    _slots: SharedSlots
    key: int | None

    def leave(self) -> None:
        """Give the slot back."""
        if self.key is not None:
            self._slots.free(self.key)
            self.key = None


@dataclass(slots=True)
class SharedSlots:
    """The slots of all replicas, as this one sees them."""

    guard: Guard
    rng: random.Random = field(default_factory=random.SystemRandom)
    _held: set[int] = field(default_factory=set)
    _freed: set[int] = field(default_factory=set)
    _stirred: asyncio.Event = field(default_factory=asyncio.Event)
    _first: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def take(self, shared: Shared, *, is_known: bool) -> SharedSlot:
        """Wait for a slot; who *is_known* to be under way already goes on whether there is room or not."""
        if is_known:
            return SharedSlot(self, await self._try(shared))
        async with self._first[shared.name]:  # here those who came first go first
            while (key := await self._try(shared)) is None:  # noqa: ASYNC110 - what others free is told to nobody
                await asyncio.sleep(AGAIN_S * self.rng.uniform(0.5, 1.5))
        return SharedSlot(self, key)

    def free(self, key: int) -> None:
        """Let go of a lock soon."""
        self._freed.add(key)
        self._stirred.set()

    async def give_back(self) -> None:
        """Let go of what was freed, until canceled."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            while self._freed:
                key = self._freed.pop()
                try:
                    await self.guard.unlock((SLOT_LOCKS, key))
                except JournalUnavailable:
                    log.debug("a slot went with the guard session")
                self._held.discard(key)

    async def hold_again(self) -> None:
        """Take the locks again that were lost with the guard session; others may have them meanwhile.

        Raises `JournalUnavailable`.
        """
        for key in tuple(self._held):
            if await self.guard.lock_one(SLOT_LOCKS, [key]) is None:
                self._held.discard(key)  # one more is under way for a while than the plan says

    async def _try(self, shared: Shared) -> int | None:
        # The same session would get a lock it has once more.
        keys = [key for key in keys_of(shared) if key not in self._held]
        self.rng.shuffle(keys)
        if not keys:
            return None
        try:
            key = await self.guard.lock_one(SLOT_LOCKS, keys)
        except JournalUnavailable:
            return None
        if key is not None:
            self._held.add(key)
        return key

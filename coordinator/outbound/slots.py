"""Slots for attempts of stages whose concurrency holds over all tasks: `limits.scope: global` in a plan.

One implementation for coordinators that are alone on their database; replicas keep theirs in the database, where
their driver puts them. A slot is asked for before a place and given back with it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Protocol

from coordinator.core.model import Shared


class Slot(Protocol):
    """The right of one attempt to be under way in its stage, until it leaves."""

    def leave(self) -> None:
        """Give the slot back; once is enough, more does no harm."""
        ...


class Slots(Protocol):
    """All slots, of all stages that share theirs."""

    async def take(self, shared: Shared, *, is_known: bool) -> Slot:
        """Wait for a slot; who *is_known* to be under way already gets one whether there is room or not."""
        ...


@dataclass(slots=True)
class _Line:
    in_use: int = 0
    queue: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)

    def give(self) -> None:
        """Give what is free to whoever has waited longest."""
        while self.queue and (self.queue[0][1].done() or self.in_use < self.queue[0][0]):
            _, waiter = self.queue.popleft()
            if not waiter.done():
                self.in_use += 1
                waiter.set_result(None)


@dataclass(slots=True, eq=False)
class LocalSlot:
    """A slot of this process."""

    _line: _Line
    _has_left: bool = False

    def leave(self) -> None:
        """Give the slot back."""
        if not self._has_left:
            self._has_left = True
            self._line.in_use -= 1
            self._line.give()


@dataclass(slots=True)
class LocalSlots:
    """Slots of this process, given in the order they were asked for."""

    _lines: defaultdict[str, _Line] = field(default_factory=lambda: defaultdict(_Line))

    async def take(self, shared: Shared, *, is_known: bool) -> Slot:
        """Wait for a slot; who *is_known* to be under way already gets one whether there is room or not."""
        line = self._lines[shared.name]
        if is_known:
            line.in_use += 1
            return LocalSlot(line)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.queue.append((shared.most, waiter))
        line.give()
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                LocalSlot(line).leave()
            raise
        return LocalSlot(line)

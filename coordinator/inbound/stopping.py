"""How a stop is asked for, and how everybody who waits hears of it.

What was begun is answered, what is new is refused, and nobody waits for a task any more. Who asks for the
stop, and how long it may take, is the server's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from coordinator.errors import RetryLater

T = TypeVar("T")


@dataclass(slots=True)
class Stopping:
    """Whether this process is about to end."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    quiet: asyncio.Event = field(default_factory=asyncio.Event)  #: nothing is driven here any more
    _waits: set[asyncio.Timeout] = field(default_factory=set)

    def ask(self) -> None:
        """Begin to stop; a second time does nothing."""
        self.asked.set()
        for wait in self._waits:
            wait.reschedule(asyncio.get_running_loop().time())

    def refuse_new(self) -> None:
        """Raise `RetryLater` once a stop was asked for."""
        if self.asked.is_set():
            raise RetryLater("the coordinator is stopping; try again in a while", reason="STOPPING")

    async def unless_asked(self, awaited: Awaitable[T]) -> T | None:
        """Wait for *awaited*, but only until a stop is asked for: then it is canceled, and None returned."""
        wait = asyncio.timeout(0 if self.asked.is_set() else None)
        self._waits.add(wait)
        try:
            async with wait:
                return await awaited
        except TimeoutError:
            if not wait.expired():
                raise
            return None
        finally:
            self._waits.discard(wait)

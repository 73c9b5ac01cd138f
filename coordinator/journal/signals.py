"""Wake whoever waits for a coordination to change, in this process or in another one.

A hint carries no facts: whoever is woken reads the journal again. Everything here runs on
the event loop's thread; a writer in another thread comes in through `call_soon_threadsafe`.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

from coordinator.journal.pushing import ANY_TASK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


class HintReceiver:
    """One subscriber's memory of a single hint: two hints in a row mean the same as one."""

    __slots__ = ("_changed",)

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def hint(self) -> None:
        """Wake the subscriber, or let its next wait return at once."""
        self._changed.set()

    async def wait(self, timeout_s: float) -> None:
        """Return at the next hint, or after *timeout_s* seconds without one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        # Nothing runs between waking up and here, so no hint is wiped out that the caller will not read for.
        self._changed.clear()


class Signals:
    """Who waits for which coordination."""

    def __init__(self) -> None:
        self._receivers: dict[str, set[HintReceiver]] = {}
        self._heeding: list[Callable[[str | None], None]] = []

    @asynccontextmanager
    async def subscribe(self, task_id: str) -> AsyncIterator[HintReceiver]:
        """Receive hints about *task_id* inside the context."""
        receiver = HintReceiver()
        receivers = self._receivers.setdefault(task_id, set())
        receivers.add(receiver)
        try:
            yield receiver
        finally:
            receivers.discard(receiver)
            if not receivers:
                del self._receivers[task_id]

    def hint(self, task_id: str) -> None:
        """Wake all subscribers of *task_id*, and those of all tasks; nobody for no task."""
        for key in (task_id, ANY_TASK) if task_id else ():
            for receiver in self._receivers.get(key, ()):
                receiver.hint()

    @contextmanager
    def heed(self, on_change: Callable[[str | None], None]) -> Iterator[None]:
        """Call *on_change* for what other processes changed, inside the context; None: it may be anything."""
        self._heeding.append(on_change)
        try:
            yield
        finally:
            self._heeding.remove(on_change)

    def overhear(self, task_id: str | None) -> None:
        """Another process changed *task_id*; None: changes may have been missed."""
        if task_id is None:
            for receivers in self._receivers.values():
                for receiver in receivers:
                    receiver.hint()
        else:
            self.hint(task_id)
        for on_change in tuple(self._heeding):
            on_change(task_id)

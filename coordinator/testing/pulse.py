"""Waiting for something to change, without polling: pulses, and gates that tests open."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress

from coordinator.testing.behaviour import Point


class Pulse:
    """Wakes everybody who waits for the next beat."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: set[asyncio.Future[None]] = set()

    def beat(self) -> None:
        """Wake them."""
        for future in self.waiting:
            if not future.done():
                future.set_result(None)
        self.waiting.clear()


async def next_beat(*pulses: Pulse) -> None:
    """Wait for the next beat of any of *pulses*. Check the condition again afterwards."""
    future = asyncio.get_running_loop().create_future()
    for pulse in pulses:
        pulse.waiting.add(future)
    try:
        await future
    finally:
        for pulse in pulses:
            pulse.waiting.discard(future)


class Gates:
    """Points in an agent's work where a test can hold it. All are open at the start."""

    def __init__(self, stir: Callable[[], None]) -> None:
        self.waiting: Counter[Point] = Counter()
        self._held: set[Point] = set()
        self._is_closing = False
        self._pulse = Pulse()
        self._stir = stir

    def hold(self, points: Iterable[Point]) -> None:
        """Close some gates."""
        self._held.update(points)

    def release(self, points: Iterable[Point] = ()) -> None:
        """Open some gates, or all."""
        self._held -= set(points) or set(self._held)
        self._pulse.beat()

    def close(self) -> None:
        """Hold up nobody any more, with gates or with delays."""
        self._is_closing = True
        self._pulse.beat()

    async def passed(self, point: Point) -> None:
        """Wait until *point* is open."""
        if point not in self._held:
            return
        self.waiting[point] += 1
        self._stir()
        try:
            while point in self._held and not self._is_closing:
                await next_beat(self._pulse)
        finally:
            self.waiting[point] -= 1

    async def pause(self, seconds: float) -> None:
        """Wait for a time."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._is_closing:
                    await next_beat(self._pulse)

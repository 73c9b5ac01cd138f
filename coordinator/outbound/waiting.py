"""How one attempt is waited for: in which way, and how long between two looks at the task."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from coordinator.core.model import AgentRef
from coordinator.outbound.calls import AgentCalls
from coordinator.outbound.failures import Trouble
from coordinator.outbound.pushes import Expected
from coordinator.outbound.ways import Way, is_about

PUSH_GAP_S = 0.05
"""At least between two looks at a task, however often it is pushed about."""


class Waiting:
    """The ways that are left to one attempt; `end` it, whatever happens."""

    def __init__(self, calls: AgentCalls, agent: AgentRef) -> None:
        self._calls = calls
        self._agent = agent
        self._left = calls.ways.of(agent)
        self._refused: list[Way] = []
        self._open = ExitStack()
        self._expected: Expected | None = None
        self._delay = 0.0

    @property
    def is_streaming(self) -> bool:
        """Whether the task's stream is followed."""
        return self._left[0] is Way.STREAM

    def webhook(self) -> Expected | None:
        """Return what the specialist is to push to, when that is the way."""
        if self._left[0] is not Way.PUSH:
            return None
        if self._expected is None:
            self._expected = self._open.enter_context(self._calls.pushes.expecting())
        return self._expected

    def gives_way(self, trouble: Trouble) -> bool:
        """Turn to the next way when *trouble* may be about this one: the same message may go again."""
        if not is_about(self._left[0], trouble):
            return False
        self._refused.append(self._left.pop(0))
        return True

    def accepted(self) -> None:
        """Note that the message was taken, so what was refused before was the way, not the message."""
        for way in self._refused:
            self._calls.ways.avoid(self._agent, way)

    async def pause(self, *, is_moving: bool) -> None:
        """Wait for the time of the next look, or for a push; the time grows while nothing moves."""
        patience = self._calls.patience
        # An attempt that was taken up after a restart expects no pushes: its webhook is gone.
        expected = self._expected if self._left[0] is Way.PUSH else None
        shortest, longest = patience.poll_min_s, patience.poll_max_s
        if expected is not None:
            shortest, longest = longest, max(longest, patience.push_check_s)
        self._delay = shortest if is_moving or not self._delay else min(longest, self._delay * 1.5)
        seconds = self._delay * (0.75 + self._calls.rng.random() / 2)
        if expected is None:
            await asyncio.sleep(seconds)
        else:
            await asyncio.sleep(PUSH_GAP_S)
            await expected.wait(seconds)

    def end(self) -> None:
        """Expect nothing any more."""
        self._open.close()

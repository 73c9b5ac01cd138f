"""Places for branches under way: so many in the whole process, so many at each agent.

Places are given in the order they were asked for. Who waits for a full agent holds nobody up who wants another
one, and goes before everybody younger as soon as that agent has room. An agent that answers "too many" gets half as
many at once, and slowly more again as it accepts; one that cannot be reached is not asked for a while.
Decides synchronously and awaits in one spot only, so that a cancellation never lands in the middle of a decision.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from coordinator.core.events import AnswerTaken, AttemptFailed, AttemptSucceeded, Event, TaskOpened
from coordinator.core.model import Failure, FailureKind
from coordinator.outbound.breaker import Breaker, Circuit

NOT_REACHED = frozenset({FailureKind.UNREACHABLE, FailureKind.IN_DOUBT, FailureKind.OVERLOADED})
"""Failures that say nothing was heard from the agent but, at most, that it has no time."""


class CircuitOpen(Exception):
    """The agent is not asked now; try again after *seconds*."""

    def __init__(self, seconds: float, failures: int, why: str) -> None:
        times = f"{failures} failures in a row" if failures > 1 else "a failure"
        super().__init__(f"circuit open after {times}, next try in {seconds:.0f} s; the last one: {why}")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Caps:
    """How many branches may be under way, and when an agent is left alone."""

    process: int = 1000
    agent: int = 50  #: at each agent, unless its entry in the configuration says otherwise
    failures: int = 5  #: in a row open an agent's circuit; 0: never
    pause_s: float = 15.0  #: for which it stays open


@dataclass(frozen=True, slots=True)
class Occupancy:
    """One agent's places and circuit at one moment."""

    cap: int  #: places it has now
    most: int  #: places it has when it does not complain
    in_use: int
    waiting: int
    circuit: Circuit
    failures: int  #: in a row
    last_failure: str  #: of those, in words; empty: there is none
    retry_s: float | None  #: seconds until an attempt goes out again; None: at once


@dataclass(slots=True)
class _Waiter:
    number: int
    given: asyncio.Future[Place | None]  #: None: the circuit has opened


@dataclass(slots=True)
class _Lane:
    """One agent: who is there, who waits, and how many it takes."""

    agent: str
    most: int
    breaker: Breaker
    why: str = ""  #: it could not be reached the last time
    reduced: int | None = None  #: places while it recovers from "too many"
    accepted: int = 0  #: since that was changed
    in_use: int = 0
    waiting: int = 0
    queue: deque[_Waiter] = field(default_factory=deque)
    offered: int | None = None  #: the waiter that stands in the common line for this agent
    flight: int = 0  #: places given up to this number have had their "too many" counted

    @property
    def cap(self) -> int:
        return self.most if self.reduced is None else min(self.most, self.reduced)

    def head(self) -> _Waiter | None:
        """Return the first who still waits."""
        while self.queue and self.queue[0].given.done():
            self.queue.popleft()
        return self.queue[0] if self.queue else None

    def halve(self) -> None:
        """Take half of what is under way, not of what would be allowed: that is what was too many."""
        self.reduced, self.accepted = max(1, min(self.cap, self.in_use) // 2), 0

    def accept(self) -> None:
        """One place more for as many acceptances as there are places now."""
        self.accepted += 1
        if self.reduced is not None and self.accepted >= self.reduced:
            self.reduced, self.accepted = self.reduced + 1, 0
            if self.reduced >= self.most:
                self.reduced = None


@dataclass(slots=True, eq=False)
class Place:
    """The right of one attempt to be under way at one agent, until it leaves."""

    _places: Places
    _lane: _Lane
    _number: int
    _is_trial: bool = False
    _is_resumed: bool = False  #: that the agent has the task was known before anybody asked it
    _is_judged: bool = False  #: the agent has answered, or could not be reached
    _has_left: bool = False

    def note(self, event: Event) -> None:
        """Learn from what became of the attempt."""
        match event:
            case TaskOpened() if self._is_resumed:
                pass
            case TaskOpened() | AnswerTaken() | AttemptSucceeded():
                self._answered()
            case AttemptFailed() if event.failure.kind in NOT_REACHED:
                self._failed(event.failure)
            case AttemptFailed():
                self._answered()
            case _:
                pass  # the others say nothing about the agent

    def leave(self) -> None:
        """Give the place back; once is enough, more does no harm."""
        if not self._has_left:
            self._has_left = True
            if self._is_trial and not self._is_judged:
                self._lane.breaker.abandoned()
            self._places.free(self._lane)

    def _answered(self) -> None:
        if not self._is_judged:
            self._is_judged = True
            self._places.reached(self._lane)

    def _failed(self, failure: Failure) -> None:
        self._is_judged, self._lane.why = True, failure.message
        is_overload = failure.kind is FailureKind.OVERLOADED
        # Rejections of one flight are one sign, however many come at once.
        if not is_overload or self._number > self._lane.flight:
            self._places.failed(self._lane, is_overload=is_overload, is_trial=self._is_trial)


@dataclass(slots=True)
class Places:
    """All places of the process; *cap_of* returns how many an agent has by its own entry."""

    caps: Caps = field(default_factory=Caps)
    cap_of: Callable[[str], int | None] = lambda _: None
    now: Callable[[], float] = time.monotonic
    in_use: int = 0
    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _line: list[tuple[int, str]] = field(default_factory=list)  #: the heads of the agents with room, oldest first
    _number: int = 0

    @property
    def waiting(self) -> int:
        """Return how many wait for a place."""
        return sum(lane.waiting for lane in self._lanes.values())

    async def enter(self, agent: str) -> Place:
        """Wait for a place at *agent*. Raises `CircuitOpen`, also when its circuit opens meanwhile."""
        lane = self._lane(agent)
        self._check(lane)
        waiter = _Waiter(self._next(), asyncio.get_running_loop().create_future())
        lane.queue.append(waiter)
        lane.waiting += 1
        self._offer(lane)
        self._give()
        try:
            place = await waiter.given
        except asyncio.CancelledError:
            if not waiter.given.cancelled() and (late := waiter.given.result()) is not None:
                late.leave()
            raise
        finally:
            lane.waiting -= 1
        if place is None:
            self._check(lane)
            return await self.enter(agent)  # closed again in the same instant
        return place

    def occupy(self, agent: str) -> Place:
        """Take a place for a task the agent already has: it is under way, whether there is room or not."""
        return self._take(self._lane(agent), is_resumed=True)

    def occupancy(self, agent: str) -> Occupancy:
        """Return how things stand with *agent*."""
        lane, now = self._lane(agent), self.now()
        return Occupancy(
            cap=lane.cap,
            most=lane.most,
            in_use=lane.in_use,
            waiting=lane.waiting,
            circuit=lane.breaker.state(now),
            failures=lane.breaker.failures,
            last_failure=lane.why if lane.breaker.failures else "",
            retry_s=lane.breaker.refusal_s(now),
        )

    def free(self, lane: _Lane) -> None:
        """Give a place back, and to whom it belongs next."""
        self.in_use -= 1
        lane.in_use -= 1
        self._offer(lane)
        self._give()

    def reached(self, lane: _Lane) -> None:
        """The agent answers: its circuit closes, and it may get more."""
        lane.breaker.reached()
        lane.accept()
        self._offer(lane)
        self._give()

    def failed(self, lane: _Lane, *, is_overload: bool, is_trial: bool) -> None:
        """The agent does not answer, or has no time: fewer for it, or nothing for a while."""
        if is_overload:
            lane.halve()
            lane.flight = self._number
        if lane.breaker.failed(self.now(), is_trial=is_trial):
            while (waiter := lane.head()) is not None:
                waiter.given.set_result(None)

    def _lane(self, agent: str) -> _Lane:
        most = self.cap_of(agent) or self.caps.agent
        lane = self._lanes.get(agent)
        if lane is None:
            lane = self._lanes[agent] = _Lane(agent, most, Breaker(self.caps.failures, self.caps.pause_s))
        lane.most = most  # a card read again may have brought the agent its entry
        return lane

    def _check(self, lane: _Lane) -> None:
        seconds = lane.breaker.refusal_s(self.now())
        if seconds is not None:
            raise CircuitOpen(seconds, lane.breaker.failures, lane.why)

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _offer(self, lane: _Lane) -> None:
        """Let the first who waits for *lane* stand in the common line, if the agent has room."""
        head = lane.head()
        if head is not None and lane.in_use < lane.cap and lane.offered != head.number:
            lane.offered = head.number
            heapq.heappush(self._line, (head.number, lane.agent))

    def _give(self) -> None:
        """Give what is free to whoever has waited longest."""
        while self._line and self.in_use < self.caps.process:
            number, agent = heapq.heappop(self._line)
            lane = self._lanes[agent]
            if lane.offered == number:
                lane.offered = None
            head = lane.head()
            if head is not None and head.number == number and lane.in_use < lane.cap:
                is_refused = lane.breaker.refusal_s(self.now()) is not None
                head.given.set_result(None if is_refused else self._take(lane))
            self._offer(lane)

    def _take(self, lane: _Lane, *, is_resumed: bool = False) -> Place:
        self.in_use += 1
        lane.in_use += 1
        is_trial = not is_resumed and lane.breaker.begin(self.now())
        return Place(self, lane, self._next(), is_trial, is_resumed)

"""One agent's circuit: closed while it can be reached, open for a while after it could not be, several times in a row.

Pure: the clock comes in as a number. The libraries looked at read the wall clock themselves, and let everybody
through once the pause is over; here exactly one attempt tries whether the agent is back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Circuit(StrEnum):
    """Whether attempts go out to an agent."""

    CLOSED = "closed"  #: they do
    OPEN = "open"  #: they are refused here, at once
    HALF_OPEN = "half_open"  #: one may try


@dataclass(slots=True)
class Breaker:
    """Opens after *most_failures* failures in a row (0: never) and stays open for *pause_s* seconds."""

    most_failures: int
    pause_s: float
    failures: int = 0  #: in a row
    open_until: float | None = None
    is_on_trial: bool = False

    def state(self, now: float) -> Circuit:
        """Return the state at the instant *now*."""
        if self.open_until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if now < self.open_until else Circuit.HALF_OPEN

    def refusal_s(self, now: float) -> float | None:
        """Return after how many seconds to come back, or None when an attempt may go out now."""
        match self.state(now):
            case Circuit.CLOSED:
                return None
            case Circuit.HALF_OPEN:
                return self.pause_s if self.is_on_trial else None
            case Circuit.OPEN:
                return (self.open_until or now) - now

    def begin(self, now: float) -> bool:
        """Note that an attempt goes out; return whether it is the trial of a half-open circuit."""
        if self.state(now) is Circuit.HALF_OPEN:
            self.is_on_trial = True
            return True
        return False

    def reached(self) -> None:
        """The agent has answered, whatever it said: close."""
        self.failures, self.open_until, self.is_on_trial = 0, None, False

    def failed(self, now: float, *, is_trial: bool) -> bool:
        """The agent could not be reached; return whether that opened the circuit."""
        self.failures += 1
        if is_trial:
            self.is_on_trial = False
        opens = is_trial or (self.open_until is None and 0 < self.most_failures <= self.failures)
        if opens:
            self.open_until = now + self.pause_s
        return opens

    def abandoned(self) -> None:
        """The trial ended before anybody could say whether the agent is back: the next attempt is one."""
        self.is_on_trial = False

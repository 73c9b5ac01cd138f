"""What follows from a failed attempt: the same agent again later, another agent, or the end of the branch.

Which kinds are worth another attempt, and where, is one table. Ambiguous failures are not
retried: outbound has already looked the send up and repeated it under its own id, and a new
attempt there could do the work twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coordinator.core.model import Failure, FailureKind, Retry


@dataclass(frozen=True, slots=True)
class Remedy:
    """What may help against a kind of failure."""

    again: bool  #: the same agent, later
    elsewhere: bool  #: another agent
    is_elsewhere_first: bool = False  #: another agent, if there is one, before the same one again


REMEDIES: Mapping[FailureKind, Remedy] = {
    FailureKind.UNREACHABLE: Remedy(again=True, elsewhere=True),
    # It is known not to answer for a while: another agent can have the work at once.
    FailureKind.CIRCUIT_OPEN: Remedy(again=True, elsewhere=True, is_elsewhere_first=True),
    FailureKind.OVERLOADED: Remedy(again=True, elsewhere=True),
    FailureKind.FAILED: Remedy(again=True, elsewhere=True),
    FailureKind.LOST: Remedy(again=True, elsewhere=True),
    FailureKind.IN_DOUBT: Remedy(again=False, elsewhere=True),
    FailureKind.REJECTED: Remedy(again=False, elsewhere=True),
    FailureKind.REFUSED: Remedy(again=False, elsewhere=True),
    FailureKind.CANCELED: Remedy(again=False, elsewhere=False),
    FailureKind.MALFORMED: Remedy(again=False, elsewhere=True),
    FailureKind.TOO_LARGE: Remedy(again=False, elsewhere=False),
    FailureKind.NEEDS_INPUT: Remedy(again=False, elsewhere=False),
    FailureKind.SKIPPED: Remedy(again=False, elsewhere=False),
    FailureKind.TIMED_OUT: Remedy(again=False, elsewhere=False),
    FailureKind.DEADLINE: Remedy(again=False, elsewhere=False),
    FailureKind.LOOP: Remedy(again=False, elsewhere=False),
    FailureKind.DEPENDENCY: Remedy(again=False, elsewhere=False),
}


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Another attempt at the instant *at*."""

    at: float


def backoff_s(retry: Retry, attempt: int, jitter: float) -> float:
    """Return the delay after failed attempt number *attempt* (from 1): exponential, with full jitter above half."""
    ceiling = min(retry.backoff_max_s, retry.backoff_min_s * 2.0 ** min(attempt - 1, 63))
    return ceiling * (0.5 + jitter / 2)


@dataclass(frozen=True, slots=True)
class FallBack:
    """Another attempt at once, at the next agent that could do it."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a branch may still try: attempts made at its present agent, other agents, and the common budget."""

    attempts_here: int
    agents_left: int
    budget_left: int | None = None
    until: float | None = None  #: when it would be given up anyway


def decide(failure: Failure, retry: Retry, room: Room, *, at: float, jitter: float) -> TryAgain | FallBack | None:
    """Return what to try after *failure*, or None to give up.

    A `Retry-After` of the specialist is never undercut; one that lies too far ahead is not waited for.
    """
    remedy = REMEDIES[failure.kind]
    if room.budget_left == 0:
        return None
    if remedy.is_elsewhere_first and room.agents_left > 0:
        return FallBack()
    if remedy.again and room.attempts_here < retry.attempts:
        again = at + max(backoff_s(retry, room.attempts_here, jitter), failure.retry_after_s or 0.0)
        if room.until is None or again < room.until:
            return TryAgain(again)
    return FallBack() if remedy.elsewhere and room.agents_left > 0 else None

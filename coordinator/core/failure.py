"""What follows from a failed attempt: the same agent again later, or the end of the branch.

Which kinds are worth another attempt is one table. Ambiguous failures do not appear in
it as retryable: outbound has already looked the send up and repeated it under its own id,
and a new attempt under a new id could do the work twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coordinator.core.model import Failure, FailureKind, Retry

RETRYABLE: Mapping[FailureKind, bool] = {
    FailureKind.UNREACHABLE: True,
    FailureKind.OVERLOADED: True,
    FailureKind.FAILED: True,
    FailureKind.LOST: True,
    FailureKind.IN_DOUBT: False,
    FailureKind.REJECTED: False,
    FailureKind.REFUSED: False,
    FailureKind.CANCELED: False,
    FailureKind.MALFORMED: False,
    FailureKind.TOO_LARGE: False,
    FailureKind.NEEDS_INPUT: False,
    FailureKind.TIMED_OUT: False,
    FailureKind.DEADLINE: False,
}


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Another attempt at the instant *at*."""

    at: float


def backoff_s(retry: Retry, attempt: int, jitter: float) -> float:
    """Return the delay after failed attempt number *attempt* (from 1): exponential, with full jitter above half."""
    ceiling = min(retry.backoff_max_s, retry.backoff_min_s * 2.0 ** (attempt - 1))
    return ceiling * (0.5 + jitter / 2)


def decide(failure: Failure, retry: Retry, *, attempt: int, at: float, jitter: float) -> TryAgain | None:
    """Return when to try again after attempt number *attempt* failed, or None to give up.

    A `Retry-After` of the specialist is never undercut.
    """
    if attempt >= retry.attempts or not RETRYABLE[failure.kind]:
        return None
    return TryAgain(at + max(backoff_s(retry, attempt, jitter), failure.retry_after_s or 0.0))

"""When may a stage stop waiting for its branches, and with what judgement?

A barrier is a pure function of the tally so far and of how many successes are needed. It
never looks at the clock: a deadline reaches it as branches that have timed out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from coordinator.core.model import Release
from coordinator.core.states import BranchState


@dataclass(frozen=True, slots=True)
class Tally:
    """How many branches of a stage are where."""

    total: int
    succeeded: int
    failed: int  #: failed or timed out
    canceled: int

    @property
    def open(self) -> int:
        """Branches without an outcome."""
        return self.total - self.succeeded - self.failed - self.canceled


class Decision(StrEnum):
    """What a barrier says of a tally."""

    WAIT = "wait"
    RELEASE = "release"
    GIVE_UP = "give up"


Barrier = Callable[[Tally, int], Decision]


def settled(tally: Tally, need: int) -> Decision:
    """Wait until every branch has its outcome, then judge."""
    if tally.open:
        return Decision.WAIT
    return Decision.RELEASE if tally.succeeded >= need else Decision.GIVE_UP


def enough(tally: Tally, need: int) -> Decision:
    """Release as soon as *need* is met, give up as soon as it is out of reach."""
    if tally.succeeded >= need:
        return Decision.RELEASE
    if tally.succeeded + tally.open < need:
        return Decision.GIVE_UP
    return Decision.WAIT


def first(tally: Tally, _: int) -> Decision:
    """Release at the first success, give up when nobody is left who could win."""
    return enough(tally, 1)


BARRIERS: Mapping[Release, Barrier] = {Release.SETTLED: settled, Release.ENOUGH: enough, Release.FIRST: first}


def tally_of(states: Iterable[BranchState]) -> Tally:
    """Count *states*."""
    counted = list(states)
    return Tally(
        total=len(counted),
        succeeded=counted.count(BranchState.SUCCEEDED),
        failed=counted.count(BranchState.FAILED) + counted.count(BranchState.TIMED_OUT),
        canceled=counted.count(BranchState.CANCELED),
    )

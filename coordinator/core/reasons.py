"""The sentences a client reads: why a task ended as it did, and who is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coordinator.core.branch import Branch
from coordinator.core.model import Release
from coordinator.core.states import BranchState

MOST_NAMED = 10
MOST_CHARACTERS = 500


def missing(branches: Iterable[Branch]) -> list[Branch]:
    """Return the branches that failed or timed out; a straggler the plan did not need is not missing."""
    return [branch for branch in branches if branch.state in {BranchState.FAILED, BranchState.TIMED_OUT}]


def missed(branches: Iterable[Branch]) -> list[Branch]:
    """Return the branches a completed answer lacks: in a race the others are not in it anyway."""
    return missing(branch for branch in branches if branch.stage.release is not Release.FIRST)


def completed(branches: Sequence[Branch]) -> str:
    """Say how many branches the answer rests on, and label it when some are missing."""
    count = f"{_succeeded(branches)} of {len(branches)} branches succeeded"
    absent = missed(branches)
    return f"Partial result: {count}; missing: {_list(absent)}." if absent else f"{count}."


def failed_fast(branches: Sequence[Branch]) -> str:
    """Say which failure ended the task."""
    return f"Stopped at the first failure: {_list(missing(branches))}."


def need_not_met(needed: int, branches: Sequence[Branch]) -> str:
    """Say how many successes the plan asks for and who failed."""
    asked = f"{needed} of {len(branches)} branches had to succeed"
    absent = missing(branches)
    return f"{asked}, {_succeeded(branches)} did" + (f"; missing: {_list(absent)}." if absent else ".")


def _succeeded(branches: Iterable[Branch]) -> int:
    return sum(branch.state is BranchState.SUCCEEDED for branch in branches)


def _list(branches: Sequence[Branch]) -> str:
    told = "; ".join(_why(branch) for branch in branches[:MOST_NAMED])
    return told if len(branches) <= MOST_NAMED else f"{told}; and {len(branches) - MOST_NAMED} more"


def _why(branch: Branch) -> str:
    failure = branch.failure
    what = f"{failure.kind.replace('_', ' ')}: {failure.message[:MOST_CHARACTERS]}" if failure else str(branch.state)
    return f"{branch.agent.name} ({what})"

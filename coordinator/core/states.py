"""The lifecycles, as tables.

Rules of this file: everything a state may turn into stands here; a pair that is not in
its table raises and changes nothing; the file does not know who asks or why. The diagram
`coordinator check --diagram` prints is generated from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from coordinator.core.model import TaskState
from coordinator.errors import IllegalTransition


class BranchState(StrEnum):
    """Where one sub-task is. The last four are settled: nothing follows."""

    QUEUED = "queued"  #: waits for a free place
    SENDING = "sending"  #: handed to outbound; the specialist has not answered yet
    WORKING = "working"  #: the specialist has a task for it
    RETRYING = "retrying"  #: the last attempt failed; the next one waits for its delay
    ASKING = "asking"  #: parked until a question about it is answered
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELED = "canceled"

    @property
    def is_settled(self) -> bool:
        """Whether the branch has its outcome."""
        return self in SETTLED_STATES

    @property
    def is_under_way(self) -> bool:
        """Whether a specialist may be working on it now."""
        return self in {BranchState.SENDING, BranchState.WORKING}


SETTLED_STATES = frozenset(
    {
        BranchState.SUCCEEDED,
        BranchState.FAILED,
        BranchState.TIMED_OUT,
        BranchState.CANCELED,
    }
)


class Trigger(StrEnum):
    """What moves a branch."""

    SEND = "send"
    OPEN = "open"
    SUCCEED = "succeed"
    BACK_OFF = "back off"
    GIVE_UP = "give up"
    TIME_OUT = "time out"
    CANCEL = "cancel"
    SKIP = "skip"
    ASK = "ask"
    RESUME = "resume"


_B, _T = BranchState, Trigger

BRANCH: Mapping[tuple[BranchState, Trigger], BranchState] = {
    (_B.QUEUED, _T.SEND): _B.SENDING,
    (_B.QUEUED, _T.TIME_OUT): _B.TIMED_OUT,
    (_B.QUEUED, _T.CANCEL): _B.CANCELED,
    (_B.QUEUED, _T.SKIP): _B.FAILED,
    (_B.SENDING, _T.OPEN): _B.WORKING,
    (_B.SENDING, _T.SUCCEED): _B.SUCCEEDED,
    (_B.SENDING, _T.BACK_OFF): _B.RETRYING,
    (_B.SENDING, _T.GIVE_UP): _B.FAILED,
    (_B.SENDING, _T.TIME_OUT): _B.TIMED_OUT,
    (_B.SENDING, _T.CANCEL): _B.CANCELED,
    (_B.WORKING, _T.SUCCEED): _B.SUCCEEDED,
    (_B.WORKING, _T.BACK_OFF): _B.RETRYING,
    (_B.WORKING, _T.GIVE_UP): _B.FAILED,
    (_B.WORKING, _T.TIME_OUT): _B.TIMED_OUT,
    (_B.WORKING, _T.CANCEL): _B.CANCELED,
    (_B.RETRYING, _T.SEND): _B.SENDING,
    (_B.RETRYING, _T.OPEN): _B.WORKING,
    (_B.RETRYING, _T.TIME_OUT): _B.TIMED_OUT,
    (_B.RETRYING, _T.CANCEL): _B.CANCELED,
    (_B.QUEUED, _T.ASK): _B.ASKING,
    (_B.SENDING, _T.ASK): _B.ASKING,
    (_B.WORKING, _T.ASK): _B.ASKING,
    (_B.RETRYING, _T.ASK): _B.ASKING,
    (_B.ASKING, _T.RESUME): _B.WORKING,
    (_B.ASKING, _T.BACK_OFF): _B.RETRYING,
    (_B.ASKING, _T.SUCCEED): _B.SUCCEEDED,
    (_B.ASKING, _T.GIVE_UP): _B.FAILED,
    (_B.ASKING, _T.TIME_OUT): _B.TIMED_OUT,
    (_B.ASKING, _T.CANCEL): _B.CANCELED,
}

_INTERRUPTED = frozenset({TaskState.INPUT_REQUIRED, TaskState.AUTH_REQUIRED})
_LIVE = frozenset({TaskState.SUBMITTED, TaskState.WORKING}) | _INTERRUPTED

TASK: Mapping[TaskState, frozenset[TaskState]] = {
    TaskState.SUBMITTED: frozenset(
        {
            TaskState.WORKING,
            TaskState.FAILED,
            TaskState.CANCELED,
            TaskState.REJECTED,
        }
    ),
    TaskState.WORKING: frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELED}) | _INTERRUPTED,
    # A question may be followed by another one, which is another status of the same state.
    TaskState.INPUT_REQUIRED: frozenset({TaskState.WORKING, TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELED})
    | _INTERRUPTED,
    TaskState.AUTH_REQUIRED: frozenset({TaskState.WORKING, TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELED})
    | _INTERRUPTED,
}

PASSED_THROUGH: Mapping[TaskState, frozenset[TaskState]] = dict.fromkeys(_LIVE, frozenset(TaskState))
"""A task passed through has whatever state its specialist gives it, until a terminal one."""


def next_branch_state(state: BranchState, trigger: Trigger) -> BranchState:
    """Return the state *trigger* leads to. Raises `IllegalTransition`."""
    try:
        return BRANCH[state, trigger]
    except KeyError:
        raise IllegalTransition(f"a branch that is {state} cannot {trigger}") from None


def check_task_transition(
    old: TaskState, new: TaskState, table: Mapping[TaskState, frozenset[TaskState]] = TASK
) -> None:
    """Raise `IllegalTransition` unless a task may go from *old* to *new* by *table*."""
    if new not in table.get(old, frozenset()):
        raise IllegalTransition(f"a task that is {old} cannot become {new}")


def diagram() -> str:
    """Return the branch table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {BranchState.QUEUED}"]
    lines += [f"    {old} --> {new}: {trigger}" for (old, trigger), new in BRANCH.items()]
    lines += [f"    {state} --> [*]" for state in BranchState if state.is_settled]
    return "\n".join(lines)

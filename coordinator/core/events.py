"""Facts: what has happened to one coordination, in the past tense.

Each carries `at`, its instant in seconds since the epoch. An event is never changed once
it is journaled; a new field needs a default, a new meaning needs a new version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from coordinator.core.model import Artifact, Failure, Journey, Message, Metadata, Plan, RemoteTask, SubTask, TaskState
from coordinator.core.questions import Inquiry, Reply

CancelResult = Literal["confirmed", "finished", "refused", "not_sent", "not_found", "unreachable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Anything that happened; `version` is the schema version of the subclass."""

    version: ClassVar[int] = 1
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAccepted(Event):
    """The first fact: a message came in, and this plan was resolved for it."""

    task_id: str
    context_id: str
    message: Message
    plan: Plan
    accepted_output_modes: tuple[str, ...] = ()
    journey: Journey = field(default_factory=Journey)
    rejection: str = ""  #: why the task is rejected before anything is sent; empty: it is not
    knows_us: bool = False  #: the client activated our extension
    partials: bool = False  #: the client wants every branch's result as soon as it is there
    remote_context: str = ""  #: in plain delegation, what the specialist calls this context
    remote_references: tuple[str, ...] = ()  #: in plain delegation, the specialist's tasks the message refers to
    patience_s: float = (
        2.0  #: in plain delegation, how long a direct Message of the specialist stays one; 0: not at all
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted(Event):
    """A driver took the coordination on."""

    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed(Event):
    """A timer the coordination had asked for has gone off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested(Event):
    """The client called CancelTask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived(Event):
    """The client sent a message for the task; `replies` is how its parts relate to questions.

    `receipt` names this message alone: a client may use a messageId again for other content.
    """

    receipt: str
    message: Message
    replies: tuple[Reply, ...] = ()
    whole: Reply | None = None  #: all of it, where numbers of `replies` were only read in a text: a list has them too


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinationFailed(Event):
    """The driver gives the coordination up, for example after claims without progress."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEvent(Event):
    """Something about one try of one branch at one agent."""

    branch: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted(AttemptEvent):
    """A slot was free and the request is going out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOpened(AttemptEvent):
    """The specialist has accepted and named its task."""

    remote: RemoteTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed(AttemptEvent):
    """The specialist reported a state or a word about its work."""

    state: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed(AttemptEvent):
    """In plain delegation: one event of the specialist, with everything that is in it."""

    state: TaskState | None = None
    message: Message | None = None  #: of the status
    metadata: Metadata = field(default_factory=dict)
    artifact: Artifact | None = None
    append: bool = False
    last_chunk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(AttemptEvent):
    """The specialist's task waits for its client: it is parked, nobody follows it any more."""

    inquiries: tuple[Inquiry, ...]
    mark: str = ""  #: tells this status of the task from another one with the same words


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked(AttemptEvent):
    """A parked task was looked at: it still waits, or could not be read; `detail` says why not."""

    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(AttemptEvent):
    """A parked task goes on without an answer of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTaken(AttemptEvent):
    """The specialist has the message that was sent to its task."""

    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRefused(AttemptEvent):
    """The message did not reach the specialist's task; that one is as it was before."""

    message_id: str
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSucceeded(AttemptEvent):
    """The specialist's task completed, or it answered with a direct Message."""

    artifacts: tuple[Artifact, ...] = ()
    message: Message | None = None
    is_direct: bool = False  #: the message is all there is: no task was ever named
    context_id: str = ""  #: the specialist's, where a direct Message names one


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed(AttemptEvent):
    """The attempt is over without a result.

    `jitter` is a random number in [0, 1) drawn by the shell, so that the delay before
    the next attempt is a fact. `is_open` says the remote task may still be running.
    """

    failure: Failure
    jitter: float = 0.0
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSettled(AttemptEvent):
    """What became of the cancel sent to the specialist."""

    result: CancelResult
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageExpanded(Event):
    """The sub-tasks of a stage are known now."""

    stage: str
    sub_tasks: tuple[SubTask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpansionFailed(Event):
    """No sub-tasks could be made of what the stage draws on."""

    stage: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged(Event):
    """Outcomes of a stage were merged; `is_late` for those of stragglers, after the stage was released."""

    stage: str
    artifacts: tuple[Artifact, ...]
    summary: Metadata = field(default_factory=dict)
    is_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceMerged(Event):
    """Some more of a progressive merge is known: piece *number* of its parts, counted from 0."""

    stage: str
    number: int
    artifact: Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeDelegated(Event):
    """The merge strategy wants another agent's work before it goes on."""

    stage: str
    sub_task: SubTask
    is_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeQuestioned(Event):
    """The merge strategy wants the client to decide before it goes on."""

    stage: str
    inquiry: Inquiry
    is_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeFailed(Event):
    """The merge strategy could not do its work."""

    stage: str
    reason: str
    is_late: bool = False
    piece: int | None = None  #: set when only a piece told ahead has failed; the whole is merged all the same


EVENT_TYPES: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        TaskAccepted,
        TurnStarted,
        TimePassed,
        CancelRequested,
        MessageReceived,
        CoordinationFailed,
        AttemptStarted,
        TaskOpened,
        Progressed,
        Relayed,
        Asked,
        Looked,
        Resumed,
        AnswerTaken,
        AnswerRefused,
        AttemptSucceeded,
        AttemptFailed,
        CancelSettled,
        StageExpanded,
        ExpansionFailed,
        Merged,
        PieceMerged,
        MergeDelegated,
        MergeQuestioned,
        MergeFailed,
    )
}
"""Every event that can be journaled, by the name it is stored under."""

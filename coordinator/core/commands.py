"""Effects the core asks for, in the imperative.

The id of a command is derived from what it is about, so a replay asks for the same
commands under the same ids. A command stays open until an event closes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from coordinator.core.model import (
    NOWHERE,
    AgentRef,
    Journey,
    MergeSpec,
    Metadata,
    Outcome,
    PartRef,
    RemoteTask,
    Shared,
    Stage,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """What a message passed through says beside its parts, ids translated."""

    metadata: Metadata = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    context_id: str = ""
    reference_task_ids: tuple[str, ...] = ()
    accepted_output_modes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send a sub-task to its agent and follow it until it is terminal or asks.

    With *remote*, a message for a task the agent has already. Closed by AttemptSucceeded, AttemptFailed,
    Asked or AnswerRefused, or replaced by a Cancel.
    """

    id: str
    branch: str
    attempt: int
    agent: AgentRef
    message_id: str
    since: float  #: when this attempt was decided on: no trace of it can be older
    parts: tuple[PartRef, ...]
    expect: str = ""
    until: float | None = None  #: when its result is no longer wanted
    journey: Journey = NOWHERE
    remote: RemoteTask | None = None
    answers: tuple[str, ...] = ()  #: for each part the question it answers at that agent; empty: it names none
    mark: str = ""  #: of the status the answer is for: seen again, it is only the old one
    credential: str = ""  #: name of the configured credential to show from now on
    unchanged: Unchanged | None = None  #: set in plain delegation
    shared: Shared | None = None  #: the cap it counts against beside those of the process


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Follow a task the specialist has already accepted. Closed like `Send`."""

    id: str
    branch: str
    attempt: int
    agent: AgentRef
    remote: RemoteTask
    expect: str = ""
    credential: str = ""
    passes_through: bool = False
    shared: Shared | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """See once whether a parked task still waits. Closed by Looked, Asked, Resumed, or the attempt's end."""

    id: str
    branch: str
    attempt: int
    agent: AgentRef
    remote: RemoteTask
    mark: str = ""  #: of the status in which it was parked
    expect: str = ""
    credential: str = ""
    passes_through: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Stop an attempt and cancel its remote task, also one whose id is not known yet. Closed by CancelSettled."""

    id: str
    branch: str
    attempt: int
    agent: AgentRef
    message_id: str
    since: float
    remote: RemoteTask | None
    credential: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expand:
    """Make the sub-tasks of a stage. Closed by StageExpanded or ExpansionFailed.

    `drawn` holds the parts behind every stage it draws on, and those of the message.
    """

    id: str
    stage: Stage
    drawn: tuple[tuple[str, tuple[PartRef, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeAnswer:
    """What came of a merge's own question or sub-task; `failure` says why nothing did."""

    parts: tuple[PartRef, ...] = ()
    choice: str = ""  #: the choice an answer named
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Join outcomes of a stage. Closed by Merged, PieceMerged, MergeDelegated, MergeQuestioned or MergeFailed."""

    id: str
    stage: str
    spec: MergeSpec
    outcomes: tuple[Outcome, ...]
    is_late: bool = False
    assistants: tuple[AgentRef, ...] = ()  #: agents the strategy may ask
    answer: MergeAnswer | None = None  #: of whom it asked
    piece: int | None = None  #: set when this is only some of the stage, told ahead of the rest


Command = Send | Follow | Look | Cancel | Expand | Merge

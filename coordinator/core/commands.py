"""Effects the core asks for, in the imperative.

The id of a command is derived from what it is about, so a replay asks for the same
commands under the same ids. A command stays open until an event closes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from coordinator.core.model import NOWHERE, AgentRef, Journey, MergeSpec, Outcome, PartRef, RemoteTask, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send a sub-task to its agent and follow it until it is terminal.

    Closed by AttemptSucceeded or AttemptFailed, or replaced by a Cancel.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Follow a task the specialist has already accepted. Closed like `Send`."""

    id: str
    branch: str
    attempt: int
    agent: AgentRef
    remote: RemoteTask
    expect: str = ""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Expand:
    """Make the sub-tasks of a stage. Closed by StageExpanded or ExpansionFailed.

    `drawn` holds the parts behind every stage it draws on, and those of the message.
    """

    id: str
    stage: Stage
    drawn: tuple[tuple[str, tuple[PartRef, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Join outcomes of a stage. Closed by Merged or MergeFailed."""

    id: str
    stage: str
    spec: MergeSpec
    outcomes: tuple[Outcome, ...]
    is_late: bool = False


Command = Send | Follow | Cancel | Expand | Merge

"""Effects the core asks for, in the imperative.

The id of a command is derived from what it is about, so a replay asks for the same
commands under the same ids. A command stays open until an event closes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from coordinator.core.model import AgentRef, MergeSpec, Outcome, PartRef, RemoteTask


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
class Merge:
    """Join the outcomes of a stage. Closed by Merged or MergeFailed."""

    id: str
    stage: str
    spec: MergeSpec
    outcomes: tuple[Outcome, ...]


Command = Send | Follow | Cancel | Merge

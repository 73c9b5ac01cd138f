"""The values everything else speaks of: parts, artifacts, agents, plans, outcomes.

All frozen. Durations are seconds and end in `_s`; instants are seconds since the epoch, UTC.
Names follow the A2A specification where it has one, then `docs/glossary.md`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from typing_extensions import override

Json = Any
"""A value of the JSON data model."""

Metadata = Mapping[str, Json]


class TaskState(StrEnum):
    """States of an A2A task, under their names on the wire (spec 4.1.3)."""

    SUBMITTED = "TASK_STATE_SUBMITTED"
    WORKING = "TASK_STATE_WORKING"
    INPUT_REQUIRED = "TASK_STATE_INPUT_REQUIRED"
    AUTH_REQUIRED = "TASK_STATE_AUTH_REQUIRED"
    COMPLETED = "TASK_STATE_COMPLETED"
    FAILED = "TASK_STATE_FAILED"
    CANCELED = "TASK_STATE_CANCELED"
    REJECTED = "TASK_STATE_REJECTED"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing may follow (spec 3.1.1)."""
        return self in _TERMINAL

    @property
    def is_interrupted(self) -> bool:
        """Whether the task waits for its client (spec 3.2.2)."""
        return self in {TaskState.INPUT_REQUIRED, TaskState.AUTH_REQUIRED}


_TERMINAL = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELED, TaskState.REJECTED})


@dataclass(frozen=True, slots=True)
class PartRef:
    """Where the bytes of one part are: the journal's payload under *digest*."""

    digest: str
    size: int
    media_type: str = ""
    filename: str = ""


@dataclass(frozen=True, slots=True)
class Payload:
    """The bytes of one part under the hex SHA-256 of those bytes."""

    digest: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """One part with its content, as merge strategies read and write it (spec 4.1.6)."""

    kind: Literal["text", "data", "raw", "url"]
    content: Json
    media_type: str = ""
    filename: str = ""
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact whose parts are kept as payloads (spec 4.1.7)."""

    artifact_id: str
    parts: tuple[PartRef, ...]
    name: str = ""
    description: str = ""
    metadata: Metadata = field(default_factory=dict)
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """A message whose parts are kept as payloads (spec 4.1.4)."""

    message_id: str
    role: Literal["user", "agent"]
    parts: tuple[PartRef, ...]
    metadata: Metadata = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    reference_task_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentRef:
    """A specialist as resolved when the task was accepted: later requests go to the same interface."""

    name: str
    url: str
    binding: str = "JSONRPC"
    version: str = "1.0"
    tenant: str = ""
    streaming: bool = True
    understands_us: bool = False  #: its card declares our extension


@dataclass(frozen=True, slots=True)
class RemoteTask:
    """A task at a specialist; both ids are the specialist's own (spec 3.4)."""

    task_id: str
    context_id: str


class Release(StrEnum):
    """When a stage stops waiting for its branches."""

    SETTLED = "settled"  #: every branch has settled or the deadline has passed
    ENOUGH = "enough"  #: `need` is met, or cannot be met any more


class Exhausted(StrEnum):
    """What the final failure of one branch means for the stage."""

    COUNT = "count"  #: it only counts against `need`
    FAIL_FAST = "fail_fast"  #: every open branch is canceled and the task fails


@dataclass(frozen=True, slots=True)
class Need:
    """How many branches have to succeed: all, a count, or a share of the branches."""

    kind: Literal["all", "count", "ratio"] = "all"
    value: float = 0.0

    def of(self, total: int) -> int:
        """Return the number of successes needed among *total* branches."""
        if self.kind == "all":
            return total
        if self.kind == "count":
            return int(self.value)
        # A ratio asks for at least that share: 0.6 of 5 is 3, 0.5 of 5 is 3. Rounding first keeps 0.6 * 5 at 3.
        return math.ceil(round(self.value * total, 9))

    @override
    def __str__(self) -> str:
        """Return the form a plan uses."""
        if self.kind == "all":
            return "all"
        return str(int(self.value)) if self.kind == "count" else repr(float(self.value))


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how patiently a failed sub-task is tried again."""

    attempts: int = 1
    backoff_min_s: float = 0.5
    backoff_max_s: float = 8.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one stage; `None` means unbounded."""

    concurrency: int | None = None
    branch_timeout_s: float | None = None
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class MergeSpec:
    """Which strategy joins the outcomes, with its options."""

    strategy: str = "concat"
    options: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubTask:
    """One piece of work for one agent; `id` is unique in its stage."""

    id: str
    agent: AgentRef
    parts: tuple[PartRef, ...] | None = None  #: None: the parts of the client's message


@dataclass(frozen=True, slots=True)
class Stage:
    """One fan-out with one barrier and one merge."""

    name: str
    sub_tasks: tuple[SubTask, ...]
    limits: Limits = Limits()
    retry: Retry = Retry()
    exhausted: Exhausted = Exhausted.COUNT
    release: Release = Release.SETTLED
    need: Need = Need()
    merge: MergeSpec = MergeSpec()
    expect: str = ""  #: name of the schema every data part of an answer has to fit; empty: anything


@dataclass(frozen=True, slots=True)
class Plan:
    """What is intended, resolved: every agent chosen, every part assigned."""

    name: str
    stages: tuple[Stage, ...]
    description: str = ""


class Settled(StrEnum):
    """How a branch ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELED = "canceled"


class FailureKind(StrEnum):
    """Why an attempt failed; `failure.py` says what follows from each."""

    UNREACHABLE = "unreachable"  #: no connection: nothing was sent
    IN_DOUBT = "in_doubt"  #: sent, and no definite answer even after looking it up
    OVERLOADED = "overloaded"  #: 429 or 503: refused before a task was created
    FAILED = "failed"  #: the specialist's task ended FAILED
    REJECTED = "rejected"  #: the specialist decided not to do it
    REFUSED = "refused"  #: the request itself was turned down with an error
    CANCELED = "canceled"  #: the specialist's task was canceled by somebody else
    LOST = "lost"  #: the specialist no longer knows the task it had accepted
    MALFORMED = "malformed"  #: the answer breaks the protocol or the declared schema
    TOO_LARGE = "too_large"  #: the answer is larger than allowed
    NEEDS_INPUT = "needs_input"  #: it asks a question nobody here can answer
    TIMED_OUT = "timed_out"  #: the branch timeout passed
    DEADLINE = "deadline"  #: the deadline of the stage passed


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt: what kind, in words a person can act on, and when to come back if it said so."""

    kind: FailureKind
    message: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a settled branch brought."""

    branch: str
    agent: str
    settled: Settled
    remote: RemoteTask | None = None
    artifacts: tuple[Artifact, ...] = ()
    message: Message | None = None
    failure: Failure | None = None


class Verdict(StrEnum):
    """How a coordination ended, as the run record words it."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELED = "canceled"

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
    streaming: bool = True  #: waited for by its stream
    understands_us: bool = False  #: its card declares our extension
    skills: tuple[str, ...] = ()
    pushing: bool = False  #: waited for by push, where it is not by stream and there is a webhook
    input_modes: tuple[str, ...] = ()  #: media types its card lists; empty: anything


@dataclass(frozen=True, slots=True)
class RemoteTask:
    """A task at a specialist; both ids are the specialist's own (spec 3.4)."""

    task_id: str
    context_id: str


class Release(StrEnum):
    """When a stage stops waiting for its branches."""

    SETTLED = "settled"  #: every branch has settled or the deadline has passed
    ENOUGH = "enough"  #: `need` is met, or cannot be met any more
    FIRST = "first"  #: the first success wins


class Exhausted(StrEnum):
    """What the final failure of one branch means for the stage."""

    COUNT = "count"  #: it only counts against `need`
    FAIL_FAST = "fail_fast"  #: every open branch is canceled and the task fails
    ESCALATE = "escalate"  #: the client is asked what to do


class Stragglers(StrEnum):
    """What happens to branches a released stage did not wait for."""

    CANCEL = "cancel"  #: they are canceled at their agents
    CONTINUE = "continue"  #: they go on; what they bring becomes a follow-up artifact


class Ask(StrEnum):
    """When the client is asked what branches want to know."""

    LAST = "last"  #: when only questions are left open
    SOON = "soon"  #: after a short while, in which more may join; other branches go on


@dataclass(frozen=True, slots=True)
class Unanswered:
    """What happens to a question nobody answers: after so many seconds, so."""

    after_s: float = 7 * 24 * 3600.0
    then: Literal["skip", "take", "abort"] = "abort"


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
class Observed:
    """A branch timeout that follows what was seen of the agent: so many times the 95th percentile, within bounds."""

    times: float
    at_least_s: float
    at_most_s: float  #: also as long as too little was seen


@dataclass(frozen=True, slots=True)
class Shared:
    """A cap that all tasks share, over all coordinators on one database: so many attempts under one name."""

    name: str
    most: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one stage; `None` means unbounded."""

    concurrency: int | None = None
    branch_timeout_s: float | None = None
    deadline_s: float | None = None
    observed: Observed | None = None  #: the branch timeout is found for each agent
    shared: Shared | None = None  #: attempts under way, of all tasks together


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
    others: tuple[AgentRef, ...] = ()  #: agents that could do it instead, best first
    after: tuple[str, ...] = ()  #: sub-tasks of the same stage whose results it gets; they run first
    timeout_s: float | None = None  #: instead of the stage's branch timeout


MESSAGE = "message"
"""What a split names when it means the client's message; no stage may be called so."""


@dataclass(frozen=True, slots=True)
class Split:
    """How a list becomes sub-tasks: each item in exactly one, in order.

    `items` is `parts`, `lines`, or a dotted path to a list in a data part.
    """

    of: str = MESSAGE
    items: str = "parts"
    batch: int | None = None  #: items in one sub-task
    into: int | None = None  #: number of sub-tasks
    at_least: int = 1  #: below so many items there is one sub-task and no fan-out


@dataclass(frozen=True, slots=True)
class Stage:
    """One fan-out with one barrier and one merge.

    The sub-tasks are fixed, or made when the stages it draws on are done: by a split, or from the list
    of sub-tasks that the stage `planned_by` answers with.
    """

    name: str
    sub_tasks: tuple[SubTask, ...] = ()
    agents: tuple[AgentRef, ...] = ()  #: whom sub-tasks may go to, in order
    stand_ins: tuple[AgentRef, ...] = ()  #: who gets none, but may take one over
    split: Split | None = None
    planned_by: str = ""
    template: str = ""  #: text of every sub-task; `$items`, `$index` and `$count` stand for what a split gives it
    most_sub_tasks: int = 1000
    uses: tuple[str, ...] = ()  #: stages whose merged artifacts every sub-task gets as well
    with_message: bool = True  #: every sub-task gets the parts of the client's message
    by_type: bool = False  #: agents get only what their cards list: of the message, or of what is split
    limits: Limits = Limits()
    retry: Retry = Retry()
    exhausted: Exhausted = Exhausted.COUNT
    release: Release = Release.SETTLED
    need: Need = Need()
    merge: MergeSpec = MergeSpec()
    assistants: tuple[AgentRef, ...] = ()  #: agents its merge may ask
    merges_for: str = ""  #: the stage whose merge has asked for this one, which is in no plan
    expect: str = ""  #: name of the schema every data part of an answer has to fit; empty: anything
    stragglers: Stragglers = Stragglers.CANCEL
    fallback: int = 0  #: how many other agents may take a sub-task over when its own has failed for good
    hedge_s: float | None = None  #: after so long without a result a second attempt starts at another agent
    passes_through: bool = False  #: plain delegation: one agent, and everything goes through unchanged
    keep_message_id: bool = False  #: in plain delegation the agent gets the client's messageId as it is

    @property
    def draws_on(self) -> tuple[str, ...]:
        """Return the stages that have to be done before this one starts."""
        split = (self.split.of,) if self.split and self.split.of != MESSAGE else ()
        planned = (self.planned_by,) if self.planned_by else ()
        return tuple(dict.fromkeys((*self.uses, *split, *planned)))

    @property
    def is_expanded_later(self) -> bool:
        """Whether the sub-tasks are not known yet when the task is accepted."""
        return not self.sub_tasks


@dataclass(frozen=True, slots=True)
class Plan:
    """What is intended, resolved: every agent chosen, every part assigned."""

    name: str
    stages: tuple[Stage, ...]
    description: str = ""
    answer: str = ""  #: the stage whose artifact is the task's; empty: the last one
    beside: tuple[str, ...] = ()  #: stages whose artifacts follow the answer's
    deadline_s: float | None = None  #: for the whole task
    retry_budget: int | None = None  #: attempts beyond the first, over all branches together
    ask: Ask = Ask.LAST
    unanswered: Unanswered = Unanswered()

    @property
    def passes_through(self) -> bool:
        """Whether the task is that of one agent, passed through unchanged."""
        return self.stages[0].passes_through

    @property
    def answering_stage(self) -> str:
        """Return the name of the stage whose artifact is the task's."""
        return self.answer or self.stages[-1].name


@dataclass(frozen=True, slots=True)
class Journey:
    """What travels with a task through coordinators that stand behind each other."""

    via: tuple[str, ...] = ()  #: the coordinators passed, this one last
    trace: str = ""  #: the W3C traceparent it came with
    ring: tuple[str, ...] = ()  #: the coordinators of a ring the task has gone round, or all when there were too many


NOWHERE = Journey()


class Settled(StrEnum):
    """How a branch ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELED = "canceled"


class FailureKind(StrEnum):
    """Why an attempt failed; `failure.py` says what follows from each."""

    UNREACHABLE = "unreachable"  #: no connection: nothing was sent
    CIRCUIT_OPEN = "circuit_open"  #: not asked at all: it could not be reached several times in a row
    IN_DOUBT = "in_doubt"  #: sent, and no definite answer even after looking it up
    OVERLOADED = "overloaded"  #: 429 or 503: refused before a task was created
    FAILED = "failed"  #: the specialist's task ended FAILED
    REJECTED = "rejected"  #: the specialist decided not to do it
    REFUSED = "refused"  #: the request itself was turned down with an error
    CANCELED = "canceled"  #: the specialist's task was canceled by somebody else
    LOST = "lost"  #: the specialist no longer knows the task it had accepted
    MALFORMED = "malformed"  #: the answer breaks the protocol or the declared schema
    TOO_LARGE = "too_large"  #: the answer is larger than allowed
    NEEDS_INPUT = "needs_input"  #: it asked a question nobody could answer (journals of the first version)
    SKIPPED = "skipped"  #: the client, or the plan in its place, goes on without an answer
    TIMED_OUT = "timed_out"  #: the branch timeout passed
    DEADLINE = "deadline"  #: the deadline of the stage or of the task passed
    LOOP = "loop"  #: the agent is a coordinator this task has already passed through
    DEPENDENCY = "dependency"  #: a sub-task whose result it needs has not succeeded


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt: what kind, in words a person can act on, and when to come back if it said so."""

    kind: FailureKind
    message: str
    retry_after_s: float | None = None
    ring: tuple[str, ...] = ()  #: the coordinators a task has gone round, where that is why


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
    REJECTED = "rejected"

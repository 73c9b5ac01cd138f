"""One sub-task's life: its state, its attempts, and what it brought.

Holds and changes; it decides nothing. `coordination.py` says when which trigger is due.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from coordinator.core.commands import Cancel, Follow, Look, Send, Unchanged
from coordinator.core.events import CancelResult
from coordinator.core.failure import Room
from coordinator.core.model import (
    NOWHERE,
    AgentRef,
    Artifact,
    Failure,
    Journey,
    Message,
    Outcome,
    PartRef,
    RemoteTask,
    Settled,
    Stage,
    SubTask,
)
from coordinator.core.questions import Inquiry
from coordinator.core.states import BranchState, Trigger, next_branch_state


def message_id_of(task_id: str, branch: str, attempt: int, message: int = 0) -> str:
    """Return the messageId of one message of one attempt: the same for every re-send, another for every new one.

    *message* counts the answers that follow the first message.
    """
    about = f"{task_id}\n{branch}\n{attempt}" + (f"\n{message}" if message else "")
    return hashlib.sha256(about.encode()).hexdigest()[:32]


LOOK_SHARE = 0.25
LOOK_MIN_S, LOOK_MAX_S = 1.0, 600.0
"""A parked task is looked at again after a share of the time it has waited, within these bounds."""


@dataclass(slots=True)
class Attempt:
    """One try at one agent."""

    number: int
    agent: AgentRef
    sent_at: float  #: when it was decided on
    has_started: bool = False
    is_open: bool = True  #: a specialist may be working on it for us
    remote: RemoteTask | None = None
    is_taken_up: bool = False  #: followed once more, since its cancel found it finished
    cancel: CancelResult | str = ""  #: "requested", then what became of it
    message_id: str = ""
    messages: int = 0  #: how many followed the first one
    inquiries: tuple[Inquiry, ...] = ()  #: what its task asks; empty: it asks nothing
    mark: str = ""  #: of the status in which it asks
    questions: int = 0  #: how often it has asked something new
    parked_at: float | None = None  #: since when nobody follows it
    look_at: float | None = None
    credential: str = ""
    in_answer: tuple[Inquiry, ...] = ()  #: what it asked before the message that is on its way


@dataclass(slots=True)
class Branch:
    """What is known of one branch; `key` is `<stage>/<sub-task>`."""

    key: str
    task_id: str
    stage: Stage
    sub_task: SubTask
    queued_at: float
    parts: tuple[PartRef, ...]
    state: BranchState = BranchState.QUEUED
    attempts: list[Attempt] = field(default_factory=list)
    started_at: float | None = None  #: when the first attempt went out
    settled_at: float | None = None
    retry_at: float | None = None
    expires_at: float | None = None
    hedge_at: float | None = None
    artifacts: tuple[Artifact, ...] = ()
    message: Message | None = None
    context_id: str = ""  #: the agent's, where it answered with a direct Message
    failure: Failure | None = None
    winner: Attempt | None = None
    retry_agent: AgentRef | None = None  #: where the next attempt goes
    time_left_s: float | None = None  #: of the branch timeout, while it is parked
    text: str = ""  #: the specialist's latest word about its work

    @property
    def last(self) -> Attempt | None:
        """Return the attempt that counts: the one that won, else the latest."""
        return self.winner or (self.attempts[-1] if self.attempts else None)

    @property
    def agent(self) -> AgentRef:
        """Return the agent that has it now, or had it last."""
        return self.last.agent if self.last else self.sub_task.agent

    def move(self, trigger: Trigger) -> None:
        """Change the state. Raises `IllegalTransition` and changes nothing when the table forbids it."""
        self.state = next_branch_state(self.state, trigger)

    def attempt(self, number: int) -> Attempt | None:
        """Return attempt number *number* (from 1)."""
        return self.attempts[number - 1] if 0 < number <= len(self.attempts) else None

    def current(self, number: int) -> Attempt | None:
        """Return the attempt when an event about it still matters to the outcome."""
        attempt = self.attempt(number)
        return attempt if attempt and attempt.is_open and not self.state.is_settled else None

    def open_attempts(self) -> list[Attempt]:
        """Return the attempts a specialist may be working on."""
        return [attempt for attempt in self.attempts if attempt.is_open]

    def next_agent(self) -> AgentRef | None:
        """Return the next agent that could do it and has not been tried."""
        tried = {attempt.agent for attempt in self.attempts}
        return next((agent for agent in self.sub_task.others if agent not in tried), None)

    def room(self, failed: Attempt, budget_left: int | None, until: float | None) -> Room:
        """Return what may still be tried after *failed*."""
        agents = {attempt.agent for attempt in self.attempts}
        fallbacks = max(0, self.stage.fallback - (len(agents) - 1))
        return Room(
            attempts_here=sum(attempt.agent == failed.agent for attempt in self.attempts),
            agents_left=fallbacks if self.next_agent() else 0,
            budget_left=budget_left,
            until=until,
        )

    def begin_attempt(
        self,
        at: float,
        agent: AgentRef,
        *,
        until: float | None = None,
        journey: Journey = NOWHERE,
        message_id: str = "",
        unchanged: Unchanged | None = None,
    ) -> Send:
        """Return the command for one more attempt at *agent*, whose result is wanted *until* then."""
        number = len(self.attempts) + 1
        attempt = Attempt(number, agent, at)
        attempt.message_id = message_id or message_id_of(self.task_id, self.key, number)
        self.attempts.append(attempt)
        self.retry_at, self.text = None, ""
        return Send(
            id=self.attempt_id(attempt),
            branch=self.key,
            attempt=number,
            agent=agent,
            message_id=attempt.message_id,
            since=at,
            parts=self.parts,
            expect=self.stage.expect,
            until=until,
            journey=journey,
            unchanged=unchanged,
            shared=self.stage.limits.shared,
        )

    def follow(self, attempt: Attempt, remote: RemoteTask) -> Follow:
        """Note whose task the attempt became and return the command that takes the place of the send."""
        attempt.remote = remote
        return Follow(
            id=self.attempt_id(attempt),
            branch=self.key,
            attempt=attempt.number,
            agent=attempt.agent,
            remote=remote,
            expect=self.stage.expect,
            credential=attempt.credential,
            passes_through=self.stage.passes_through,
            shared=self.stage.limits.shared,
        )

    def park(self, attempt: Attempt, inquiries: tuple[Inquiry, ...], at: float) -> None:
        """Note that the attempt's task waits, and when to look at it next."""
        attempt.inquiries = inquiries
        attempt.parked_at = at if attempt.parked_at is None else attempt.parked_at
        wait = LOOK_SHARE * (at - attempt.parked_at)
        attempt.look_at = at + min(LOOK_MAX_S, max(LOOK_MIN_S, wait))

    def unpark(self, attempt: Attempt) -> None:
        """Note that the attempt's task goes on."""
        attempt.inquiries, attempt.parked_at, attempt.look_at = (), None, None

    def look(self, attempt: Attempt, remote: RemoteTask) -> Look:
        """Return the command that looks at the parked task of *attempt*."""
        attempt.look_at = None
        return Look(
            id=self.attempt_id(attempt),
            branch=self.key,
            attempt=attempt.number,
            agent=attempt.agent,
            remote=remote,
            mark=attempt.mark,
            expect=self.stage.expect,
            credential=attempt.credential,
            passes_through=self.stage.passes_through,
        )

    def cancel(self, attempt: Attempt) -> Cancel:
        """Return the command that stops *attempt* and its remote task."""
        attempt.is_open, attempt.cancel = False, "requested"
        attempt.look_at = None
        return Cancel(
            id=f"cancel:{self.key}:{attempt.number}",
            branch=self.key,
            attempt=attempt.number,
            agent=attempt.agent,
            message_id=attempt.message_id,
            since=attempt.sent_at,
            remote=attempt.remote,
            credential=attempt.credential,
        )

    def attempt_id(self, attempt: Attempt) -> str:
        """Return the id of the command that runs *attempt*."""
        return f"attempt:{self.key}:{attempt.number}"

    def kept(self) -> tuple[Artifact, ...]:
        """Return the results under ids that are unique in the task; a direct Message counts as one."""
        results = self.artifacts
        if not results and self.message:
            results = (Artifact("message", self.message.parts, metadata=self.message.metadata),)
        return tuple(replace(result, artifact_id=f"{self.key}/{result.artifact_id}") for result in results)

    @property
    def size(self) -> int:
        """Return the bytes of its results."""
        return sum(ref.size for result in self.kept() for ref in result.parts)

    def outcome(self) -> Outcome:
        """Return what a settled branch brought."""
        return Outcome(
            branch=self.key,
            agent=self.agent.name,
            settled=Settled(self.state.value),
            remote=self.last.remote if self.last else None,
            artifacts=self.artifacts,
            message=self.message,
            failure=self.failure,
        )

    def frozen(self) -> Branch:
        """Return a copy that later facts do not change."""
        copies = [replace(attempt) for attempt in self.attempts]
        winner = copies[self.winner.number - 1] if self.winner else None
        return replace(self, attempts=copies, winner=winner)

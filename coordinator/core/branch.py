"""One sub-task's life: its state, its current attempt, and what it brought.

Holds and changes; it decides nothing. `coordination.py` says when which trigger is due.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from coordinator.core.commands import Cancel, Follow, Send
from coordinator.core.events import CancelResult
from coordinator.core.model import Artifact, Failure, Message, Outcome, PartRef, RemoteTask, Settled, Stage, SubTask
from coordinator.core.states import BranchState, Trigger, next_branch_state


def message_id_of(task_id: str, branch: str, attempt: int) -> str:
    """Return the messageId of one attempt: the same for every re-send, another for every new attempt."""
    return hashlib.sha256(f"{task_id}\n{branch}\n{attempt}".encode()).hexdigest()[:32]


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
    attempt: int = 0
    sent_at: float = 0.0  #: when the current attempt was decided on
    remote: RemoteTask | None = None
    started_at: float | None = None  #: when the first attempt went out
    attempt_started: bool = False
    settled_at: float | None = None
    retry_at: float | None = None
    expires_at: float | None = None
    artifacts: tuple[Artifact, ...] = ()
    message: Message | None = None
    failure: Failure | None = None
    text: str = ""  #: the specialist's latest word about its work
    cancel: CancelResult | str = ""  #: "requested", then what became of it

    def move(self, trigger: Trigger) -> None:
        """Change the state. Raises `IllegalTransition` and changes nothing when the table forbids it."""
        self.state = next_branch_state(self.state, trigger)

    def is_current(self, attempt: int) -> bool:
        """Whether an event about *attempt* still matters to the outcome."""
        return attempt == self.attempt and self.state.is_under_way

    def begin_attempt(self, at: float) -> Send:
        """Turn to SENDING and return the command for the next attempt."""
        self.move(Trigger.SEND)
        self.attempt += 1
        self.sent_at = at
        self.remote, self.retry_at, self.attempt_started, self.text = None, None, False, ""
        self.cancel = ""
        return Send(
            id=self.attempt_id(),
            branch=self.key,
            attempt=self.attempt,
            agent=self.sub_task.agent,
            message_id=message_id_of(self.task_id, self.key, self.attempt),
            since=self.sent_at,
            parts=self.parts,
            expect=self.stage.expect,
        )

    def follow(self, remote: RemoteTask) -> Follow:
        """Turn to WORKING on *remote* and return the command that takes the place of the send."""
        self.move(Trigger.OPEN)
        self.remote = remote
        return Follow(
            id=self.attempt_id(),
            branch=self.key,
            attempt=self.attempt,
            agent=self.sub_task.agent,
            remote=remote,
            expect=self.stage.expect,
        )

    def cancel_command(self) -> Cancel:
        """Return the command that stops the current attempt and its remote task."""
        self.cancel = "requested"
        return Cancel(
            id=f"cancel:{self.key}:{self.attempt}",
            branch=self.key,
            attempt=self.attempt,
            agent=self.sub_task.agent,
            message_id=message_id_of(self.task_id, self.key, self.attempt),
            since=self.sent_at,
            remote=self.remote,
        )

    def attempt_id(self) -> str:
        """Return the id of the command that runs the current attempt."""
        return f"attempt:{self.key}:{self.attempt}"

    def kept(self) -> tuple[Artifact, ...]:
        """Return the results under ids that are unique in the task; a direct Message counts as one."""
        results = self.artifacts
        if not results and self.message:
            results = (Artifact("message", self.message.parts, metadata=self.message.metadata),)
        return tuple(replace(result, artifact_id=f"{self.key}/{result.artifact_id}") for result in results)

    def outcome(self) -> Outcome:
        """Return what a settled branch brought."""
        return Outcome(
            branch=self.key,
            agent=self.sub_task.agent.name,
            settled=Settled(self.state.value),
            remote=self.remote,
            artifacts=self.artifacts,
            message=self.message,
            failure=self.failure,
        )

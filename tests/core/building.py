"""Small values to build coordinations from, and a script that plays the shell by hand."""

from __future__ import annotations

from typing import Any

from coordinator.core import events as ev
from coordinator.core.branch import Branch
from coordinator.core.commands import Cancel, Command, Follow, Merge, Send
from coordinator.core.coordination import Coordination
from coordinator.core.model import (
    AgentRef,
    Artifact,
    Failure,
    FailureKind,
    Message,
    PartRef,
    Plan,
    RemoteTask,
    Stage,
    SubTask,
)

T0 = 1_000_000.0
"""The instant at which every scripted task is accepted."""

NAMES = "abcdefghijklmnopqrstuvwxyz"


def agent(name: str) -> AgentRef:
    return AgentRef(name=name, url=f"http://{name}.test")


def sub_tasks(count: int) -> tuple[SubTask, ...]:
    names = NAMES[:count] if count <= len(NAMES) else [f"s{number}" for number in range(count)]
    return tuple(SubTask(id=name, agent=agent(f"agent-{name}"), parts=(PartRef("0" * 64, 3),)) for name in names)


def stage(branches: int = 3, **options: Any) -> Stage:
    return Stage(name="review", sub_tasks=sub_tasks(branches), **options)


def accepted(*stages: Stage, at: float = T0) -> ev.TaskAccepted:
    return ev.TaskAccepted(
        at=at,
        task_id="task-1",
        context_id="context-1",
        message=Message("message-1", "user", (PartRef("0" * 64, 3),)),
        plan=Plan(name="code-review", stages=stages),
    )


def artifact(artifact_id: str = "findings", description: str = "") -> Artifact:
    return Artifact(artifact_id, (PartRef("1" * 64, 5),), name="findings", description=description)


def remote_of(branch: str, attempt: int = 1) -> RemoteTask:
    return RemoteTask(task_id=f"remote-{branch}-{attempt}", context_id=f"context-{branch}")


class Script:
    """One stage of branches a, b, c … and every fact told so far; verbs tell a fact and return the new commands."""

    def __init__(self, branches: int = 3, *, started: bool = True, **options: Any) -> None:
        self.facts: list[ev.Event] = [accepted(stage(branches, **options))]
        self.coordination = Coordination(self.facts[0])
        self.now = T0
        self.first = self.starts() if started else []

    def tell(self, fact: ev.Event) -> list[Command]:
        self.facts.append(fact)
        return self.coordination.receive(fact)

    def branch(self, name: str) -> Branch:
        return self.coordination.stage.branches[f"review/{name}"]

    def open(self, kind: type[Any] = Command) -> list[Any]:
        return [command for command in self.coordination.outstanding() if isinstance(command, kind)]

    # -- facts ------------------------------------------------------------------------------------

    def starts(self) -> list[Command]:
        return self.tell(ev.TurnStarted(at=self.now, epoch=1))

    def waits(self, seconds: float) -> list[Command]:
        self.now += seconds
        return self.tell(ev.TimePassed(at=self.now))

    def begins(self, name: str, attempt: int | None = None) -> list[Command]:
        return self.tell(ev.AttemptStarted(**self._about(name, attempt)))

    def opens(self, name: str, attempt: int | None = None, remote: RemoteTask | None = None) -> list[Command]:
        about = self._about(name, attempt)
        return self.tell(ev.TaskOpened(**about, remote=remote or remote_of(name, about["attempt"])))

    def progresses(self, name: str, text: str, attempt: int | None = None) -> list[Command]:
        return self.tell(ev.Progressed(**self._about(name, attempt), state="TASK_STATE_WORKING", text=text))

    def succeeds(
        self,
        name: str,
        attempt: int | None = None,
        artifacts: tuple[Artifact, ...] | None = None,
        message: Message | None = None,
    ) -> list[Command]:
        brought = (artifact(),) if artifacts is None else artifacts
        return self.tell(ev.AttemptSucceeded(**self._about(name, attempt), artifacts=brought, message=message))

    def fails(
        self,
        name: str,
        kind: FailureKind = FailureKind.REJECTED,
        *,
        attempt: int | None = None,
        message: str = "no",
        retry_after: float | None = None,
        is_open: bool = False,
    ) -> list[Command]:
        failure = Failure(kind, message, retry_after)
        return self.tell(ev.AttemptFailed(**self._about(name, attempt), failure=failure, is_open=is_open))

    def settles_cancel(
        self, name: str, attempt: int | None = None, result: ev.CancelResult = "confirmed"
    ) -> list[Command]:
        return self.tell(ev.CancelSettled(**self._about(name, attempt), result=result))

    def merges(self, *artifacts: Artifact, summary: dict[str, Any] | None = None) -> list[Command]:
        brought = artifacts or (artifact("report"),)
        return self.tell(ev.Merged(at=self.now, stage="review", artifacts=brought, summary=summary or {}))

    def fails_to_merge(self, reason: str = "they do not fit") -> list[Command]:
        return self.tell(ev.MergeFailed(at=self.now, stage="review", reason=reason))

    def cancels(self) -> list[Command]:
        return self.tell(ev.CancelRequested(at=self.now))

    def _about(self, name: str, attempt: int | None) -> dict[str, Any]:
        current = self.branch(name).attempt if attempt is None else attempt
        return {"at": self.now, "branch": f"review/{name}", "attempt": current}


def sent(commands: list[Command]) -> list[str]:
    """Name the branches *commands* send, each with its attempt when it is not the first."""
    return [_short(command) for command in commands if isinstance(command, Send)]


def canceled(commands: list[Command]) -> list[str]:
    """Name the branches whose remote task *commands* cancel."""
    return [_short(command) for command in commands if isinstance(command, Cancel)]


def merge_in(commands: list[Command]) -> Merge:
    """Return the one Merge among *commands*."""
    (merge,) = [command for command in commands if isinstance(command, Merge)]
    return merge


def _short(command: Send | Follow | Cancel) -> str:
    name = command.branch.removeprefix("review/")
    return name if command.attempt == 1 else f"{name}#{command.attempt}"

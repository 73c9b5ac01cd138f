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
from coordinator.core.questions import Choice, Inquiry, Kind, Question, Reception, Reply
from coordinator.core.scheduling import StageRun

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


def planned(*tasks: SubTask, name: str = "review", **options: Any) -> Stage:
    """Return a stage with sub-tasks of its own."""
    return Stage(name=name, sub_tasks=tasks, **options)


def accepted(*stages: Stage, **plan: Any) -> ev.TaskAccepted:
    return taken_on(Plan(name="code-review", stages=stages, **plan))


def taken_on(plan: Plan, at: float = T0) -> ev.TaskAccepted:
    return ev.TaskAccepted(
        at=at,
        task_id="task-1",
        context_id="context-1",
        message=Message("message-1", "user", (PartRef("0" * 64, 3),)),
        plan=plan,
    )


def artifact(artifact_id: str = "findings", description: str = "", digit: str = "1") -> Artifact:
    return Artifact(artifact_id, (part(digit),), name="findings", description=description)


def part(digit: str) -> PartRef:
    """Return a part that is told from others by *digit*; that of the message is 0."""
    return PartRef(digit * 64, 3 if digit == "0" else 5)


def inquiry(text: str = "which one?", kind: Kind = "input", key: str = "", choices: str = "") -> Inquiry:
    return Inquiry(kind, text, key, (part("7"),), tuple(Choice(choice, "") for choice in choices.split()))


def remote_of(branch: str, attempt: int = 1) -> RemoteTask:
    return RemoteTask(task_id=f"remote-{branch}-{attempt}", context_id=f"context-{branch}")


class Script:
    """One stage of branches a, b, c … and every fact told so far; verbs tell a fact and return the new commands.

    With *stages*, those instead, and a branch is named with its stage.
    """

    def __init__(
        self,
        branches: int = 3,
        *,
        started: bool = True,
        stages: tuple[Stage, ...] = (),
        plan: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.facts: list[ev.Event] = [accepted(*(stages or [stage(branches, **options)]), **(plan or {}))]
        self.coordination = Coordination(self.facts[0])
        self.now = T0
        self.first = self.starts() if started else []

    def tell(self, fact: ev.Event) -> list[Command]:
        self.facts.append(fact)
        return self.coordination.receive(fact)

    def branch(self, name: str) -> Branch:
        key = name if "/" in name else f"review/{name}"
        return self.run(key.partition("/")[0]).branches[key]

    def run(self, name: str = "review") -> StageRun:
        return self.coordination.stages[name]

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

    def merges(
        self, *artifacts: Artifact, stage: str = "review", summary: dict[str, Any] | None = None, is_late: bool = False
    ) -> list[Command]:
        brought = artifacts or (artifact("report"),)
        return self.tell(ev.Merged(at=self.now, stage=stage, artifacts=brought, summary=summary or {}, is_late=is_late))

    def fails_to_merge(
        self, reason: str = "they do not fit", *, stage: str = "review", is_late: bool = False
    ) -> list[Command]:
        return self.tell(ev.MergeFailed(at=self.now, stage=stage, reason=reason, is_late=is_late))

    def expands(self, stage: str, *made: SubTask) -> list[Command]:
        return self.tell(ev.StageExpanded(at=self.now, stage=stage, sub_tasks=made))

    def fails_to_expand(self, stage: str, reason: str = "no list there") -> list[Command]:
        return self.tell(ev.ExpansionFailed(at=self.now, stage=stage, reason=reason))

    def cancels(self) -> list[Command]:
        return self.tell(ev.CancelRequested(at=self.now))

    def asks(self, name: str, *asked: Inquiry | str, attempt: int | None = None, mark: str = "") -> list[Command]:
        """Let the task of *name* ask; without *mark* it is a new status. Who asks has a task."""
        about = self._about(name, attempt)
        if self.branch(name).attempts[about["attempt"] - 1].remote is None:
            self.opens(name, attempt)
        inquiries = tuple(inquiry(one) if isinstance(one, str) else one for one in asked or ("which one?",))
        return self.tell(ev.Asked(**about, inquiries=inquiries, mark=mark or f"status {len(self.facts)}"))

    def looks(self, name: str, attempt: int | None = None) -> list[Command]:
        return self.tell(ev.Looked(**self._about(name, attempt)))

    def resumes(self, name: str, attempt: int | None = None) -> list[Command]:
        return self.tell(ev.Resumed(**self._about(name, attempt)))

    def says(self, *texts: str, message_id: str = "", whole: Reply | None = None) -> list[Command]:
        """Let the client send a message: "2: yes" is for question 2, a text without a number names none."""
        receipt = f"receipt {len(self.facts)}"
        replies = tuple(reply(text) for text in texts)
        message = Message(message_id or receipt, "user", tuple(ref for one in replies for ref in one.parts))
        return self.tell(
            ev.MessageReceived(at=self.now, receipt=receipt, message=message, replies=replies, whole=whole)
        )

    def writes(self, *lines: str) -> list[Command]:
        """Let the client send one text of these lines; their numbers may be those of questions, or of a list."""
        text = "\n".join(lines)
        return self.says(*lines, whole=Reply("", (PartRef("e" * 64, len(text), "text/plain"),), text))

    def takes_answer(self, name: str, message_id: str = "") -> list[Command]:
        about = self._about(name, None)
        return self.tell(ev.AnswerTaken(**about, message_id=message_id or self.answer_to(name).message_id))

    def refuses_answer(self, name: str, words: str = "not now", message_id: str = "") -> list[Command]:
        about, failure = self._about(name, None), Failure(FailureKind.REFUSED, words)
        sent_id = message_id or self.answer_to(name).message_id
        return self.tell(ev.AnswerRefused(**about, message_id=sent_id, failure=failure))

    def answer_to(self, name: str) -> Send:
        """Return the one message that is on its way to the task of *name*."""
        (send,) = [one for one in self.open(Send) if one.branch == self.branch(name).key and one.remote]
        return send

    # -- what the client sees ---------------------------------------------------------------------

    @property
    def asked(self) -> list[str]:
        """What the client is asked: each question with its number and the branch it is about."""
        return [f"{one.number} {one.branch.removeprefix('review/')}" for one in self.coordination.asked]

    @property
    def question(self) -> Question:
        """The one question the client is asked."""
        (question,) = self.coordination.asked
        return question

    @property
    def reception(self) -> Reception:
        """What became of the client's latest message."""
        said = [fact for fact in self.facts if isinstance(fact, ev.MessageReceived)]
        reception = self.coordination.reception(said[-1].receipt)
        assert reception is not None
        return reception

    def _about(self, name: str, attempt: int | None) -> dict[str, Any]:
        branch = self.branch(name)
        current = len(branch.attempts) if attempt is None else attempt
        return {"at": self.now, "branch": branch.key, "attempt": current}


def reply(text: str) -> Reply:
    """Return the reply in "2: yes"; its part is told from others by the number of letters."""
    number, colon, words = text.partition(": ")
    is_numbered = colon and number != "credential"
    said = words if is_numbered else text
    return Reply(number if is_numbered else "", (PartRef("f" * 64, len(said), "text/plain"),), said)


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

"""What a client knows of one task, folded from whatever the server told.

Takes snapshots and updates in the order they arrive and decides nothing about connections:
`follow.py` does that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from a2a.types.a2a_pb2 import (
    Message,
    Part,
    StreamResponse,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatusUpdateEvent,
)

from coordinator.cli.exits import ExitCode, exit_code
from coordinator.cli.questions import Question, problems_of, questions_of
from coordinator.cli.terminal import as_json
from coordinator.core import model
from coordinator.core.extension import PROGRESS, RUN

SETTLED = frozenset(state.value for state in model.TaskState if state.is_terminal or state.is_interrupted)


@dataclass
class TaskView:
    """One task as far as it is known, or the message that came instead of a task."""

    task: Task = field(default_factory=Task)
    reply: Message | None = None
    progress: Mapping[str, Any] = field(default_factory=dict)
    is_passing: bool = False  #: whether its coordinator ends with this command

    def apply(self, event: StreamResponse) -> None:
        """Take in one event of a stream, or a snapshot wrapped as one."""
        match event.WhichOneof("payload"):
            case "task":
                self.task = event.task
                self.progress = as_json(event.task.metadata).get(PROGRESS, self.progress)
            case "message":
                self.reply = event.message
            case "status_update":
                self._take_status(event.status_update)
            case "artifact_update":
                self._take_artifact(event.artifact_update)
            case _:
                pass  # an event of a later version of the protocol

    def _take_status(self, update: TaskStatusUpdateEvent) -> None:
        self.task.id, self.task.context_id = update.task_id, update.context_id
        self.task.status.CopyFrom(update.status)
        told = as_json(update.metadata)
        self.progress = told.get(PROGRESS, self.progress)
        if RUN in told:
            self.task.metadata.update({RUN: told[RUN]})
            self.progress = _at_the_end(told[RUN])

    def _take_artifact(self, update: TaskArtifactUpdateEvent) -> None:
        known = next((a for a in self.task.artifacts if a.artifact_id == update.artifact.artifact_id), None)
        if known is None:
            self.task.artifacts.append(update.artifact)
        elif update.append:
            known.parts.extend(update.artifact.parts)
        else:
            known.CopyFrom(update.artifact)

    @property
    def state(self) -> str:
        """Return the task's state by its name on the wire; empty when there is no task."""
        return TaskState.Name(self.task.status.state) if self.task.id else ""

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to wait for: ended, waiting for the user, or answered by a message."""
        if self.reply is not None:
            return True
        return self.state in SETTLED

    @property
    def questions(self) -> list[Question]:
        """Return what the task waits for an answer to."""
        return questions_of(self.task) if self.task.id else []

    @property
    def problems(self) -> list[str]:
        """Return why the latest answers could not be used, where it asks again."""
        return problems_of(self.task) if self.task.id else []

    @property
    def run(self) -> dict[str, Any] | None:
        """Return the run record, once there is one."""
        return run_record(self.task)

    @property
    def artifacts(self) -> list[dict[str, Any]]:
        """Return the artifacts as A2A JSON."""
        return [as_json(artifact) for artifact in self.task.artifacts]

    @property
    def words(self) -> str:
        """Return the text of the status message, or of the message that came instead of a task."""
        return text_of(self.reply.parts if self.reply is not None else self.task.status.message.parts)

    @property
    def exit_code(self) -> ExitCode:
        """Return what this means for a script."""
        return exit_code(self.state, (self.run or {}).get("verdict"))

    def as_json(self) -> dict[str, Any]:
        """Return the object `--json` prints."""
        told: dict[str, Any] = {
            "taskId": self.task.id or None,
            "contextId": (self.reply.context_id if self.reply is not None else self.task.context_id) or None,
            "state": self.state or None,
            "artifacts": self.artifacts,
            "run": self.run,
        }
        if self.progress and self.run is None:
            told["progress"] = self.progress
        if self.words:
            told["text"] = self.words
        if questions := self.questions:
            told["questions"] = [question.told for question in questions]
        if problems := self.problems:
            told["problems"] = problems
        return told


def run_record(task: Task) -> dict[str, Any] | None:
    """Return the run record a task carries, if it does."""
    if RUN not in task.metadata:
        return None
    record: dict[str, Any] | None = as_json(task.metadata)[RUN]
    return record


def _at_the_end(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the last progress: the terminal event tells it as the run record."""
    branches = [
        {
            **branch,
            "state": branch.get("outcome"),
            "attempt": branch.get("attempts"),
            "seconds": branch.get("runSeconds", 0.0),
        }
        for branch in run.get("branches", [])
    ]
    for branch in branches:
        branch["error"] = branch.get("error", {}).get("message", "")
    return {"tally": {**run.get("tally", {}), "open": 0}, "branches": branches}


def text_of(parts: Iterable[Part]) -> str:
    """Return the texts among *parts*, one paragraph each."""
    return "\n\n".join(part.text for part in parts if part.HasField("text"))

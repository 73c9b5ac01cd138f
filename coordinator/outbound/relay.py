"""What a specialist says in plain delegation, event by event, as facts.

A snapshot after a cut only tells what the events before it have not told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from a2a.types import a2a_pb2 as a2a
from google.protobuf.struct_pb2 import Struct

from coordinator.core.events import Relayed
from coordinator.core.model import Payload
from coordinator.outbound.bounds import AnswerTooLarge
from coordinator.outbound.reading import mark_of
from coordinator.wire import artifact_in, json_in, message_in, state_in

MOST_EVENTS = 20_000
"""Events of one attempt that are passed through; each one is journaled."""

Told = tuple[Relayed, tuple[Payload, ...]]


@dataclass(slots=True)
class Relay:
    """Turns what a specialist says into facts about *branch*."""

    branch: str
    attempt: int
    _known: dict[str, a2a.Artifact] = field(default_factory=dict)
    _mark: str = ""
    _events: int = 0

    def of(self, response: a2a.StreamResponse, at: float) -> Iterator[Told]:
        """Yield the facts in one event of a stream. Raises `AnswerTooLarge` when there are too many."""
        match response.WhichOneof("payload"):
            case "task":
                yield from self.of_task(response.task, at)
            case "status_update":
                update = response.status_update
                yield self._status(update.status, update.metadata, at)
            case "artifact_update":
                update_ = response.artifact_update
                self._note(update_.artifact, append=update_.append)
                yield self._artifact(update_.artifact, at, append=update_.append, last_chunk=update_.last_chunk)
            case _:
                return  # a direct Message is told with the end of the attempt

    def of_task(self, task: a2a.Task, at: float) -> Iterator[Told]:
        """Yield what a snapshot tells that is new."""
        for artifact in task.artifacts:
            if self._known.get(artifact.artifact_id) != artifact:
                self._note(artifact, append=False)
                yield self._artifact(artifact, at, append=False, last_chunk=True)
        if mark_of(task.status) != self._mark:
            yield self._status(task.status, task.metadata, at)

    def _note(self, artifact: a2a.Artifact, *, append: bool) -> None:
        known = self._known.get(artifact.artifact_id)
        if append and known is not None:
            known.parts.extend(artifact.parts)
        else:
            held = a2a.Artifact()
            held.CopyFrom(artifact)
            self._known[artifact.artifact_id] = held

    def _status(self, status: a2a.TaskStatus, metadata: Struct, at: float) -> Told:
        self._count()
        self._mark = mark_of(status)
        message, payloads = message_in(status.message) if status.HasField("message") else (None, ())
        fact = Relayed(
            at=at,
            branch=self.branch,
            attempt=self.attempt,
            state=state_in(status.state),
            message=message,
            metadata=json_in(metadata),
        )
        return fact, payloads

    def _artifact(self, artifact: a2a.Artifact, at: float, *, append: bool, last_chunk: bool) -> Told:
        self._count()
        told, payloads = artifact_in(artifact)
        fact = Relayed(
            at=at, branch=self.branch, attempt=self.attempt, artifact=told, append=append, last_chunk=last_chunk
        )
        return fact, payloads

    def _count(self) -> None:
        self._events += 1
        if self._events > MOST_EVENTS:
            raise AnswerTooLarge(f"it sent more than {MOST_EVENTS} events")

"""Putting together what a specialist tells about one task, from streams, snapshots and direct Messages.

The rules for chunks are those of the protocol as clients read it: `append` adds parts,
anything else replaces the artifact, an append to an unknown id creates it.
"""

from __future__ import annotations

from collections.abc import Iterable

from a2a.types import a2a_pb2 as a2a
from google.protobuf.struct_pb2 import Struct, Value

from coordinator.core.extension import RUN
from coordinator.core.model import Artifact, Failure, FailureKind, Message, Payload, RemoteTask, TaskState
from coordinator.outbound.bounds import Allowance, AnswerTooLarge, Bounds
from coordinator.outbound.failures import MOST_WORDS
from coordinator.wire import artifact_in, flaw_of, json_in, message_in, state_in

Gathered = tuple[tuple[Artifact, ...], tuple[Payload, ...]]


LONGEST_ID = 1024
"""Characters of an id a specialist may give: ids are written down again and again."""

MOST_RING, LONGEST_RING_ENTRY = 64, 500
"""Coordinators in a ring that are told, and characters of each: what a specialist says of it is journaled."""


class AnswerNotJson(ValueError):
    """The specialist's answer holds what is no JSON, or too deep to be read again: nobody could pass it on."""


class Reading:
    """What is known of one remote task; what it holds is bounded, and counted against the task's *allowance*.

    A status with the mark *answered* is the one an answer was sent to: it waits for nothing any more.
    """

    def __init__(self, bounds: Bounds, allowance: Allowance, answered: str = "") -> None:
        self.answered = answered
        self.mark = ""
        self.remote: RemoteTask | None = None
        self.state: TaskState | None = None
        self.status_message: a2a.Message | None = None
        self.direct: a2a.Message | None = None
        self._artifacts: dict[str, a2a.Artifact] = {}
        self._sizes: dict[str, int] = {}
        self._bounds = bounds
        self._allowance = allowance
        self._ring: tuple[str, ...] = ()
        self._has_last_words = False  #: the latest status came with a message
        self._bytes = 0

    @property
    def has_begun(self) -> bool:
        """Whether the specialist is known to have the message."""
        return self.remote is not None or self.direct is not None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be expected: terminal, a direct Message, or a question."""
        if self.direct is not None:
            return True
        return self.state is not None and (self.state.is_terminal or self.is_asking)

    @property
    def is_asking(self) -> bool:
        """Whether the task waits for its client, and not for what it was already given."""
        return self.state is not None and self.state.is_interrupted and self.mark != self.answered

    @property
    def is_bare(self) -> bool:
        """Whether the task is completed and nothing was told of a result: some agents stream only states."""
        return self.state is TaskState.COMPLETED and not (self._artifacts or self._has_last_words)

    def take(self, response: a2a.StreamResponse) -> None:
        """Add one stream event. Raises `AnswerTooLarge`, `AnswerNotJson`, or `ValueError` for another task's event."""
        match response.WhichOneof("payload"):
            case "task":
                self.take_task(response.task)
            case "message":
                _check_ids(response.message.task_id, response.message.context_id)
                _check(response.message)
                self._hold(response.message.ByteSize())
                self.direct = response.message
            case "status_update":
                update = response.status_update
                self._take_ids(update.task_id, update.context_id)
                self._take_status(update.status)
                self._take_metadata(update.metadata)
            case "artifact_update":
                self._take_ids(response.artifact_update.task_id, response.artifact_update.context_id)
                self._take_chunk(response.artifact_update)
            case _:
                raise ValueError("an event of the stream is empty")

    def take_task(self, task: a2a.Task) -> None:
        """Let a snapshot replace everything held. Raises like `take`."""
        self._take_ids(task.id, task.context_id)
        self._take_status(task.status)
        self._take_metadata(task.metadata)
        self.let_go()
        for artifact in task.artifacts:
            self._put(artifact)

    def let_go(self) -> None:
        """Forget the artifacts; the bytes they took are free for others again."""
        self._hold(-self._bytes)
        self._artifacts.clear()
        self._sizes.clear()

    def text(self) -> str:
        """Return the words of the latest status message."""
        return text_of(self.status_message.parts) if self.status_message else ""

    def artifacts(self) -> Gathered:
        """Return the artifacts and their payloads, in order of first appearance."""
        pairs = [artifact_in(artifact) for artifact in self._artifacts.values()]
        return tuple(artifact for artifact, _ in pairs), tuple(p for _, payloads in pairs for p in payloads)

    def raw_artifacts(self) -> list[a2a.Artifact]:
        """Return the artifacts as they came."""
        return list(self._artifacts.values())

    def message(self) -> tuple[Message | None, tuple[Payload, ...]]:
        """Return the direct Message, or the final status message of a task that left no artifact."""
        spoken = self.direct or (None if self._artifacts else self.status_message)
        return message_in(spoken) if spoken is not None and spoken.parts else (None, ())

    def failure(self) -> Failure | None:
        """Return why this is no result, or None when the specialist has completed its task."""
        if self.direct is not None or self.state is TaskState.COMPLETED:
            return None
        if self._ring and self.state in {TaskState.REJECTED, TaskState.FAILED}:
            way = " -> ".join(self._ring)
            words = f"the task would go round in a ring, or too far: {way}"
            return Failure(FailureKind.LOOP, words[:MOST_WORDS], ring=self._ring)
        kind, words = _ENDS.get(self.state or TaskState.WORKING, (FailureKind.MALFORMED, "it stopped without a result"))
        said = self.text()
        return Failure(kind, f"{words}: {said}" if said else words)

    def _take_ids(self, task_id: str, context_id: str) -> None:
        if not task_id:
            raise ValueError("an event names no task")
        _check_ids(task_id, context_id)
        if self.remote is None:
            self.remote = RemoteTask(task_id, context_id)
        elif self.remote.task_id != task_id:
            raise ValueError(f"an event of task {task_id} arrived on the stream of task {self.remote.task_id}")

    def _take_status(self, status: a2a.TaskStatus) -> None:
        _check(status.message)
        state = state_in(status.state)
        if state is None or (self.state is not None and self.state.is_terminal):
            return  # an unknown state says nothing; a terminal one is the last word (spec 3.1.1)
        self.state = state
        self._has_last_words = status.HasField("message")
        self.mark = mark_of(status)
        if state.is_interrupted and not status.HasField("message"):
            self.status_message = None
        if status.HasField("message"):
            self.status_message = status.message

    def _take_metadata(self, metadata: Struct) -> None:
        """Note that a coordinator refused to send the task round in a ring."""
        _check_values([metadata], "its metadata")
        record = json_in(metadata).get(RUN) if RUN in metadata else None
        ring = record.get("ring") if isinstance(record, dict) else None
        told = ring[:MOST_RING] if isinstance(ring, list) else ()
        self._ring = tuple(str(entry)[:LONGEST_RING_ENTRY] for entry in told)

    def _take_chunk(self, update: a2a.TaskArtifactUpdateEvent) -> None:
        chunk = update.artifact
        known = self._artifacts.get(chunk.artifact_id)
        if update.append and known is not None:
            self._grow(chunk)
            known.parts.extend(chunk.parts)
            if chunk.HasField("metadata"):  # the last chunk is where an agent knows what it has used
                known.metadata.MergeFrom(chunk.metadata)
        else:
            self._put(chunk)

    def _put(self, artifact: a2a.Artifact) -> None:
        """Take an artifact in the place of one of the same id."""
        self._hold(-self._sizes.pop(artifact.artifact_id, 0))
        self._grow(artifact)
        self._artifacts[artifact.artifact_id] = artifact

    def _grow(self, chunk: a2a.Artifact) -> None:
        _check_ids(chunk.artifact_id)
        _check(chunk)
        size = chunk.ByteSize()
        whole = self._sizes[chunk.artifact_id] = self._sizes.get(chunk.artifact_id, 0) + size
        self._hold(size)
        if whole > self._bounds.artifact:
            raise AnswerTooLarge(
                f"its artifact {chunk.artifact_id!r:.80} exceeds {self._bounds.artifact} bytes (max_artifact)"
            )
        if self._bytes > self._bounds.answer:
            raise AnswerTooLarge(f"its artifacts exceed {self._bounds.answer} bytes (max_answer)")

    def _hold(self, size: int) -> None:
        self._bytes += size
        self._allowance.change(size)


def _check_ids(*ids: str) -> None:
    if max(map(len, ids)) > LONGEST_ID:
        raise ValueError(f"an id of more than {LONGEST_ID} characters is no id")


def _check(told: a2a.Artifact | a2a.Message) -> None:
    """Raise `AnswerNotJson` before anybody reads or passes on what cannot be written."""
    values = [told.metadata, *(part.metadata for part in told.parts)]
    data = [part.data for part in told.parts if part.WhichOneof("content") == "data"]
    name = f"artifact {told.artifact_id}" if isinstance(told, a2a.Artifact) else "its message"
    _check_values([*values, *data], name)


def _check_values(values: Iterable[Struct | Value], name: str) -> None:
    for flaw in filter(None, map(flaw_of, values)):
        raise AnswerNotJson(f"{name} {flaw}")


_ENDS = {
    TaskState.FAILED: (FailureKind.FAILED, "its task failed"),
    TaskState.REJECTED: (FailureKind.REJECTED, "it rejected the task"),
    TaskState.CANCELED: (FailureKind.CANCELED, "its task was canceled"),
}


def mark_of(status: a2a.TaskStatus) -> str:
    """Return what tells this status from a later one with the same words; never empty."""
    return f"{status.message.message_id}@{status.timestamp.ToJsonString()}"


def text_of(parts: Iterable[a2a.Part], most: int = 500) -> str:
    """Return the text parts as one line of at most *most* characters."""
    return " ".join(" ".join(part.text for part in parts if part.text).split())[:most]

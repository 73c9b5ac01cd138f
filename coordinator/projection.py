"""Tasks as clients see them, folded forward from the journal.

A live task is folded from a cached state, never replayed in full for each read; a closed
one was stored once. Streams are the differences between one view and the next, in the
journal's order, the same for every reader (spec 3.5.2).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from a2a.types import a2a_pb2 as a2a

from coordinator.core.coordination import Coordination
from coordinator.core.events import Event as CoreEvent
from coordinator.core.extension import PROGRESS, URI
from coordinator.core.model import Artifact, Message, PartRef
from coordinator.core.view import TaskView, view_of
from coordinator.journal import Journal
from coordinator.journal.codec import decode, decode_view
from coordinator.wire import Bodies, artifact_out, message_out, state_out, struct_out, timestamp

MOST_FEEDS = 256
PROGRESS_S = 0.25
RECHECK_S = 5.0
DEFAULT_HISTORY_BYTES = 256 * 1024
"""A Task comes with its history as far as it fits here, unless the client names a length (spec 3.2.4)."""

Event = a2a.Task | a2a.TaskStatusUpdateEvent | a2a.TaskArtifactUpdateEvent


@dataclass(slots=True)
class _Feed:
    """One live task, folded as far as anybody has looked."""

    seq: int = 0
    coordination: Coordination | None = None
    milestones: list[TaskView] = field(default_factory=list)  #: the view at every change of state
    at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take(self, seq: int, event: CoreEvent) -> None:
        """Fold the next entry."""
        self.seq, self.at = seq, event.at
        if self.coordination is None:
            self.coordination = Coordination.replay([event])
            return
        before = self.coordination.state
        self.coordination.receive(event)
        if self.coordination.state is not before:
            self.milestones.append(view_of(self.coordination, event.at))

    def view(self) -> TaskView | None:
        """Return the task as far as it is folded, None while there is nothing."""
        return view_of(self.coordination, self.at) if self.coordination else None


@dataclass(slots=True)
class Projection:
    """Reads tasks from the journal for all clients of this process."""

    journal: Journal
    _feeds: OrderedDict[str, _Feed] = field(default_factory=OrderedDict)

    async def view(self, task_id: str) -> TaskView | None:
        """Return the task as it stands, or None for an unknown one."""
        final = await self.journal.final(task_id)
        if final is not None:
            return decode_view(final)
        feed = self._feed(task_id)
        await self._advance(task_id, feed)
        return feed.view()

    async def follow(self, task_id: str, *, with_progress: bool = True) -> AsyncGenerator[TaskView]:
        """Yield the task as it stands, then every change of its state, and progress at most four times a second.

        Ends after a terminal view. A hint that gets lost costs some seconds, never an event.
        """
        async with self.journal.subscribe(task_id) as hints:
            feed = self._feed(task_id)
            await self._advance(task_id, feed)
            seen, number, told = feed.view(), len(feed.milestones), feed.seq
            if seen is None:
                return
            yield seen
            next_progress = time.monotonic() + PROGRESS_S
            while not seen.state.is_terminal:
                is_behind = with_progress and feed.seq != told
                await hints.wait(max(0.0, next_progress - time.monotonic()) if is_behind else RECHECK_S)
                await self._advance(task_id, feed)
                for seen in feed.milestones[number:]:
                    yield seen
                is_silent = len(feed.milestones) == number
                number = len(feed.milestones)
                if with_progress and is_silent and feed.seq != told and time.monotonic() >= next_progress:
                    told, next_progress = feed.seq, time.monotonic() + PROGRESS_S
                    if (now := feed.view()) is not None:
                        yield now

    def _feed(self, task_id: str) -> _Feed:
        feed = self._feeds.setdefault(task_id, _Feed())
        self._feeds.move_to_end(task_id)
        while len(self._feeds) > MOST_FEEDS:
            self._feeds.popitem(last=False)
        return feed

    async def _advance(self, task_id: str, feed: _Feed) -> None:
        async with feed.lock:
            for entry in await self.journal.read(task_id, feed.seq):
                feed.take(entry.seq, decode(entry.record))


@dataclass(slots=True)
class Renderer:
    """Views to A2A messages, with the payloads loaded."""

    journal: Journal

    async def task(self, view: TaskView, *, history_length: int | None, with_artifacts: bool = True) -> a2a.Task:
        """Return the Task; *history_length* None means as much as fits a modest size."""
        history = _newest(view.history, history_length)
        artifacts = view.artifacts if with_artifacts else ()
        bodies = await self._bodies(history, artifacts)
        return a2a.Task(
            id=view.task_id,
            context_id=view.context_id,
            status=_status(view),
            history=[message_out(m, bodies, task_id=view.task_id, context_id=view.context_id) for m in history],
            artifacts=[_artifact(artifact, bodies, view) for artifact in artifacts],
            metadata=struct_out(view.metadata) if view.metadata else None,
        )

    async def changes(self, before: TaskView, after: TaskView) -> Sequence[Event]:
        """Return what a stream tells between two views: artifacts first, a terminal status last."""
        told = {artifact.artifact_id for artifact in before.artifacts}
        fresh = [artifact for artifact in after.artifacts if artifact.artifact_id not in told]
        bodies = await self._bodies((), fresh)
        events: list[Event] = [
            a2a.TaskArtifactUpdateEvent(
                task_id=after.task_id,
                context_id=after.context_id,
                artifact=_artifact(artifact, bodies, after),
                append=False,
                last_chunk=True,
            )
            for artifact in fresh
        ]
        if after.state is not before.state or after.progress != before.progress:
            events.append(_status_update(after))
        return events

    async def _bodies(self, history: Sequence[Message], artifacts: Sequence[Artifact]) -> Bodies:
        refs = [ref for message in history for ref in message.parts]
        refs += [ref for artifact in artifacts for ref in artifact.parts]
        return await self.journal.payloads({ref.digest for ref in refs}) if refs else {}


def _status(view: TaskView) -> a2a.TaskStatus:
    status = a2a.TaskStatus(state=state_out(view.state), timestamp=timestamp(view.state_at))
    if view.text:
        # The same status always carries the same message, so its id follows from the state it explains.
        status.message.CopyFrom(
            a2a.Message(
                message_id=f"{view.task_id}-{view.state.removeprefix('TASK_STATE_').lower()}",
                task_id=view.task_id,
                context_id=view.context_id,
                role=a2a.ROLE_AGENT,
                parts=[a2a.Part(text=view.text, media_type="text/plain")],
            )
        )
    return status


def _status_update(view: TaskView) -> a2a.TaskStatusUpdateEvent:
    metadata = {PROGRESS: view.progress} if view.progress else dict(view.metadata)
    return a2a.TaskStatusUpdateEvent(
        task_id=view.task_id,
        context_id=view.context_id,
        status=_status(view),
        metadata=struct_out(metadata) if metadata else None,
    )


def _artifact(artifact: Artifact, bodies: Bodies, view: TaskView) -> a2a.Artifact:
    wire = artifact_out(artifact, bodies)
    if not _takes(view, "application/json"):
        text = [part for part in wire.parts if part.WhichOneof("content") != "data"]
        if text:
            del wire.parts[:]
            wire.parts.extend(text)
    if any(URI in key for part in wire.parts for key in part.metadata) and URI not in wire.extensions:
        wire.extensions.append(URI)
    return wire


def _takes(view: TaskView, media_type: str) -> bool:
    """Whether the client accepts *media_type*; one that names nothing accepts everything (spec 4.2.2)."""
    modes = view.accepted_output_modes
    family = media_type.partition("/")[0] + "/*"
    return not modes or any(mode in {media_type, family, "*/*", "*"} for mode in modes)


def _newest(history: Sequence[Message], length: int | None) -> Sequence[Message]:
    if length is not None:
        return history[max(0, len(history) - length) :] if length > 0 else ()
    kept: list[Message] = []
    room = DEFAULT_HISTORY_BYTES
    for message in reversed(history):
        room -= _size(message.parts)
        if room < 0:
            break
        kept.insert(0, message)
    return kept


def _size(parts: Sequence[PartRef]) -> int:
    return sum(ref.size for ref in parts)

"""Tasks as clients see them, folded forward from the journal.

A live task is folded from a cached state, never replayed in full for each read; a closed
one was stored once. Streams are the differences between one view and the next, in the
journal's order, the same views for every reader (spec 3.5.2).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from weakref import WeakValueDictionary

from a2a.types import a2a_pb2 as a2a
from google.protobuf.struct_pb2 import Struct

from coordinator.core.coordination import Coordination
from coordinator.core.events import Event as CoreEvent
from coordinator.core.events import MessageReceived
from coordinator.core.extension import PROGRESS, RUN, URI
from coordinator.core.model import Artifact, Message, Part, PartRef, Verdict
from coordinator.core.questions import Question, Reception
from coordinator.core.view import TaskView, view_of
from coordinator.journal import Journal
from coordinator.journal.codec import decode, decode_view
from coordinator.journal.outage import outlast
from coordinator.outputs import shown, takes
from coordinator.question_text import question_parts
from coordinator.wire import Bodies, artifact_out, content_out, message_out, state_out, struct_out, timestamp

MOST_FEEDS = 256
BRANCHES_PER_PART = 1000
MOST_TOLD = 64
PROGRESS_S = 0.25
RECHECK_S = 5.0
DEFAULT_HISTORY_BYTES = 256 * 1024
"""A Task comes with its history as far as it fits here, unless the client names a length (spec 3.2.4)."""

Event = a2a.Task | a2a.TaskStatusUpdateEvent | a2a.TaskArtifactUpdateEvent


@dataclass(frozen=True, slots=True)
class Change:
    """What entry *seq* changed of a task; *before* is None where the client sees a task for the first time."""

    seq: int
    before: TaskView | None
    after: TaskView


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of a task up to entry *seq*; *is_over*: there will be no more."""

    seq: int
    changes: Sequence[Change]
    is_over: bool


@dataclass(slots=True, weakref_slot=True)
class _Feed:
    """One live task, folded as far as anybody has looked, and what its streams tell of it."""

    seq: int = 0
    coordination: Coordination | None = None
    at: float = 0.0
    told: deque[TaskView] = field(default_factory=lambda: deque(maxlen=MOST_TOLD))
    told_number: int = 0  #: how many views were ever told; `told` keeps the latest
    told_seq: int = 0
    heard: dict[str, int] = field(default_factory=dict)  #: receipts of messages, and how much was told before each
    next_progress: float = 0.0  #: on the monotonic clock
    changes: deque[Change] = field(default_factory=lambda: deque(maxlen=MOST_TOLD))
    changes_after: int = 0  #: `changes` holds every one of a later entry than this
    latest: TaskView | None = None  #: the view after the last change
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take(self, seq: int, event: CoreEvent) -> None:
        """Fold the next entry; a change of state or of the artifacts is told at once."""
        self.seq, self.at = seq, event.at
        if self.coordination is None:
            self.coordination = Coordination.replay([event])
            self.latest = view_of(self.coordination, event.at)
            return
        before = self.coordination.told
        if isinstance(event, MessageReceived):
            self.heard[event.receipt] = self.told_number
        self.coordination.receive(event)
        if self.coordination.told != before:
            view = view_of(self.coordination, event.at)
            self._note(view)
            self._tell(view)

    def _note(self, view: TaskView) -> None:
        if len(self.changes) == self.changes.maxlen:
            self.changes_after = self.changes[0].seq
        before = self.latest if self.latest and self.latest.is_shown else None
        self.changes.append(Change(self.seq, before, view))
        self.latest = view

    def view(self) -> TaskView | None:
        """Return the task as far as it is folded, None while there is nothing."""
        return view_of(self.coordination, self.at) if self.coordination else None

    @property
    def is_behind(self) -> bool:
        """Whether something happened that no stream has told."""
        return self.told_seq != self.seq

    def tell_progress(self) -> None:
        """Tell how far the task is, once for all streams, unless that was told a moment ago."""
        view = self.view()
        if view is None or not self.is_behind or time.monotonic() < self.next_progress:
            return
        # While a question is open a status event could only repeat it (spec 4.2.1).
        if view.asked or (self.told and self.told[-1].progress == view.progress):
            self.told_seq = self.seq
        else:
            self._tell(view)

    def after(self, number: int) -> list[TaskView]:
        """Return what was told after the first *number* views, as far as it is still kept."""
        fresh = min(self.told_number - number, len(self.told))
        return list(self.told)[len(self.told) - fresh :]

    def _tell(self, view: TaskView) -> None:
        self.told.append(view)
        self.told_number += 1
        self.told_seq = self.seq
        self.next_progress = time.monotonic() + PROGRESS_S


@dataclass(slots=True)
class Projection:
    """Reads tasks from the journal for all clients of this process."""

    journal: Journal
    _recent: OrderedDict[str, _Feed] = field(default_factory=OrderedDict)
    _followed: WeakValueDictionary[str, _Feed] = field(default_factory=WeakValueDictionary)

    async def view(self, task_id: str) -> TaskView | None:
        """Return the task as it stands, or None for an unknown one."""
        final = await self.journal.final(task_id)
        if final is not None:
            return decode_view(final)
        feed = self._feed(task_id)
        await self._advance(task_id, feed)
        return feed.view()

    async def reception(self, task_id: str, receipt: str) -> tuple[Reception, int]:
        """Return what became of a message put for the task, as soon as its driver and its specialist have said.

        With it comes how many views were told before the message counted: those after it know of it; see `follow`.
        """
        async with self.journal.subscribe(task_id) as hints:
            while True:
                coordination = await outlast(partial(self.coordination, task_id))  # the message is in: see `follow`
                reception = coordination.reception(receipt) if coordination else None
                if reception is not None and reception.is_decided:
                    return reception, self._feed(task_id).heard.get(receipt, 0)
                await hints.wait(RECHECK_S)

    async def coordination(self, task_id: str) -> Coordination | None:
        """Return a coordination as it stands, to be read only."""
        feed = self._feed(task_id)
        await self._advance(task_id, feed)
        return feed.coordination

    async def changes(self, task_id: str, after: int) -> Changes:
        """Return what has changed after entry *after*, as every stream shows it, without progress."""
        feed = self._feed(task_id)
        await self._advance(task_id, feed)
        if after < feed.changes_after:
            feed = _Feed(changes=deque())  # so long ago that it has to be folded once more
            await self._advance(task_id, feed)
        view = feed.view()
        is_over = view is not None and (view.state.is_terminal or view.direct is not None)
        return Changes(feed.seq, [change for change in feed.changes if change.seq > after], is_over)

    async def follow(
        self, task_id: str, *, after: int | None = None, with_progress: bool = True
    ) -> AsyncGenerator[TaskView]:
        """Yield the task as it stands, then every change of its state, and progress at most four times a second.

        With *after*, it begins with the first view told since then, if there is one.

        Everybody who follows a task sees the same views, from the moment of joining on; only who lags far behind
        misses progress. Ends after a terminal view. A hint that gets lost costs some seconds, never an event. While the
        database is away it waits: whoever follows has sent a message already, and must not be told to send it again.
        """
        async with self.journal.subscribe(task_id) as hints:
            feed = self._feed(task_id)
            await outlast(partial(self._advance, task_id, feed))
            seen, number = feed.view(), feed.told_number
            if seen is None:
                return
            if after is not None and (since := feed.after(after)):
                for seen in since[:-1]:
                    yield seen
                seen = since[-1]
            yield seen
            while not seen.state.is_terminal:
                is_behind = with_progress and feed.is_behind
                await hints.wait(max(0.0, feed.next_progress - time.monotonic()) if is_behind else RECHECK_S)
                await outlast(partial(self._advance, task_id, feed))
                if with_progress:
                    feed.tell_progress()
                fresh, number = feed.after(number), feed.told_number
                for seen in fresh:
                    yield seen

    def _feed(self, task_id: str) -> _Feed:
        """Return the one feed of a task: as long as anybody follows it, nobody gets another."""
        feed = self._recent.get(task_id) or self._followed.get(task_id) or _Feed()
        self._recent[task_id] = self._followed[task_id] = feed
        self._recent.move_to_end(task_id)
        while len(self._recent) > MOST_FEEDS:
            self._recent.popitem(last=False)
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
        bodies = await self._bodies((*history, *_spoken(view)), artifacts, view.asked)
        return a2a.Task(
            id=view.task_id,
            context_id=view.context_id,
            status=_status(view, bodies),
            history=[message_out(m, bodies, task_id=view.task_id, context_id=view.context_id) for m in history],
            artifacts=[
                *[await _artifact(artifact, bodies, view) for artifact in artifacts],
                *(_run_artifact(view) if with_artifacts else ()),
            ],
            metadata=_metadata(view, with_progress=with_artifacts),  # a list of tasks would be long with it
        )

    async def message(self, view: TaskView) -> a2a.Message | None:
        """Return the direct Message that is the whole answer, if it is."""
        if view.direct is None:
            return None
        bodies = await self._bodies([view.direct], ())
        return message_out(view.direct, bodies, task_id="", context_id=view.context_id)

    async def changes(self, before: TaskView, after: TaskView) -> Sequence[Event]:
        """Return what a stream tells when *after* follows *before*: new artifacts first, the status last.

        An artifact that has changed, such as in its label, is sent whole and replaces the one told before; one that
        has only grown is sent as a chunk.
        """
        known = {artifact.artifact_id: artifact for artifact in before.artifacts}
        fresh = [
            _grown(artifact, known.get(artifact.artifact_id))
            for artifact in after.artifacts
            if artifact is not known.get(artifact.artifact_id) and artifact not in before.artifacts
        ]
        bodies = await self._bodies(_spoken(after), [artifact for artifact, _ in fresh], after.asked)
        events: list[Event] = [
            _artifact_update(after, await _artifact(artifact, bodies, after), append=append)
            for artifact, append in fresh
        ]
        if not before.long_record:
            events += [_artifact_update(after, artifact, append=False) for artifact in _run_artifact(after)]
        # An agent's own words are told as often as it says them, and a question once (spec 4.2.1).
        has_said_nothing = (after.passes_through or bool(after.asked)) and _same_status(before, after)
        return events if has_said_nothing else [*events, _status_update(after, bodies)]

    async def notices(self, before: TaskView | None, after: TaskView) -> Sequence[Event]:
        """Return what is pushed when *after* follows *before*: artifacts that are finished now, whole; then the state.

        No chunks and no progress; and nothing while there is no task, or where a direct Message is the answer.
        """
        if not after.is_shown or after.direct is not None:
            return []
        known = [a for a in before.artifacts if a.artifact_id not in before.unfinished] if before else []
        fresh = [a for a in after.artifacts if a.artifact_id not in after.unfinished and a not in known]
        bodies = await self._bodies(_spoken(after), fresh, after.asked)
        finished = [await _artifact(artifact, bodies, after) for artifact in fresh]
        if before is None or not before.long_record:
            finished += _run_artifact(after)
        events: list[Event] = [_artifact_update(after, artifact, append=False) for artifact in finished]
        has_changed = before is None or not _same_status(before, after)
        return [*events, _status_update(after, bodies)] if has_changed else events

    async def _bodies(
        self, history: Sequence[Message], artifacts: Sequence[Artifact], asked: Sequence[Question] = ()
    ) -> Bodies:
        refs = [ref for message in history for ref in message.parts]
        refs += [ref for question in asked for ref in question.inquiry.parts]
        refs += [ref for artifact in artifacts for ref in artifact.parts]
        # A task is shown after it was accepted, too: see `Projection.follow`.
        return await outlast(partial(self.journal.payloads, {ref.digest for ref in refs})) if refs else {}


def _status(view: TaskView, bodies: Bodies) -> a2a.TaskStatus:
    status = a2a.TaskStatus(state=state_out(view.state), timestamp=timestamp(view.state_at))
    if view.message is not None:
        own = message_out(view.message, bodies, task_id=view.task_id, context_id=view.context_id)
        status.message.CopyFrom(own)
        return status
    parts = [a2a.Part(text=view.text, media_type="text/plain")] if view.text else []
    if view.asked:
        parts = question_parts(view, bodies, takes_data=takes(view.accepted_output_modes, "application/json"))
    if parts:
        # The same status always carries the same message, so its id follows from the state it explains.
        status.message.CopyFrom(
            a2a.Message(
                message_id=_status_message_id(view),
                task_id=view.task_id,
                context_id=view.context_id,
                role=a2a.ROLE_AGENT,
                parts=parts,
                extensions=[URI] if view.asked and view.knows_us else [],
            )
        )
    return status


def _status_message_id(view: TaskView) -> str:
    name = f"{view.task_id}-{view.state.removeprefix('TASK_STATE_').lower()}"
    return f"{name}-{view.state_at:.6f}" if view.asked else name


def _spoken(view: TaskView) -> Sequence[Message]:
    return (view.message,) if view.message is not None else ()


def _same_status(before: TaskView, after: TaskView) -> bool:
    return all(
        getattr(before, name) == getattr(after, name) for name in ("state", "message", "metadata", "asked", "problems")
    )


def _grown(artifact: Artifact, known: Artifact | None) -> tuple[Artifact, bool]:
    """Return what of *artifact* is to be sent, and whether it is to be appended to what was sent before."""
    if known is None or len(artifact.parts) <= len(known.parts):
        return artifact, False
    if replace(artifact, parts=artifact.parts[: len(known.parts)]) != known:
        return artifact, False
    return replace(artifact, parts=artifact.parts[len(known.parts) :]), True


def _artifact_update(view: TaskView, artifact: a2a.Artifact, *, append: bool) -> a2a.TaskArtifactUpdateEvent:
    return a2a.TaskArtifactUpdateEvent(
        task_id=view.task_id,
        context_id=view.context_id,
        artifact=artifact,
        append=append,
        last_chunk=artifact.artifact_id not in view.unfinished,
    )


def _status_update(view: TaskView, bodies: Bodies) -> a2a.TaskStatusUpdateEvent:
    return a2a.TaskStatusUpdateEvent(
        task_id=view.task_id,
        context_id=view.context_id,
        status=_status(view, bodies),
        metadata=_metadata(view),
    )


def _metadata(view: TaskView, *, with_progress: bool = True) -> Struct | None:
    """Return how far the task is while it works, and the run record at its end."""
    told = {PROGRESS: view.progress} if view.progress and not view.passes_through else dict(view.metadata)
    return struct_out(told) if told and (with_progress or PROGRESS not in told) else None


async def _artifact(artifact: Artifact, bodies: Bodies, view: TaskView) -> a2a.Artifact:
    wire = artifact_out(artifact, bodies)
    if view.passes_through:
        return wire
    run = view.metadata.get(RUN, {})
    missing = run["reason"] if run.get("verdict") == Verdict.PARTIAL else ""
    parts = await shown(wire.parts, view.accepted_output_modes, missing)
    del wire.parts[:]
    wire.parts.extend(parts)
    if any(URI in key for part in wire.parts for key in part.metadata) and URI not in wire.extensions:
        wire.extensions.append(URI)
    return wire


def _run_artifact(view: TaskView) -> list[a2a.Artifact]:
    """Return the record of every branch as an artifact, when there are too many for the metadata."""
    if not view.long_record:
        return []
    starts = range(0, len(view.long_record), BRANCHES_PER_PART)
    chunks = [list(view.long_record[start : start + BRANCHES_PER_PART]) for start in starts]
    documents = [{"schema": "run/v1", "branches": chunk} for chunk in chunks]
    parts = [content_out(Part("data", document, "application/json")) for document in documents]
    return [a2a.Artifact(artifact_id="run", name="run", parts=parts, extensions=[URI])]


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

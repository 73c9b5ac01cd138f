"""Performs the commands of one turn and reports back with facts.

Owns the running attempts of the turn inside the turn's task group: nothing outlives it. A
command is performed only after the facts behind it are journaled; the engine sees to that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from google.protobuf.json_format import ParseError
from google.protobuf.message import DecodeError

from coordinator.core.commands import Cancel, Command, Expand, Follow, Look, Merge, Send
from coordinator.core.events import (
    CancelResult,
    CancelSettled,
    ExpansionFailed,
    MergeFailed,
    StageExpanded,
    TaskOpened,
)
from coordinator.core.model import PartRef, Payload, RemoteTask, Stage, SubTask
from coordinator.errors import RequestRefused
from coordinator.journal import Journal
from coordinator.journal.outage import outlast
from coordinator.merges import merge, parts_of
from coordinator.outbound import AgentCalls, Allowance, Attempt, Fact, RunTimes, cancel_remote, look, pursue
from coordinator.planning import Draft, expand
from coordinator.wire import Bodies, WirePart, content_in, content_out, part_out, parts_in, parts_out


@dataclass(slots=True)
class _Running:
    attempt: Attempt
    task: asyncio.Task[None]


@dataclass(slots=True)
class Dispatch:
    """The hands of one turn."""

    group: asyncio.TaskGroup
    calls: AgentCalls
    journal: Journal
    emit: Callable[[Fact], None]
    now: Callable[[], float]
    allowance: Allowance  #: bytes that all answers to this task may have
    _running: dict[tuple[str, int], _Running] = field(default_factory=dict)
    _left_open: dict[tuple[str, int], Attempt] = field(default_factory=dict)  #: ended here, to be canceled there
    _loading: tuple[tuple[PartRef, ...], asyncio.Task[Sequence[WirePart]]] | None = None

    def perform(self, commands: Iterable[Command], *, in_doubt: bool = False) -> None:
        """Start every command; *in_doubt* for those a replay found open: they may be half done."""
        for command in commands:
            match command:
                case Send() | Follow():
                    self._start(command, in_doubt=in_doubt)
                case Look():
                    seen = look(self.calls, command, emit=self.emit, now=self.now)
                    self.group.create_task(seen, name=command.id)
                case Cancel():
                    self._start_cancel(command)
                case Expand():
                    self.group.create_task(self._expand(command), name=command.id)
                case Merge():
                    self.group.create_task(self._merge(command), name=command.id)

    def _start(self, command: Send | Follow, *, in_doubt: bool) -> None:
        before = self._running.get((command.branch, command.attempt))
        if before is not None:
            before.task.cancel()  # a message for its task takes its place
        attempt = Attempt(is_in_doubt=in_doubt)
        task = self.group.create_task(self._pursue(command, attempt, in_doubt=in_doubt), name=command.id)
        self._running[command.branch, command.attempt] = _Running(attempt, task)

    async def _pursue(self, command: Send | Follow, attempt: Attempt, *, in_doubt: bool) -> None:
        try:
            await pursue(
                self.calls,
                command,
                attempt,
                emit=self.emit,
                now=self.now,
                load=self._load,
                in_doubt=in_doubt,
                allowance=self.allowance,
            )
        finally:
            running = self._running.get((command.branch, command.attempt))
            if running is not None and running.attempt is attempt:  # else another took its place, and may be over
                del self._running[command.branch, command.attempt]
            if attempt.keeps_place:
                self._left_open[command.branch, command.attempt] = attempt
            else:
                attempt.leave()

    def let_go(self) -> None:
        """Give back the places of attempts whose cancel this turn will not see."""
        while self._left_open:
            self._left_open.popitem()[1].leave()

    async def _load(self, command: Send) -> Sequence[WirePart]:
        """Return the parts of a send; the branches of a fan-out that share theirs read them once."""
        refs, loading = self._loading or ((), None)
        if loading is None or refs != command.parts:
            loading = self.group.create_task(self._read(command.parts), name="parts")
            self._loading = (command.parts, loading)
        return await asyncio.shield(loading)

    async def _read(self, refs: tuple[PartRef, ...]) -> Sequence[WirePart]:
        return parts_out(refs, await self._bodies({ref.digest for ref in refs}))

    async def _bodies(self, digests: Collection[str]) -> Bodies:
        return await outlast(partial(self.journal.payloads, digests))

    def _start_cancel(self, command: Cancel) -> None:
        key = command.branch, command.attempt
        running = self._running.get(key)
        attempt = running.attempt if running else self._left_open.get(key)
        if attempt is not None:
            attempt.keeps_place = True
        self.group.create_task(self._cancel(command, running, attempt), name=command.id)

    async def _cancel(self, command: Cancel, running: _Running | None, attempt: Attempt | None) -> None:
        try:
            result, detail = await self._stop(command, running)
        finally:
            self._left_open.pop((command.branch, command.attempt), None)
            if attempt is not None:
                attempt.keeps_place = False
                attempt.leave()
        event = CancelSettled(
            at=self.now(), branch=command.branch, attempt=command.attempt, result=result, detail=detail
        )
        self.emit(Fact(event))

    async def _stop(self, command: Cancel, running: _Running | None) -> tuple[CancelResult, str]:
        """Stop the attempt here, then its remote task; a send on its way is given time to tell whose task it became."""
        remote = command.remote
        if running is not None:
            if running.attempt.was_sent and running.attempt.remote is None:
                waiting = self.group.create_task(running.attempt.opened.wait())
                await asyncio.wait(
                    {waiting, running.task},
                    timeout=self.calls.patience.cancel_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                waiting.cancel()
            running.task.cancel()
            remote = running.attempt.remote or remote
            if not running.attempt.was_sent and not running.attempt.is_in_doubt and remote is None:
                return "not_sent", ""

        def found(task: RemoteTask) -> None:
            self.emit(Fact(TaskOpened(at=self.now(), branch=command.branch, attempt=command.attempt, remote=task)))

        return await cancel_remote(self.calls, command, remote, found)

    async def _expand(self, command: Expand) -> None:
        bodies = await self._bodies({ref.digest for _, refs in command.drawn for ref in refs})
        try:
            sub_tasks, payloads = await asyncio.to_thread(expanded, command, bodies, self.calls.run_times)
        except RequestRefused as error:
            reason = f"{error.field}: {error}"
            self.emit(Fact(ExpansionFailed(at=self.now(), stage=command.stage.name, reason=reason)))
            return
        self.emit(Fact(StageExpanded(at=self.now(), stage=command.stage.name, sub_tasks=sub_tasks), payloads))

    async def _merge(self, command: Merge) -> None:
        bodies = await self._bodies({ref.digest for ref in parts_of(command)})
        try:
            event, payloads = await asyncio.to_thread(merge, command, bodies, self.now())
        except (ValueError, ParseError, DecodeError) as error:
            failed = MergeFailed(
                at=self.now(), stage=command.stage, reason=str(error), is_late=command.is_late, piece=command.piece
            )
            self.emit(Fact(failed))
            return
        self.emit(Fact(event, payloads))


def expanded(command: Expand, bodies: Bodies, times: RunTimes) -> tuple[tuple[SubTask, ...], tuple[Payload, ...]]:
    """Make the sub-tasks of a stage. Costly: call it off the loop. Raises `RequestRefused`."""
    drawn = {name: [content_in(part_out(bodies[ref.digest])) for ref in refs] for name, refs in command.drawn}
    return sub_tasks_of(expand(command.stage, drawn), command.stage, times)


def sub_tasks_of(
    drafts: Iterable[Draft], stage: Stage, times: RunTimes
) -> tuple[tuple[SubTask, ...], tuple[Payload, ...]]:
    """Return drafts as sub-tasks of *stage*, and the payloads of their parts."""
    drafts = list(drafts)
    # What many sub-tasks share, such as the client's files, is encoded and kept once.
    parts = {id(part): part for draft in drafts for part in draft.parts or ()}
    refs, payloads = parts_in(content_out(part) for part in parts.values())
    by_part = dict(zip(parts, refs, strict=True))
    sub_tasks = []
    for draft in drafts:
        own = None if draft.parts is None else tuple(by_part[id(part)] for part in draft.parts)
        timeout_s = _observed_timeout_s(draft.agent.name, stage, times)
        sub_tasks.append(SubTask(draft.id, draft.agent, own, draft.others, draft.after, timeout_s))
    return tuple(sub_tasks), payloads


def _observed_timeout_s(agent: str, stage: Stage, times: RunTimes) -> float | None:
    """Return how long a branch of *agent* may take by what was seen of it, or None where the plan has no such rule."""
    limits = stage.limits
    if limits.observed is None:
        return None
    found = times.timeout_s(agent, limits.observed)
    # What a client has narrowed counts for what was observed as well.
    return found if limits.branch_timeout_s is None else min(found, limits.branch_timeout_s)

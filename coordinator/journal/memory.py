"""The journal without storage: for trying things out, and the fake all other tests use.

It keeps every promise of the protocol except durability. No method awaits anything, so each
one is a transaction by itself; use it from one event loop only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from typing_extensions import override

from coordinator.errors import ClaimLost, JournalClosed, JournalError, TaskClosed, UnknownTask
from coordinator.journal.clock import Clock, system_time
from coordinator.journal.memory_pushes import HeldPush, MemoryPushes, keep_push
from coordinator.journal.paging import Cursor, cursor_of, token_after
from coordinator.journal.protocol import HIDDEN, Acceptance, Claim, Entry, Head, InboxItem, Pruned, Status, TaskPage
from coordinator.journal.pushing import PushState
from coordinator.journal.signals import Signals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from coordinator.core.model import Payload
    from coordinator.journal.protocol import (
        HeadChange,
        NewTask,
        Record,
        Scope,
        Subscription,
        TaskFilter,
    )
    from coordinator.journal.pushing import PushConfig


@dataclass(slots=True)
class _Coordination:
    head: Head
    entries: list[Entry]
    inbox: dict[int, InboxItem] = field(default_factory=dict)
    digests: set[str] = field(default_factory=set)
    pushes: dict[str, HeldPush] = field(default_factory=dict)
    final: bytes | None = None


class _Key(NamedTuple):
    task_id: str
    at: float
    is_acceptance: bool


class MemoryJournal(MemoryPushes):
    """A `Journal` in dictionaries; *now* is its clock."""

    def __init__(self, now: Clock = system_time) -> None:
        self._now = now
        self._coordinations: dict[str, _Coordination] = {}
        self._payloads: dict[str, bytes] = {}
        self._keys: dict[str, _Key] = {}
        self._numbers = count(1)
        self._signals = Signals()
        self._closed = False

    @override
    async def now(self) -> float:
        """Return the time of the clock it was given."""
        return self._now()

    async def accept(
        self,
        task: NewTask,
        record: Record,
        *,
        payloads: Iterable[Payload] = (),
        key: str = "",
        window_s: float = 600.0,
        push: PushConfig | None = None,
    ) -> Acceptance:
        """Create a head with *record* as entry 1, unless *key* was accepted within *window_s*."""
        known = self._open_tasks()
        now = self._now()
        older = self._keys.get(key)
        if older and older.at > now - window_s:
            return Acceptance(older.task_id, created=False)
        if task.task_id in known:
            message = f"there is a task {task.task_id!r} already"
            raise JournalError(message)
        if key:
            self._keys[key] = _Key(task.task_id, now, is_acceptance=True)
        known[task.task_id] = held = _Coordination(_fresh(task), [Entry(1, record)])
        self._keep(held, payloads)
        if push:
            keep_push(held, push, most=1)
        self._signals.hint(task.task_id)
        return Acceptance(task.task_id, created=True)

    async def put(
        self,
        task_id: str,
        record: Record,
        *,
        payloads: Iterable[Payload] = (),
        key: str = "",
        push: PushConfig | None = None,
        most_pushes: int = 1,
    ) -> bool:
        """Leave *record* in the inbox and make the coordination due."""
        held = self._open_tasks().get(task_id)
        if held is None:
            raise UnknownTask
        if key in self._keys:
            return False
        if held.head.status is Status.CLOSED:
            raise TaskClosed
        if push:
            keep_push(held, push, most_pushes)
        self._keep(held, payloads)
        if key:
            self._keys[key] = _Key(task_id, self._now(), is_acceptance=False)
        number = next(self._numbers)
        held.inbox[number] = InboxItem(number, record)
        turn = held.head.turn + (held.head.status is Status.IDLE)
        held.head = replace(held.head, status=Status.DUE, turn=turn)
        self._signals.hint(task_id)
        return True

    async def claim(self, task_id: str, driver: str, *, after: int | None = None) -> Claim | None:
        """Take the right to drive, with *after* only while that is the epoch; None when it is closed or unknown."""
        held = self._open_tasks().get(task_id)
        if held is None or held.head.status is Status.CLOSED:
            return None
        head = held.head
        if after not in {None, head.epoch}:
            raise ClaimLost
        held.head = replace(head, epoch=head.epoch + 1, idle_claims=head.idle_claims + 1, driver=driver)
        return Claim(task_id, held.head.epoch, held.head.seq)

    async def inbox(self, task_id: str) -> Sequence[InboxItem]:
        """Return what was put and not yet consumed, oldest first."""
        held = self._open_tasks().get(task_id)
        return tuple(held.inbox.values()) if held else ()

    async def append(
        self,
        claim: Claim,
        records: Sequence[Record],
        change: HeadChange,
        *,
        consumed: Sequence[int] = (),
        payloads: Iterable[Payload] = (),
    ) -> Claim:
        """Write *records* after `claim.seq`, consume inbox items and change the head, all or nothing."""
        held = self._open_tasks().get(claim.task_id)
        if held is None or not _holds(claim, held.head):
            raise ClaimLost
        self._keep(held, payloads)
        held.entries += [Entry(seq, record) for seq, record in enumerate(records, claim.seq + 1)]
        for number in consumed:
            held.inbox.pop(number, None)
        held.head = _changed(held, change, added=len(records))
        if held.head.status is Status.CLOSED:
            held.final = change.final
        self._signals.hint(claim.task_id)
        return replace(claim, seq=held.head.seq)

    async def read(self, task_id: str, after: int = 0, *, limit: int | None = None) -> Sequence[Entry]:
        """Return the entries with seq greater than *after*, in order."""
        held = self._open_tasks().get(task_id)
        return tuple(held.entries[max(after, 0) :][:limit]) if held else ()

    async def head(self, task_id: str) -> Head | None:
        """Return the head row, or None."""
        held = self._open_tasks().get(task_id)
        return held.head if held else None

    async def final(self, task_id: str) -> bytes | None:
        """Return the Task stored when the coordination closed, or None."""
        held = self._open_tasks().get(task_id)
        return held.final if held else None

    async def due(self, now: float, besides: Collection[str] = ()) -> Sequence[str]:
        """Return ids of coordinations that are due, or idle with `wake_at` passed, oldest first."""
        heads = [held.head for held in self._open_tasks().values() if _is_due(held.head, now, besides)]
        return tuple(head.task_id for head in sorted(heads, key=lambda head: (head.created_at, head.task_id)))

    async def next_wake(self) -> float | None:
        """Return the earliest `wake_at` of the idle coordinations."""
        heads = (held.head for held in self._open_tasks().values())
        return min(
            (head.wake_at for head in heads if head.status is Status.IDLE and head.wake_at is not None), default=None
        )

    async def tasks(self, scope: Scope, query: TaskFilter) -> TaskPage:
        """Return one page of *scope*'s heads."""
        cursor = cursor_of(scope, query)
        heads = [held.head for held in self._open_tasks().values() if _matches(held.head, scope, query)]
        rest = sorted((head for head in heads if cursor is None or _place(head) > _place(cursor)), key=_place)
        page = tuple(rest[: query.page_size])
        token = token_after(scope, query, page[-1]) if len(rest) > len(page) else ""
        return TaskPage(page, token, len(heads))

    async def find(self, scope: Scope, prefix: str, limit: int = 2) -> Sequence[str]:
        """Return up to *limit* ids of *scope*'s tasks that start with *prefix*."""
        known = self._open_tasks()
        return tuple(sorted(i for i in known if known[i].head.scope == scope and i.startswith(prefix))[:limit])

    async def payloads(self, digests: Iterable[str]) -> Mapping[str, bytes]:
        """Return the bodies of known digests."""
        self._open_tasks()
        return {digest: self._payloads[digest] for digest in digests if digest in self._payloads}

    async def prune(self, *, closed_before: float, keys_before: float, limit: int = 20) -> Pruned:
        """Forget up to *limit* closed coordinations, and up to as many keys."""
        heads = [held.head for held in self._open_tasks().values() if _may_go(held)]
        old = sorted((head.status_at, head.task_id) for head in heads if head.status_at < closed_before)[:limit]
        gone = [self._coordinations.pop(task_id) for _, task_id in old]
        used = {digest for held in self._coordinations.values() for digest in held.digests}
        unused = {digest for held in gone for digest in held.digests} - used
        for digest in unused:
            del self._payloads[digest]
        self._keys = {name: key for name, key in self._keys.items() if key.task_id in self._coordinations}
        keys = sorted((key.at, name) for name, key in self._keys.items() if key.is_acceptance and key.at < keys_before)
        for _, name in keys[:limit]:
            del self._keys[name]
        return Pruned(len(gone), len(unused), min(len(keys), limit))

    def subscribe(self, task_id: str) -> AbstractAsyncContextManager[Subscription]:
        """Receive hints about *task_id* inside the context."""
        return self._signals.subscribe(task_id)

    async def close(self) -> None:
        """Refuse everything from now on."""
        self._closed = True

    @override
    def _open_tasks(self) -> dict[str, _Coordination]:
        if self._closed:
            raise JournalClosed
        return self._coordinations

    @override
    def _hint(self, task_id: str) -> None:
        self._signals.hint(task_id)

    def _keep(self, held: _Coordination, payloads: Iterable[Payload]) -> None:
        for payload in payloads:
            self._payloads.setdefault(payload.digest, payload.body)
            held.digests.add(payload.digest)


def _fresh(task: NewTask) -> Head:
    return Head(
        task_id=task.task_id,
        context_id=task.context_id,
        scope=task.scope,
        plan=task.plan,
        state=task.state,
        status=Status.DUE,
        seq=1,
        epoch=0,
        turn=1,
        wake_at=None,
        driver="",
        idle_claims=0,
        created_at=task.at,
        status_at=task.at,
    )


def _may_go(held: _Coordination) -> bool:
    is_owed = any(push.state is PushState.OPEN for push in held.pushes.values())
    return held.head.status is Status.CLOSED and not is_owed


def _holds(claim: Claim, head: Head) -> bool:
    return head.status is not Status.CLOSED and (head.epoch, head.seq) == (claim.epoch, claim.seq)


def _changed(held: _Coordination, change: HeadChange, added: int) -> Head:
    return replace(
        held.head,
        state=change.state,
        status=Status.DUE if held.inbox else change.status,
        status_at=change.status_at,
        wake_at=change.wake_at,
        seq=held.head.seq + added,
        idle_claims=0 if change.is_progress else held.head.idle_claims,
    )


def _is_due(head: Head, now: float, besides: Collection[str]) -> bool:
    if head.status is Status.IDLE:
        return head.wake_at is not None and head.wake_at <= now
    return head.status is Status.DUE and head.driver not in besides


def _matches(head: Head, scope: Scope, query: TaskFilter) -> bool:
    return (
        head.scope == scope
        and (query.with_hidden or head.state != HIDDEN)
        and query.context_id in {None, head.context_id}
        and query.state in {None, head.state}
        and (query.status_after is None or head.status_at >= query.status_after)
    )


def _place(place: Head | Cursor) -> tuple[float, str]:
    return (-place.status_at, place.task_id)

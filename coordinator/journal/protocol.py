"""What a journal promises, whoever stores it.

A coordination is one *head* row, an *inbox* anyone may insert into, a gapless *journal*
only the driver writes, and *payloads* kept once by content hash. Every implementation
passes the same conformance suite. This module knows nothing of what the records mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from coordinator.core.model import Payload
from coordinator.journal.pushing import PushBook, PushConfig

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager


class Status(StrEnum):
    """Whether a coordination needs a driver."""

    DUE = "due"  #: something waits to be done
    IDLE = "idle"  #: parked: nothing to do until a message or `wake_at`
    CLOSED = "closed"  #: terminal and settled; nothing will be written any more


HIDDEN = ""
"""The state of a head whose client has no task: its answer may still be a direct Message. It is never listed."""


@dataclass(frozen=True, slots=True)
class Record:
    """One journaled fact: `body` is JSON text, `version` the schema version of its type."""

    type: str
    version: int
    body: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A record at its place in one coordination's journal; `seq` counts from 1 without gaps."""

    seq: int
    record: Record


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A record somebody left for the driver; `number` orders the items of one coordination."""

    number: int
    record: Record


@dataclass(frozen=True, slots=True)
class Scope:
    """On whose behalf: nothing of one scope is visible in another (spec 13.1)."""

    owner: str
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class NewTask:
    """What a fresh head row holds; times are seconds since the epoch, UTC."""

    task_id: str
    context_id: str
    scope: Scope
    plan: str
    state: str
    at: float


@dataclass(frozen=True, slots=True)
class Head:
    """One row per coordination: who may see it, how far it is, who drives it.

    `status_at` is the time of the last change of `state` (ListTasks sorts by it).
    `idle_claims` counts claims in a row that appended nothing.
    """

    task_id: str
    context_id: str
    scope: Scope
    plan: str
    state: str
    status: Status
    seq: int
    epoch: int
    turn: int
    wake_at: float | None
    driver: str
    idle_claims: int
    created_at: float
    status_at: float


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to append to one coordination, lost as soon as somebody else claims it."""

    task_id: str
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class HeadChange:
    """What an append does to the head row, in the same transaction."""

    state: str
    status: Status
    status_at: float
    wake_at: float | None = None
    final: bytes | None = None  #: the finished Task, stored once when the coordination closes
    is_progress: bool = True  #: whether the records bring the coordination on: resets `idle_claims`


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which heads to list: newest `status_at` first, then by task id; cursor is opaque (spec 3.1.4)."""

    context_id: str | None = None
    state: str | None = None
    with_hidden: bool = False  #: also those that show no task
    status_after: float | None = None  #: this time itself is included, as the spec has it
    page_size: int = 50  #: at least 1; may change from page to page, the other fields may not
    page_token: str = ""


@dataclass(frozen=True, slots=True)
class TaskPage:
    """One page of heads; `next_page_token` is empty on the last one."""

    heads: tuple[Head, ...]
    next_page_token: str
    total_size: int


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Which task a message belongs to, and whether this call created it."""

    task_id: str
    created: bool


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one call of `Journal.prune` took away; nothing at all means that there is no more."""

    coordinations: int = 0
    payloads: int = 0
    keys: int = 0


class Subscription(Protocol):
    """Hints that a coordination has changed; a hint may come for nothing, or be missed."""

    async def wait(self, timeout_s: float) -> None:
        """Return at the next hint, or after *timeout_s* seconds without one."""
        ...


class Journal(PushBook, Protocol):
    """The facts of all coordinations.

    Every method may raise `JournalUnavailable` when the storage cannot be reached;
    nothing was written then, or the caller cannot know (append: claim again and read).
    """

    async def now(self) -> float:
        """Return the storage's time in seconds since the epoch: deadlines are kept in it."""
        ...

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
        """Create a head with *record* as entry 1, status due, unless *key* was accepted within *window_s*.

        An empty key is never compared. The older task is returned for a known key, and nothing is written. *push* is
        kept with the task, and told everything that follows.
        Raises `JournalError` for a task id that is taken.
        """
        ...

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
        """Leave *record* in the inbox and make the coordination due; raise the turn if it was idle.

        Returns False, and writes nothing, for a known *key*, also when the coordination was closed since.
        *push* is kept as `set_push` does. Raises `UnknownTask`; raises `TaskClosed` when the coordination is closed,
        and `TooManyPushes` when it has *most_pushes* others.
        """
        ...

    async def claim(self, task_id: str, driver: str, *, after: int | None = None) -> Claim | None:
        """Take the right to drive: epoch + 1, `idle_claims` + 1. None when it is closed or unknown.

        With *after*, only while that is still the epoch. Raises `ClaimLost` when somebody has claimed it since.
        """
        ...

    async def inbox(self, task_id: str) -> Sequence[InboxItem]:
        """Return what was put and not yet consumed, oldest first."""
        ...

    async def append(
        self,
        claim: Claim,
        records: Sequence[Record],
        change: HeadChange,
        *,
        consumed: Sequence[int] = (),
        payloads: Iterable[Payload] = (),
    ) -> Claim:
        """Write *records* after `claim.seq`, consume inbox items and change the head, all or nothing.

        Resets `idle_claims` when the change is progress. Raises `ClaimLost` when somebody else
        claimed the coordination since. A change to idle or closed while unconsumed items are in the inbox
        is written as due instead, without `final`: the returned claim's head tells (`head()`), nothing put is
        overlooked. Closing gives the claim up. Whoever is canceled while waiting does not know whether it was written.
        """
        ...

    async def read(self, task_id: str, after: int = 0, *, limit: int | None = None) -> Sequence[Entry]:
        """Return the entries with seq greater than *after*, in order; empty for an unknown task.

        With *limit* only the first of them, as many as that.
        """
        ...

    async def head(self, task_id: str) -> Head | None:
        """Return the head row, or None."""
        ...

    async def final(self, task_id: str) -> bytes | None:
        """Return the Task stored when the coordination closed, or None."""
        ...

    async def due(self, now: float, besides: Collection[str] = ()) -> Sequence[str]:
        """Return ids of coordinations that are due, or idle with `wake_at` passed, oldest coordination first.

        Those that are due and were last claimed by one of the drivers in *besides* are left out.
        """
        ...

    async def next_wake(self) -> float | None:
        """Return the earliest `wake_at` of the idle coordinations."""
        ...

    async def tasks(self, scope: Scope, query: TaskFilter) -> TaskPage:
        """Return one page of *scope*'s heads. Raises `BadPageToken`."""
        ...

    async def find(self, scope: Scope, prefix: str, limit: int = 2) -> Sequence[str]:
        """Return up to *limit* ids of *scope*'s tasks that start with *prefix*."""
        ...

    async def payloads(self, digests: Iterable[str]) -> Mapping[str, bytes]:
        """Return the bodies of known digests."""
        ...

    async def prune(self, *, closed_before: float, keys_before: float, limit: int = 20) -> Pruned:
        """Forget up to *limit* coordinations, and up to as many keys: call it until nothing is pruned.

        Of the closed ones, the one whose state is the oldest goes first, if that was before *closed_before*, with
        everything that is only its own: a payload goes with the last coordination that brought it. One that owes a push
        stays until that is delivered or given up. Keys of
        `accept` go when they came before *keys_before*; what was put with one is recognised as long as its task is.
        """
        ...

    def subscribe(self, task_id: str) -> AbstractAsyncContextManager[Subscription]:
        """Receive hints about *task_id* inside the context, or all with `ANY_TASK`; one between two waits is kept."""
        ...

    async def close(self) -> None:
        """Flush what was accepted for writing and let go of the storage."""
        ...

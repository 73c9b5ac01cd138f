"""The journal in a database, SQLite or PostgreSQL: nothing here that differs between the two.

Writes go through threads that commit them in groups, reads through a few others that never wait
for those. Only what a `Database` knows about itself, and what writer.py knows about threads, is
left out here: this is the protocol, method by method.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from typing_extensions import override

from coordinator.errors import CoordinatorError, JournalClosed
from coordinator.journal import places, sql_prune, sql_reads, sql_writes
from coordinator.journal.clock import Clock
from coordinator.journal.protocol import Pruned
from coordinator.journal.signals import Signals
from coordinator.journal.sql_pushing import SqlPushes
from coordinator.journal.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from sqlalchemy import Connection

    from coordinator.core.model import Payload
    from coordinator.journal.database import Database
    from coordinator.journal.protocol import (
        Acceptance,
        Claim,
        Entry,
        Head,
        HeadChange,
        InboxItem,
        NewTask,
        Record,
        Scope,
        Subscription,
        TaskFilter,
        TaskPage,
    )
    from coordinator.journal.pushing import PushConfig

T = TypeVar("T")


class SqlJournal(SqlPushes):
    """A `Journal` in a SQLite file that no other process may open meanwhile, or in PostgreSQL, which any number may."""

    def __init__(self, database: Database, *, readers: int, now: Clock | None) -> None:
        self._database = database
        self._clock = now
        self._loop = asyncio.get_running_loop()
        self._signals = Signals()
        self._writer = Writer(database, self._signals.hint)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="journal-reader")
        self._is_closed = False
        database.listen(self._overhear)

    @classmethod
    async def open(
        cls, where: str | Path, *, now: Clock | None = None, readers: int = 4, busy_timeout_s: float = 5.0
    ) -> SqlJournal:
        """Open the file that a path or an `sqlite:///` URL names, or the database of a `postgresql://` URL.

        A file, and its directory, is created if need be; in a PostgreSQL database only the tables are. Time is
        the database's, or what *now* says.
        Raises `JournalLocked` while another process has the file open, `JournalTooNew` for a database of a newer
        version, `ConfigurationError` for one that cannot be a journal, `JournalUnavailable` for what may pass.
        """
        work = places.opening(where, readers=readers, busy_timeout_s=busy_timeout_s)
        thread = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            database = await asyncio.shield(thread)
        except asyncio.CancelledError:
            # The thread goes on all the same: what it opens must not stay locked.
            with suppress(CoordinatorError):
                (await thread).close()
            raise
        return cls(database, readers=readers, now=now)

    @override
    async def now(self) -> float:
        """Return the database's time, which for a file is the machine's."""
        return self._clock() if self._clock else await self._read(self._database.now)

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
        work = partial(
            sql_writes.accept,
            task=task,
            record=record,
            payloads=tuple(payloads),
            key=key,
            clock=self._time,
            window_s=window_s,
            push=push,
        )
        return await self._writer.submit(work, task_id=task.task_id)

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
        work = partial(
            sql_writes.put,
            task_id=task_id,
            record=record,
            payloads=tuple(payloads),
            key=key,
            clock=self._time,
            push=push,
            most_pushes=most_pushes,
        )
        return await self._writer.submit(work, task_id=task_id)

    async def claim(self, task_id: str, driver: str, *, after: int | None = None) -> Claim | None:
        """Take the right to drive, with *after* only while that is the epoch; None when it is closed or unknown."""
        work = partial(sql_writes.claim, task_id=task_id, driver=driver, after=after)
        return await self._writer.submit(work, task_id=task_id, is_change=False)

    async def inbox(self, task_id: str) -> Sequence[InboxItem]:
        """Return what was put and not yet consumed, oldest first."""
        return await self._read(partial(sql_reads.inbox_of, task_id=task_id))

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
        work = partial(
            sql_writes.append,
            held=claim,
            records=tuple(records),
            change=change,
            consumed=tuple(consumed),
            payloads=tuple(payloads),
        )
        return await self._writer.submit(work, task_id=claim.task_id)

    async def read(self, task_id: str, after: int = 0, *, limit: int | None = None) -> Sequence[Entry]:
        """Return the entries with seq greater than *after*, in order."""
        return await self._read(partial(sql_reads.entries, task_id=task_id, after=after, limit=limit))

    async def head(self, task_id: str) -> Head | None:
        """Return the head row, or None."""
        return await self._read(partial(sql_reads.head_of, task_id=task_id))

    async def final(self, task_id: str) -> bytes | None:
        """Return the Task stored when the coordination closed, or None."""
        return await self._read(partial(sql_reads.final_of, task_id=task_id))

    async def due(self, now: float, besides: Collection[str] = ()) -> Sequence[str]:
        """Return ids of coordinations that are due, or idle with `wake_at` passed, oldest first."""
        return await self._read(partial(sql_reads.due, now=now, besides=tuple(besides)))

    async def next_wake(self) -> float | None:
        """Return the earliest `wake_at` of the idle coordinations."""
        return await self._read(sql_reads.next_wake)

    async def tasks(self, scope: Scope, query: TaskFilter) -> TaskPage:
        """Return one page of *scope*'s heads."""
        return await self._read_together(partial(sql_reads.tasks, scope=scope, query=query))

    async def find(self, scope: Scope, prefix: str, limit: int = 2) -> Sequence[str]:
        """Return up to *limit* ids of *scope*'s tasks that start with *prefix*."""
        return await self._read(partial(sql_reads.find, scope=scope, prefix=prefix, limit=limit))

    async def payloads(self, digests: Iterable[str]) -> Mapping[str, bytes]:
        """Return the bodies of known digests."""
        asked = tuple(digests)
        read = self._read if len(asked) <= sql_reads.DIGESTS_PER_QUERY else self._read_together
        return await read(partial(sql_reads.payload_bodies, digests=asked))

    async def prune(self, *, closed_before: float, keys_before: float, limit: int = 20) -> Pruned:
        """Forget up to *limit* closed coordinations, and up to as many keys."""
        work = partial(self._prune, closed_before=closed_before, keys_before=keys_before, limit=limit)
        return await self._writer.submit(work)

    async def compact(self) -> None:
        """Give back the space of what was pruned: a file is written anew while everybody else waits."""
        await asyncio.to_thread(self._database.compact)

    def heed(self, on_change: Callable[[str | None], None]) -> AbstractContextManager[None]:
        """Call *on_change* on the loop with the id of each coordination another process changed, inside the context.

        None says that any may have changed: the connection that tells of changes was cut. Hints, as ever: one may
        come for nothing.
        """
        return self._signals.heed(on_change)

    def subscribe(self, task_id: str) -> AbstractAsyncContextManager[Subscription]:
        """Receive hints about *task_id* inside the context."""
        return self._signals.subscribe(task_id)

    async def close(self) -> None:
        """Commit what is queued, let go of the file and its lock; a second time does nothing."""
        self._is_closed = True
        self._writer.stop()
        await asyncio.to_thread(self._let_go)

    def _let_go(self) -> None:
        self._writer.join()
        self._readers.shutdown()
        self._database.close()

    def _prune(self, connection: Connection, *, closed_before: float, keys_before: float, limit: int) -> Pruned:
        self._database.begin_pruning(connection)
        pruned = sql_prune.prune(connection, closed_before, keys_before, limit)
        if pruned != Pruned():
            self._database.give_back(connection)
        return pruned

    def _overhear(self, task_id: str | None) -> None:
        # A closed loop means that nobody waits any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._signals.overhear, task_id)

    @override
    def _time(self, connection: Connection) -> float:
        return self._clock() if self._clock else self._database.now(connection)

    @override
    async def _write(self, work: Callable[[Connection], T], task_id: str, *, is_change: bool = False) -> T:
        return await self._writer.submit(work, task_id=task_id, is_change=is_change)

    @override
    async def _read(self, query: Callable[[Connection], T]) -> T:
        return await self._in_reader(partial(self._database.read, query))

    async def _read_together(self, query: Callable[[Connection], T]) -> T:
        return await self._in_reader(partial(self._database.read_together, query))

    async def _in_reader(self, read: Callable[[], T]) -> T:
        if self._is_closed:
            raise JournalClosed
        return await asyncio.get_running_loop().run_in_executor(self._readers, read)

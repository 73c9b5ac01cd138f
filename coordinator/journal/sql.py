"""The journal in a database: SQLite now, and nothing here that PostgreSQL could not do.

Writes go through one thread that commits them in groups, reads through a few others that
never wait for it. Only what sqlite.py knows about the file, and what writer.py knows about
threads, is left out here: this is the protocol, method by method.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from coordinator.errors import CoordinatorError, JournalClosed
from coordinator.journal import sql_prune, sql_reads, sql_writes
from coordinator.journal.clock import Clock, system_time
from coordinator.journal.signals import Signals
from coordinator.journal.sqlite import SqliteFile, path_of
from coordinator.journal.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from sqlalchemy import Connection

    from coordinator.core.model import Payload
    from coordinator.journal.protocol import (
        Acceptance,
        Claim,
        Entry,
        Head,
        HeadChange,
        InboxItem,
        NewTask,
        Pruned,
        Record,
        Scope,
        Subscription,
        TaskFilter,
        TaskPage,
    )

T = TypeVar("T")


class SqlJournal:
    """A `Journal` in a SQLite file that no other process may open meanwhile."""

    def __init__(self, database: SqliteFile, *, readers: int, now: Clock) -> None:
        self._database = database
        self._now = now
        self._signals = Signals()
        self._writer = Writer(database, self._signals.hint)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="journal-reader")
        self._is_closed = False

    @classmethod
    async def open(
        cls, where: str | Path, *, now: Clock = system_time, readers: int = 4, busy_timeout_s: float = 5.0
    ) -> SqlJournal:
        """Open the file that a path or an `sqlite:///` URL names; create it, and its directory, if need be.

        Raises `JournalLocked` while another process has it open, `JournalTooNew` for a file of a newer
        version, `ConfigurationError` for one that cannot be a journal, `JournalUnavailable` for what may pass.
        """
        opening = partial(SqliteFile.open, path_of(where), busy_timeout_s=busy_timeout_s, readers=readers)
        thread = asyncio.get_running_loop().run_in_executor(None, opening)
        try:
            database = await asyncio.shield(thread)
        except asyncio.CancelledError:
            # The thread goes on all the same: what it opens must not stay locked.
            with suppress(CoordinatorError):
                (await thread).close()
            raise
        return cls(database, readers=readers, now=now)

    async def now(self) -> float:
        """Return the machine's time: the file is on it."""
        return self._now()

    async def accept(
        self, task: NewTask, record: Record, *, payloads: Iterable[Payload] = (), key: str = "", window_s: float = 600.0
    ) -> Acceptance:
        """Create a head with *record* as entry 1, unless *key* was accepted within *window_s*."""
        now = self._now()
        work = partial(
            sql_writes.accept,
            task=task,
            record=record,
            payloads=tuple(payloads),
            key=key,
            now=now,
            since=now - window_s,
        )
        return await self._writer.submit(work, changes=task.task_id)

    async def put(self, task_id: str, record: Record, *, payloads: Iterable[Payload] = (), key: str = "") -> bool:
        """Leave *record* in the inbox and make the coordination due."""
        work = partial(
            sql_writes.put, task_id=task_id, record=record, payloads=tuple(payloads), key=key, now=self._now()
        )
        return await self._writer.submit(work, changes=task_id)

    async def claim(self, task_id: str, driver: str) -> Claim | None:
        """Take the right to drive; None when it is closed or unknown."""
        return await self._writer.submit(partial(sql_writes.claim, task_id=task_id, driver=driver))

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
        return await self._writer.submit(work, changes=claim.task_id)

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
        return await self._read(partial(sql_reads.tasks, scope=scope, query=query))

    async def find(self, scope: Scope, prefix: str, limit: int = 2) -> Sequence[str]:
        """Return up to *limit* ids of *scope*'s tasks that start with *prefix*."""
        return await self._read(partial(sql_reads.find, scope=scope, prefix=prefix, limit=limit))

    async def payloads(self, digests: Iterable[str]) -> Mapping[str, bytes]:
        """Return the bodies of known digests."""
        return await self._read(partial(sql_reads.payload_bodies, digests=tuple(digests)))

    async def prune(self, *, closed_before: float, keys_before: float, limit: int = 20) -> Pruned:
        """Forget up to *limit* closed coordinations, and up to as many keys."""
        work = partial(sql_prune.prune, closed_before=closed_before, keys_before=keys_before, limit=limit)
        return await self._writer.submit(work)

    async def compact(self) -> None:
        """Write the file anew, as small as it can be; everybody else waits meanwhile."""
        await asyncio.to_thread(self._database.compact)

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

    async def _read(self, query: Callable[[Connection], T]) -> T:
        if self._is_closed:
            raise JournalClosed
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._database.read, query)

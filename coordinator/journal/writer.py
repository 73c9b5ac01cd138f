"""The one thread that writes: it commits whatever has gathered while it was busy, together.

A commit waits for the disk, and that costs the same for one job or for fifty. A job that is
refused (a lost claim, a closed task) is undone by itself; when the database fails in the middle,
all of them are rolled back and each is tried once more alone, so that one that is too large does
not take the others down. Nobody hears of a success before the commit.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar, cast

from coordinator.errors import JournalClosed, JournalError, JournalUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from coordinator.journal.sqlite import SqliteFile

T = TypeVar("T")

#: Bounds how long the first of a group waits for the last.
JOBS_PER_COMMIT = 256


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    work: Callable[[Connection], object]
    changes: str
    waiting: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    value: object = None
    error: Exception | None = None


class Writer:
    """A queue of jobs in front of one connection; *on_change* hears of every task whose job was committed."""

    def __init__(self, database: SqliteFile, on_change: Callable[[str], None]) -> None:
        self._database = database
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._is_stopping = False
        # A daemon, so that a program that forgets to close ends all the same: that is a crash, and survived like one.
        self._thread = Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    async def submit(self, work: Callable[[Connection], T], *, changes: str = "") -> T:
        """Run *work*, which changes the task *changes*, in a transaction and return its value once that is committed.

        Whoever is canceled here does not stop the job: it may still be committed.
        """
        if self._is_stopping:
            raise JournalClosed
        job = _Job(work, changes, self._loop.create_future())
        self._jobs.put(job)
        return cast(T, await job.waiting)

    def stop(self) -> None:
        """Take no more jobs; those in the queue are still done."""
        self._is_stopping = True
        self._jobs.put(None)

    def join(self) -> None:
        """Wait, in another thread than the loop's, until the queue is done."""
        self._thread.join()

    def _run(self) -> None:
        is_running = True
        while is_running:
            batch, is_running = self._next_batch()
            if batch:
                outcomes = self._committed(batch)
                # A closed loop means that nobody waits any more.
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._settle, batch, outcomes)

    def _next_batch(self) -> tuple[list[_Job], bool]:
        """Wait for one job and take what is queued behind it; False when there will be no more."""
        batch: list[_Job] = []
        # Only this thread takes jobs out, so a queue that is not empty does not make it wait.
        while not batch or (len(batch) < JOBS_PER_COMMIT and not self._jobs.empty()):
            job = self._jobs.get()
            if job is None:
                return batch, False
            batch.append(job)
        return batch, True

    def _committed(self, batch: Sequence[_Job]) -> Sequence[_Outcome]:
        if len(batch) > 1:
            try:
                return self._together(batch)
            except Exception:  # noqa: BLE001, S110 - nothing was written; whose error it is shows below
                pass
        return [self._alone(job) for job in batch]

    def _together(self, batch: Sequence[_Job]) -> Sequence[_Outcome]:
        with ExitStack() as transaction:
            try:
                connection = transaction.enter_context(self._database.transaction())
            except JournalUnavailable as error:
                # Not one of them is to blame, and alone each would wait as long again.
                return [_Outcome(error=JournalUnavailable(str(error))) for _ in batch]
            return [_in_savepoint(connection, job) for job in batch]

    def _alone(self, job: _Job) -> _Outcome:
        try:
            with self._database.transaction() as connection:
                return _Outcome(job.work(connection))
        except Exception as error:  # noqa: BLE001 - it is handed to whoever waits for this job
            return _Outcome(error=error)

    def _settle(self, batch: Sequence[_Job], outcomes: Sequence[_Outcome]) -> None:
        for job, outcome in zip(batch, outcomes, strict=True):
            if outcome.error is None:
                self._on_change(job.changes)
            if job.waiting.done():
                continue  # canceled meanwhile
            if outcome.error is None:
                job.waiting.set_result(outcome.value)
            else:
                job.waiting.set_exception(outcome.error)


def _in_savepoint(connection: Connection, job: _Job) -> _Outcome:
    connection.exec_driver_sql("SAVEPOINT job")
    try:
        outcome = _Outcome(job.work(connection))
    except JournalError as error:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT job")
        outcome = _Outcome(error=error)
    connection.exec_driver_sql("RELEASE SAVEPOINT job")
    return outcome

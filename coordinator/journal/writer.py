"""The threads that write: each commits whatever has gathered while it was busy, together.

A commit waits for the disk, and that costs the same for one job or for fifty. A job that is
refused (a lost claim, a closed task) is undone by itself; when the database fails in the middle,
all of them are rolled back and each is tried once more alone, so that one that is too large does
not take the others down. Nobody hears of a success before the commit. A database that is open to
other processes can find two of them in each other's way: then a job is done again, alone.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar, cast

from coordinator.errors import JournalClosed, JournalError, JournalUnavailable
from coordinator.journal.database import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from coordinator.journal.database import Database

T = TypeVar("T")

#: Bounds how long the first of a group waits for the last.
JOBS_PER_COMMIT = 256

#: One try is enough when the other was done: only a crowd that wants the same row needs more.
TRIES_ALONE = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    work: Callable[[Connection], object]
    task_id: str
    is_change: bool
    waiting: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    value: object = None
    error: Exception | None = None
    is_away: bool = False  #: whether the database could not even begin


class Writer:
    """A queue of jobs in front of a database; *on_change* hears of every task whose job was committed."""

    def __init__(self, database: Database, on_change: Callable[[str], None]) -> None:
        self._database = database
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._is_stopping = False
        # Daemons, so that a program that forgets to close ends all the same: that is a crash, and survived like one.
        names = [f"journal-writer-{number}" for number in range(database.writers)]
        self._threads = [Thread(target=self._run, name=name, daemon=True) for name in names]
        for thread in self._threads:
            thread.start()

    async def submit(self, work: Callable[[Connection], T], *, task_id: str = "", is_change: bool = True) -> T:
        """Run *work*, which touches the task *task_id*, in a transaction and return its value once that is committed.

        Whoever is canceled here does not stop the job: it may still be committed.
        """
        if self._is_stopping:
            raise JournalClosed
        job = _Job(work, task_id, is_change and bool(task_id), self._loop.create_future())
        self._jobs.put(job)
        return cast(T, await job.waiting)

    def stop(self) -> None:
        """Take no more jobs; those in the queue are still done."""
        self._is_stopping = True
        for _ in self._threads:
            self._jobs.put(None)

    def join(self) -> None:
        """Wait, in another thread than the loop's, until the queue is done."""
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        is_running = True
        while is_running:
            batch, is_running = self._next_batch()
            if batch:
                outcomes = self._committed(batch)
                # A closed loop means that nobody waits any more.
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._settle, batch, outcomes)

    def _next_batch(self) -> tuple[Sequence[_Job], bool]:
        """Wait for one job and take what is queued behind it; False when there will be no more."""
        first = self._jobs.get()
        if first is None:
            return [], False
        batch = [first]
        with suppress(Empty):
            while len(batch) < JOBS_PER_COMMIT:
                job = self._jobs.get_nowait()
                if job is None:
                    return _in_order(batch), False
                batch.append(job)
        return _in_order(batch), True

    def _committed(self, batch: Sequence[_Job]) -> Sequence[_Outcome]:
        if len(batch) > 1:
            try:
                return self._together(batch)
            except Exception:  # noqa: BLE001, S110 - nothing was written; whose error it is shows below
                pass
        outcomes = [self._alone(batch[0])]
        for job in batch[1:]:
            away = outcomes[-1] if outcomes[-1].is_away else None
            outcomes.append(_away(away.error) if away else self._alone(job))
        return outcomes

    def _together(self, batch: Sequence[_Job]) -> Sequence[_Outcome]:
        with ExitStack() as transaction:
            try:
                connection = transaction.enter_context(self._database.transaction())
            except JournalUnavailable as error:
                # Not one of them is to blame, and alone each would wait as long again.
                return [_away(error) for _ in batch]
            outcomes = [_in_savepoint(connection, job) for job in batch]
            done = [job for job, outcome in zip(batch, outcomes, strict=True) if outcome.error is None]
            self._announce(connection, done)
        return outcomes

    def _alone(self, job: _Job) -> _Outcome:
        tries = 0
        while True:
            tries += 1
            try:
                return self._once(job)
            except Conflict as error:
                if tries == TRIES_ALONE:
                    # Not another transaction, then: it is what was asked for, a task id that is taken for example.
                    return _Outcome(error=JournalError(str(error)))
            except Exception as error:  # noqa: BLE001 - it is handed to whoever waits for this job
                return _Outcome(error=error)

    def _once(self, job: _Job) -> _Outcome:
        with ExitStack() as transaction:
            try:
                connection = transaction.enter_context(self._database.transaction())
            except JournalUnavailable as error:
                return _away(error)
            outcome = _Outcome(job.work(connection))
            self._announce(connection, [job])
        return outcome

    def _announce(self, connection: Connection, done: Sequence[_Job]) -> None:
        changed = dict.fromkeys(job.task_id for job in done if job.is_change)
        if changed:
            self._database.announce(connection, tuple(changed))

    def _settle(self, batch: Sequence[_Job], outcomes: Sequence[_Outcome]) -> None:
        for job, outcome in zip(batch, outcomes, strict=True):
            if outcome.error is None and job.is_change:
                self._on_change(job.task_id)
            if job.waiting.done():
                continue  # canceled meanwhile
            if outcome.error is None:
                job.waiting.set_result(outcome.value)
            else:
                job.waiting.set_exception(outcome.error)


def _in_order(batch: list[_Job]) -> Sequence[_Job]:
    """Put the jobs of each task together, in their order: who locks rows in one order cannot lock others out."""
    return sorted(batch, key=lambda job: job.task_id)


def _away(error: Exception | None) -> _Outcome:
    # One each: an error that is raised twice collects the traces of both.
    return _Outcome(error=JournalUnavailable(str(error)), is_away=True)


def _in_savepoint(connection: Connection, job: _Job) -> _Outcome:
    connection.exec_driver_sql("SAVEPOINT job")
    try:
        outcome = _Outcome(job.work(connection))
    except JournalError as error:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT job")
        outcome = _Outcome(error=error)
    connection.exec_driver_sql("RELEASE SAVEPOINT job")
    return outcome

"""Short ways to say what the tests of the journal are about."""

import asyncio
import threading
from contextlib import asynccontextmanager

from coordinator.journal import Claim, HeadChange, Journal, NewTask, Record, Scope, SqlJournal, Status

ALICE = Scope("alice")
BOB = Scope("bob")

WORKING = HeadChange("working", Status.DUE, status_at=1_000.0)
PARKED = HeadChange("input-required", Status.IDLE, status_at=1_000.0)
CLOSED = HeadChange("completed", Status.CLOSED, status_at=1_000.0, final=b"the task")


class SetClock:
    """A clock that shows what the test sets."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time


def record(body: str = "{}", kind: str = "Something") -> Record:
    return Record(kind, 1, body)


def new_task(task_id: str = "t1", *, context: str = "c1", scope: Scope = ALICE, at: float = 1_000.0) -> NewTask:
    return NewTask(task_id, context, scope, plan="review", state="submitted", at=at)


async def accepted(journal: Journal, task_id: str = "t1", **about) -> str:
    await journal.accept(new_task(task_id, **about), record("accepted"))
    return task_id


async def claimed(journal: Journal, task_id: str = "t1", **about) -> Claim:
    claim = await journal.claim(await accepted(journal, task_id, **about), "driver")
    assert claim is not None
    return claim


async def bodies(journal: Journal, task_id: str = "t1", after: int = 0) -> list[str]:
    entries = await journal.read(task_id, after)
    assert [entry.seq for entry in entries] == list(range(after + 1, after + 1 + len(entries)))
    return [entry.record.body for entry in entries]


async def inbox_bodies(journal: Journal, task_id: str = "t1") -> list[str]:
    return [item.record.body for item in await journal.inbox(task_id)]


@asynccontextmanager
async def busy(journal: SqlJournal):
    """Keep the one writing thread busy inside the block, so that what is asked for there queues up as one group."""
    entered, gate = threading.Event(), threading.Event()

    def block(_connection) -> None:
        entered.set()
        assert gate.wait(30)

    async with asyncio.TaskGroup() as group:
        group.create_task(journal._writer.submit(block))
        await asyncio.to_thread(entered.wait)
        yield group
        await asyncio.sleep(0)  # the tasks of the block have queued their jobs now
        gate.set()

"""The writing thread: groups, refusals, failures, cancellation, the end."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import event

from coordinator.errors import ClaimLost, JournalError, JournalUnavailable
from coordinator.journal import Claim, Payload, SqlJournal, writer
from tests.journal.builders import PARKED, WORKING, accepted, bodies, busy, claimed, new_task, record


@pytest.fixture
def commits(sqlite):
    """Count the commits of the writing connection."""
    seen: list[object] = []
    event.listen(sqlite._database._writing, "commit", seen.append)
    return seen


async def test_what_queues_up_is_committed_together(sqlite, commits):
    claims = [await claimed(sqlite, f"t{n}") for n in range(50)]
    commits.clear()
    async with busy(sqlite) as group:
        for claim in claims:
            group.create_task(sqlite.append(claim, [record("a")], WORKING))
    assert len(commits) == 2  # the busy one and the group
    for claim in claims:
        assert await bodies(sqlite, claim.task_id) == ["accepted", "a"]


async def test_many_concurrent_appends_need_fewer_commits(sqlite, commits):
    claims = [await claimed(sqlite, f"t{n}") for n in range(40)]
    commits.clear()

    async def drive(claim: Claim) -> None:
        for n in range(5):
            claim = await sqlite.append(claim, [record(str(n))], WORKING)

    async with asyncio.TaskGroup() as group:
        for claim in claims:
            group.create_task(drive(claim))
    assert len(commits) < 100  # of 200 appends
    for claim in claims:
        assert len(await bodies(sqlite, claim.task_id)) == 6


async def test_a_group_is_bounded(sqlite, commits, monkeypatch):
    monkeypatch.setattr(writer, "JOBS_PER_COMMIT", 10)
    async with busy(sqlite) as group:
        for n in range(25):
            group.create_task(accepted(sqlite, f"t{n}"))
    assert len(commits) == 4  # the busy one, ten, ten, five


async def test_a_refused_job_does_not_hurt_its_group(sqlite, commits):
    lost = await claimed(sqlite, "t1")
    await sqlite.claim("t1", "somebody else")
    commits.clear()
    async with busy(sqlite) as group:
        before = group.create_task(accepted(sqlite, "t2"))
        refused = group.create_task(failing(sqlite.append(lost, [record()], WORKING, payloads=[Payload("d", b"x")])))
        after = group.create_task(accepted(sqlite, "t3"))
    assert isinstance(refused.result(), ClaimLost)
    assert (before.result(), after.result()) == ("t2", "t3")
    assert len(commits) == 2
    assert await sqlite.payloads(["d"]) == {}
    assert await bodies(sqlite, "t3") == ["accepted"]


async def failing(call) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the test says which one
        await call
    return caught.value


async def test_jobs_of_one_group_build_on_one_another(sqlite):
    claim = await claimed(sqlite)
    async with busy(sqlite) as group:
        for n in range(5):
            group.create_task(sqlite.append(replace(claim, seq=claim.seq + n), [record(str(n))], WORKING))
    assert await bodies(sqlite) == ["accepted", "0", "1", "2", "3", "4"]


async def test_one_job_too_large_for_the_disk_does_not_take_the_others_down(sqlite):
    def limit(connection) -> None:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {used + 10}")

    await sqlite._writer.submit(limit)
    async with busy(sqlite) as group:
        first = group.create_task(accepted(sqlite, "t1"))
        large = group.create_task(failing(sqlite.accept(new_task("t2"), record("x" * 1_000_000))))
        last = group.create_task(accepted(sqlite, "t3"))
    assert (first.result(), last.result()) == ("t1", "t3")
    assert isinstance(large.result(), JournalUnavailable)
    assert await sqlite.head("t2") is None
    assert await bodies(sqlite, "t3") == ["accepted"]


async def test_a_group_that_cannot_begin_waits_once_not_once_for_each(path):
    journal = await SqlJournal.open(path, busy_timeout_s=0.2)
    attempts: list[object] = []
    event.listen(journal._database._writing, "handle_error", attempts.append)
    with closing(sqlite3.connect(path, isolation_level=None)) as intruder:
        intruder.execute("BEGIN IMMEDIATE")
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(failing(accepted(journal, f"t{n}"))) for n in range(10)]
    errors = {call.result() for call in calls}
    assert {type(error) for error in errors} == {JournalUnavailable}
    assert len(errors) == 10  # each caller gets one of its own
    assert all(str(path) in str(error) for error in errors)
    assert 0 < len(attempts) < 10
    await journal.close()


async def test_a_commit_that_fails_fails_only_its_job(sqlite):
    def orphan(connection) -> None:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        connection.exec_driver_sql("INSERT INTO journal VALUES ('nobody', 1, 0, 'Something', 1, '')")

    async with busy(sqlite) as group:
        first = group.create_task(accepted(sqlite, "t1"))
        wrong = group.create_task(failing(sqlite._writer.submit(orphan)))
        last = group.create_task(accepted(sqlite, "t2"))
    assert (first.result(), last.result()) == ("t1", "t2")
    assert isinstance(wrong.result(), JournalError)
    assert await sqlite.read("nobody") == ()


async def test_a_bug_in_a_job_reaches_its_caller_only(sqlite):
    def bug(_connection) -> None:
        message = "a bug"
        raise ZeroDivisionError(message)

    async with busy(sqlite) as group:
        first = group.create_task(accepted(sqlite, "t1"))
        wrong = group.create_task(failing(sqlite._writer.submit(bug)))
    assert isinstance(wrong.result(), ZeroDivisionError)
    assert first.result() == "t1"
    assert isinstance(await failing(sqlite._writer.submit(bug)), ZeroDivisionError)
    await accepted(sqlite, "t2")


async def test_reads_do_not_wait_for_the_writer(sqlite):
    await accepted(sqlite)
    async with busy(sqlite) as group:
        waiting = group.create_task(sqlite.put("t1", record()))
        assert (await sqlite.head("t1")).seq == 1
        assert await sqlite.inbox("t1") == ()
        assert not waiting.done()


async def test_nothing_is_heard_before_the_commit(path, sqlite):
    claim = await claimed(sqlite)
    seen: list[int] = []

    def count(_connection) -> None:
        outside = sqlite3.connect(path)
        seen.append(outside.execute("SELECT seq FROM head").fetchone()[0])
        outside.close()

    event.listen(sqlite._database._writing, "commit", count)
    async with sqlite.subscribe("t1") as subscription:
        await sqlite.append(claim, [record()], PARKED)
        event.remove(sqlite._database._writing, "commit", count)
        await subscription.wait(60.0)
    assert seen == [1]
    assert (await sqlite.head("t1")).seq == 2


# --- cancellation -----------------------------------------------------------------------------------------


async def test_a_canceled_append_may_still_be_committed_and_corrupts_nothing(sqlite):
    claim = await claimed(sqlite)
    async with busy(sqlite) as group:
        canceled = group.create_task(sqlite.append(claim, [record("a")], WORKING))
        refused = group.create_task(sqlite.append(claim, [record("b")], WORKING))
        await asyncio.sleep(0)
        canceled.cancel()
        refused.cancel()
    assert canceled.cancelled()
    assert refused.cancelled()
    again = await sqlite.claim("t1", "driver")
    assert again.seq == 1 + len(await bodies(sqlite, after=1))
    await sqlite.append(again, [record("c")], WORKING)
    assert await bodies(sqlite) == ["accepted", "a", "c"]


async def test_the_committed_append_of_a_canceled_caller_gives_its_hint(sqlite):
    claim = await claimed(sqlite)
    async with sqlite.subscribe("t1") as subscription:
        async with busy(sqlite) as group:
            canceled = group.create_task(sqlite.append(claim, [record("a")], WORKING))
            await asyncio.sleep(0)
            canceled.cancel()
        await subscription.wait(60.0)
        assert (await sqlite.head("t1")).seq == 2


async def test_a_canceled_read_is_nobodys_error(sqlite):
    entered, gate = threading.Event(), threading.Event()

    def slow(_connection) -> None:
        entered.set()
        gate.wait(30)
        message = "nobody listens any more"
        raise ZeroDivisionError(message)

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(sqlite._read(slow))
        await asyncio.to_thread(entered.wait)
        reading.cancel()
    gate.set()
    assert await sqlite.head("t1") is None


# --- the end ----------------------------------------------------------------------------------------------


async def test_closing_commits_what_is_queued(path, sqlite):
    async with busy(sqlite) as group:
        queued = [group.create_task(accepted(sqlite, f"t{n}")) for n in range(5)]
        await asyncio.sleep(0)
        closing = group.create_task(sqlite.close())
        other = group.create_task(sqlite.close())
        await asyncio.sleep(0)
        late = group.create_task(failing(sqlite.claim("t1", "driver")))
        await asyncio.sleep(0)
        assert isinstance(late.result(), JournalUnavailable)
        assert not any(task.done() for task in (*queued, closing, other))
    assert [task.result() for task in queued] == ["t0", "t1", "t2", "t3", "t4"]
    again = await SqlJournal.open(path)
    assert len(await again.due(0.0)) == 5
    await again.close()


async def test_a_close_that_is_canceled_can_be_repeated(path, sqlite):
    async with busy(sqlite) as group:
        closing = group.create_task(sqlite.close())
        await asyncio.sleep(0)
        closing.cancel()
    assert closing.cancelled()
    await sqlite.close()
    await (await SqlJournal.open(path)).close()


def test_a_loop_that_ends_before_the_journal_leaves_the_thread_alive(path):
    gate = threading.Event()

    async def leave() -> SqlJournal:
        journal = await SqlJournal.open(path)
        async with asyncio.TaskGroup() as group:
            leaving = group.create_task(journal._writer.submit(lambda _: gate.wait(30)))
            await asyncio.sleep(0)
            leaving.cancel()
        return journal

    journal = asyncio.run(leave())
    gate.set()
    journal._writer.stop()
    journal._let_go()

    async def look() -> None:
        await (await SqlJournal.open(path)).close()

    asyncio.run(look())

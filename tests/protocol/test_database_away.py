"""The database goes away while a task is under way: the work waits, goes on by itself, and nothing is done twice."""

import asyncio
import sqlite3
from contextlib import ExitStack, closing

import pytest
from a2a.types import a2a_pb2 as a2a

from coordinator import app, engine
from coordinator.errors import JournalUnavailable
from coordinator.journal import MemoryJournal, SqlJournal
from coordinator.testing import Behaviour, Script, answers
from tests.journal.away import AwayJournal
from tests.protocol.clients import all_of, asking_for, message, states, texts
from tests.protocol.specialists import busy, hold, release, says
from tests.protocol.wires import refusal_in, send


@pytest.fixture(params=["memory", "sqlite"])
async def journal(request, tmp_path, monkeypatch):
    """The journal of the next coordinator, which tests take away or fill up."""
    inner = MemoryJournal()
    if request.param == "sqlite":
        inner = await SqlJournal.open(tmp_path / "coordinator.db", busy_timeout_s=0.01)
    journal = AwayJournal(inner)

    async def given(_):
        return journal

    monkeypatch.setattr(app, "_journal", given)
    yield journal
    await inner.close()


@pytest.fixture
def plans():
    return ("gather", "alone")


@pytest.fixture
async def url(journal, start):
    return await start()


@pytest.fixture
def binding():
    """One binding is enough: what differs between them is in the tests of refusals."""
    return "JSONRPC"


on_sqlite = pytest.mark.parametrize("journal", ["sqlite"], indirect=True)


def check_done_once(task, fleet):
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    assert len(texts(task)) == 2
    assert (fleet.counts.tasks, fleet.counts.doubled) == (2, [])
    assert fleet.counts.sends == 2


@pytest.mark.parametrize("methods", [(), ("append",), ("payloads",), ("read",), ("inbox",)], ids=str)
async def test_a_task_under_way_outlasts_an_outage(client, journal, fleet, methods, monkeypatch):
    if methods == ("inbox",):
        monkeypatch.setattr(engine, "RECHECK_S", 0.0)  # else nobody looks into it soon enough
    hold(fleet)
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(client.send())
        await busy(fleet, "ada", "bob")
        with journal.away(*methods):
            release(fleet)
            await journal.until_refused(methods[0] if methods else "append")
        task = await sending
    check_done_once(task, fleet)
    assert (await journal.head(task.id)).epoch == 1  # the turn itself has waited: nothing had to be found out anew


async def test_a_stream_outlasts_an_outage_and_misses_nothing(client, journal, fleet):
    hold(fleet)
    async with asyncio.TaskGroup() as group:
        streaming = group.create_task(all_of(client.stream()))
        await busy(fleet, "ada", "bob")
        with journal.away():
            says(fleet, "ada", "still at it")
            release(fleet)
            await journal.until_refused("append")
        events = await streaming
    assert states(events)[-2:] == ["WORKING", "COMPLETED"]
    check_done_once(await client.get(events[0].task.id), fleet)


async def test_an_append_that_was_written_although_it_failed_is_not_written_twice(client, journal, fleet):
    hold(fleet)
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(client.send())
        await busy(fleet, "ada", "bob")
        with journal.unsure("append"):
            release(fleet)
            await journal.until_refused("append")
        task = await sending
    check_done_once(task, fleet)


async def test_a_task_accepted_just_before_an_outage_is_taken_up_by_itself(client, journal, fleet):
    with journal.away("claim"):
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(client.send())
            await journal.until_refused("claim")
            journal._is_away = lambda _: False
            task = await sending
    check_done_once(task, fleet)


async def test_an_answer_that_is_in_is_not_refused_when_the_database_goes_away(client, journal, fleet):
    fleet["eve"].behave(Script((Behaviour(end="input_required", end_text="which?", artifacts=()), Behaviour())))
    asked = await client.send(asking_for("alone"))
    assert asked.status.state == a2a.TASK_STATE_INPUT_REQUIRED
    put = journal.inner.put

    async def putting(*args, **kwargs):
        try:
            return await put(*args, **kwargs)
        finally:
            group.create_task(brought_back())
            away.enter_context(journal.away("read"))

    async def brought_back():
        await journal.until_refused("read")
        away.close()

    journal.inner.put = putting
    with ExitStack() as away:
        async with asyncio.TaskGroup() as group:
            answered = await client.send(message("that one", task_id=asked.id, context_id=asked.context_id))
    assert answered.status.state == a2a.TASK_STATE_COMPLETED
    assert fleet["eve"].counts.sends == 2


@on_sqlite
async def test_a_full_disk_refuses_new_work_and_lets_running_work_wait(client, http, journal, fleet):
    for agent in ("ada", "bob"):
        fleet[agent].behave(Behaviour(artifacts=(answers.text("x" * 300_000),)))
    hold(fleet)
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(client.send())
        await busy(fleet, "ada", "bob")
        await limited(journal.inner, pages=0)
        release(fleet)
        await journal.until_refused("append")
        refused = await send(http, "HTTP+JSON 1.0", {"message": large()})
        assert (refused.status_code, refusal_in(refused).reason) == (503, "JOURNAL_UNAVAILABLE")
        assert int(refused.headers["retry-after"]) > 0
        await limited(journal.inner, pages=10_000)
        task = await sending
    check_done_once(task, fleet)
    assert (await send(http, "HTTP+JSON 1.0", {"message": large()})).status_code == 200


def large():
    return {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x" * 100_000}]}


async def limited(journal, pages):
    """Let the file grow by *pages* at most: SQLite reports that like a full disk."""

    def limit(connection):
        used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {used + pages}")

    await journal._writer.submit(limit)


@on_sqlite
async def test_a_database_another_program_writes_to_refuses_new_work_and_lets_running_work_wait(
    client, http, journal, fleet, tmp_path
):
    hold(fleet)
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(client.send())
        await busy(fleet, "ada", "bob")
        with closing(sqlite3.connect(tmp_path / "coordinator.db", isolation_level=None)) as intruder:
            intruder.execute("BEGIN IMMEDIATE")
            release(fleet)
            await journal.until_refused("append")
            refused = await send(http, "JSONRPC 1.0")
            assert refusal_in(refused).code == -32603
            assert int(refused.headers["retry-after"]) > 0
            intruder.execute("ROLLBACK")
        task = await sending
    check_done_once(task, fleet)


async def test_whoever_asks_whether_it_is_ready_learns_nothing_of_the_database(http, journal, monkeypatch):
    async def now():
        raise JournalUnavailable("connection to server at 10.0.0.7, user coordinator, failed")

    monkeypatch.setattr(journal, "now", now, raising=False)
    answer = await http.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "the database is away\n")

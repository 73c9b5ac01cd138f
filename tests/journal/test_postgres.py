"""Two journals on one PostgreSQL database, as two replicas have it; and what befalls their connections."""

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import psycopg
import pytest
from sqlalchemy import make_url

from coordinator.errors import (
    ClaimLost,
    ConfigurationError,
    JournalError,
    JournalTooNew,
    JournalUnavailable,
    TaskClosed,
)
from coordinator.journal import Payload, Pruned, SqlJournal, Status, listener, migrations, outage
from coordinator.journal import postgres as postgres_module
from coordinator.journal.migrations.versions import v0002
from coordinator.journal.places import shown
from coordinator.journal.sql_schema import SCHEMA_VERSION
from tests import postgres as servers
from tests.journal.builders import (
    CLOSED,
    PARKED,
    WORKING,
    accepted,
    bodies,
    busy,
    claimed,
    inbox_bodies,
    new_task,
    record,
)

NEVER = 60.0


@pytest.fixture
async def two(postgres_url):
    async with AsyncExitStack() as stack:
        journals = []
        for _ in range(2):
            journals.append(await SqlJournal.open(postgres_url))
            stack.push_async_callback(journals[-1].close)
        yield journals


def execute(url, statement, *about):
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement, about)
        return cursor.fetchall() if cursor.description else []


CUT = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


# --- two at once ------------------------------------------------------------------------------------------


async def test_whoever_claims_last_writes_and_the_other_does_not(two):
    first, second = two
    lost = await claimed(first)
    claim = await second.claim("t1", "second")
    with pytest.raises(ClaimLost):
        await first.append(lost, [record("lost")], WORKING)
    await second.append(claim, [record("kept")], WORKING)
    assert await bodies(first) == ["accepted", "kept"]


async def test_of_appends_under_one_claim_at_two_replicas_one_is_written(two):
    claim = await claimed(two[0])
    outcomes = []

    async def append(journal, number):
        try:
            outcomes.append(await journal.append(claim, [record(str(number))], WORKING))
        except ClaimLost:
            outcomes.append(None)

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(append(two[number % 2], number))
    assert sum(1 for outcome in outcomes if outcome) == 1
    assert len(await bodies(two[0])) == 2


async def test_a_key_that_comes_to_two_replicas_at_once_makes_one_task(two):
    for round_ in range(10):
        async with asyncio.TaskGroup() as group:
            calls = [
                group.create_task(journal.accept(new_task(f"{round_}-{number}-{n}"), record(), key=f"key {round_}"))
                for n, journal in enumerate(two)
                for number in range(5)
            ]
        answers = [call.result() for call in calls]
        assert len({answer.task_id for answer in answers}) == 1
        assert sum(answer.created for answer in answers) == 1
    assert len(await two[0].due(0.0)) == 10


async def test_a_key_whose_window_passed_makes_one_task_as_well(two):
    await two[0].accept(new_task("old"), record(), key="k")
    async with asyncio.TaskGroup() as group:
        calls = [
            group.create_task(
                journal.accept(new_task(f"t{n}{m}"), record(), key="k", window_s=0.0 if m == 0 else 600.0)
            )
            for n, journal in enumerate(two)
            for m in range(5)
        ]
    fresh = [call.result() for call in calls if call.result().created]
    assert 1 <= len(fresh) <= 2  # each that says it came too late for the older one may make one
    heads = [await two[0].head(call.result().task_id) for call in calls]
    assert all(heads)


async def test_a_task_id_that_is_taken_at_another_replica_is_refused(two):
    await accepted(two[0])
    with pytest.raises(JournalError, match="t1"):
        await accepted(two[1])


async def test_a_message_put_at_two_replicas_with_one_key_is_put_once(two):
    await accepted(two[0])
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(journal.put("t1", record(), key="k")) for journal in two for _ in range(5)]
    assert sum(call.result() for call in calls) == 1
    assert len(await two[0].inbox("t1")) == 1


@pytest.mark.parametrize("change", [PARKED, CLOSED], ids=["parks", "closes"])
async def test_what_is_put_while_another_replica_goes_idle_is_never_overlooked(two, change):
    driving, serving = two
    for number in range(15):
        task_id = f"t{number}"
        claim = await claimed(driving, task_id)
        async with asyncio.TaskGroup() as group:
            group.create_task(driving.append(claim, [record()], change))
            put = group.create_task(refusable(serving.put(task_id, record("message"))))
        head = await driving.head(task_id)
        if isinstance(put.result(), TaskClosed):
            assert head.status is Status.CLOSED
        else:
            assert head.status is Status.DUE
            assert await inbox_bodies(driving, task_id) == ["message"]


async def refusable(call):
    try:
        return await call
    except JournalError as error:
        return error


async def test_the_inbox_is_in_the_order_it_was_committed_in(two):
    # Whoever reads the inbox must never find a smaller number later than a greater one.
    await accepted(two[0])
    seen: list[int] = []
    async with asyncio.TaskGroup() as group:
        puts = [group.create_task(journal.put("t1", record())) for journal in two for _ in range(40)]
        while not all(put.done() for put in puts):
            numbers = [item.number for item in await two[0].inbox("t1")]
            assert numbers[: len(seen)] == seen
            seen = numbers


async def test_groups_that_want_the_same_rows_in_opposite_order_are_all_written(two):
    # Without an order of its own, each group would hold what the other one waits for.
    tasks = [f"t{number:02}" for number in range(20)]
    for task_id in tasks:
        await accepted(two[0], task_id)
    brought = [Payload(f"digest {number}", b"x") for number in range(20)]
    for _ in range(5):
        async with asyncio.TaskGroup() as group:
            for task_id, payload in zip(tasks, brought, strict=True):
                group.create_task(two[0].put(task_id, record(), payloads=[payload]))
            for task_id, payload in zip(reversed(tasks), brought, strict=True):
                group.create_task(two[1].put(task_id, record(), payloads=[payload]))
    for task_id in tasks:
        assert len(await two[0].inbox(task_id)) == 10


async def test_a_deadlock_undoes_one_group_and_its_jobs_are_written_alone(two, postgres_url):
    await accepted(two[0], "t1")
    await accepted(two[0], "t2")
    holding, waiting = threading.Event(), threading.Event()

    def lock(task_id: str, hold: Callable[[], object], other: str, connection) -> str:
        connection.exec_driver_sql("SET LOCAL deadlock_timeout = '10ms'")
        connection.exec_driver_sql(f"SELECT 1 FROM head WHERE task_id = '{task_id}' FOR UPDATE")
        hold()
        connection.exec_driver_sql(f"SELECT 1 FROM head WHERE task_id = '{other}' FOR UPDATE")
        return task_id

    def meet(mine: threading.Event, theirs: threading.Event) -> None:
        mine.set()
        assert theirs.wait(30)

    async with asyncio.TaskGroup() as group:
        one = group.create_task(two[0]._writer.submit(partial(lock, "t1", lambda: meet(holding, waiting), "t2")))
        other = group.create_task(two[1]._writer.submit(partial(lock, "t2", lambda: meet(waiting, holding), "t1")))
    assert (one.result(), other.result()) == ("t1", "t2")


async def test_a_payload_brought_while_it_is_pruned_elsewhere_is_there(two):
    payload = [Payload("d", b"x")]
    for number in range(15):
        claim = await claimed(two[0], f"old{number}")
        await two[0].append(claim, [record()], CLOSED, payloads=payload)
        await accepted(two[0], f"new{number}")
        async with asyncio.TaskGroup() as group:
            group.create_task(two[0].prune(closed_before=2_000.0, keys_before=0.0))
            group.create_task(two[1].put(f"new{number}", record(), payloads=payload))
        assert await two[0].payloads(["d"]) == {"d": b"x"}


async def test_two_that_prune_at_once_leave_nothing_behind(two):
    for number in range(10):
        claim = await claimed(two[0], f"t{number}")
        await two[0].append(claim, [record()], CLOSED, payloads=[Payload("shared", b"x"), Payload(f"d{number}", b"x")])
    gone = Pruned()
    async with asyncio.TaskGroup() as group:
        calls = [
            group.create_task(journal.prune(closed_before=2_000.0, keys_before=0.0, limit=2))
            for journal in two
            for _ in range(5)
        ]
    for call in calls:
        pruned = call.result()
        gone = Pruned(gone.coordinations + pruned.coordinations, gone.payloads + pruned.payloads, 0)
    assert gone == Pruned(coordinations=10, payloads=11)


async def test_all_replicas_have_the_time_of_the_server(two, postgres_url):
    before, first, second, after = (
        execute(postgres_url, "SELECT extract(epoch FROM clock_timestamp())::float8")[0][0],
        await two[0].now(),
        await two[1].now(),
        execute(postgres_url, "SELECT extract(epoch FROM clock_timestamp())::float8")[0][0],
    )
    assert before <= first <= second <= after


# --- hints ------------------------------------------------------------------------------------------------


async def test_a_change_at_one_replica_wakes_who_waits_at_the_other(two):
    claim = await claimed(two[0])
    async with two[1].subscribe("t1") as subscription:
        await two[0].append(claim, [record("a")], WORKING)
        await subscription.wait(NEVER)
    assert await bodies(two[1]) == ["accepted", "a"]


async def test_a_driver_hears_what_others_changed_and_not_what_it_changed_itself(two):
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    await accepted(two[0])
    with two[0].heed(heard.put_nowait):
        await two[0].put("t1", record("own"))
        await two[1].put("t1", record("another's"))
        assert await heard.get() == "t1"
        await accepted(two[1], "t2")
        assert await heard.get() == "t2"
    await two[1].put("t1", record())
    async with two[0].subscribe("t1") as subscription:
        await two[1].put("t1", record())
        await subscription.wait(NEVER)
    assert heard.empty()


async def test_a_group_tells_of_each_changed_coordination_once_and_of_no_refused_job(two, postgres_url, monkeypatch):
    monkeypatch.setattr(postgres_module.PostgresDatabase, "writers", 1)
    journal = await SqlJournal.open(postgres_url)
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    with two[1].heed(heard.put_nowait):
        await accepted(journal, "t1")
        await accepted(journal, "t2")
        while await heard.get() != "t2":
            pass
        async with busy(journal) as group:
            for task_id in ("t1", "t1", "t2", "t1"):
                group.create_task(journal.put(task_id, record()))
            group.create_task(refusable(journal.put("unknown", record())))
        await journal.close()
        await accepted(two[0], "last")
        told = []
        while "last" not in told:
            told.append(await heard.get())
    assert sorted(told) == ["last", "t1", "t2"]


# --- connections ------------------------------------------------------------------------------------------


async def test_cut_connections_are_made_again_and_nobody_misses_a_change(two, postgres_url, monkeypatch):
    monkeypatch.setattr(listener, "FIRST_PAUSE_S", 0.01)
    claim = await claimed(two[0])
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    with two[1].heed(heard.put_nowait):
        async with two[1].subscribe("t1") as subscription:
            for _ in range(3):
                assert execute(postgres_url, CUT)[0][0] >= 4
                while await heard.get() is not None:  # any may have changed; what is told before that is old news
                    pass
                await subscription.wait(NEVER)
                assert (await two[1].head("t1")).seq == claim.seq
                claim = await two[0].append(claim, [record("a")], WORKING)
                # The other listener is not there yet, perhaps; ours is.
                assert await heard.get() == "t1"
                await subscription.wait(NEVER)
    assert await bodies(two[1]) == ["accepted", "a", "a", "a"]


async def test_a_connection_cut_in_the_middle_writes_nothing_or_all(two, postgres_url):
    await accepted(two[0])
    entered, gate = threading.Event(), threading.Event()

    def slow(connection) -> None:
        connection.exec_driver_sql("UPDATE head SET driver = 'half'")
        entered.set()
        assert gate.wait(30)
        connection.exec_driver_sql("SELECT 1")

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(refusable(two[0]._writer.submit(slow)))
        await asyncio.to_thread(entered.wait)
        execute(postgres_url, CUT)
        gate.set()
    assert isinstance(writing.result(), JournalUnavailable)
    assert (await two[0].head("t1")).driver == ""
    assert await two[0].put("t1", record())


async def test_a_process_that_stands_still_in_a_transaction_does_not_hold_up_the_next_driver(
    postgres_url, two, monkeypatch
):
    settings = postgres_module._SETTINGS.replace(f"{postgres_module.FROZEN_S}s", "200ms")
    monkeypatch.setattr(postgres_module, "_SETTINGS", settings)
    frozen = await SqlJournal.open(postgres_url)
    await accepted(frozen)
    entered, gate = threading.Event(), threading.Event()

    def stand_still(connection) -> None:
        connection.exec_driver_sql("UPDATE head SET driver = 'frozen'")
        entered.set()
        assert gate.wait(30)

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(refusable(frozen._writer.submit(stand_still)))
        await asyncio.to_thread(entered.wait)
        claim = await two[0].claim("t1", "next")
        gate.set()
    assert claim is not None
    assert isinstance(writing.result(), JournalUnavailable)
    assert (await two[0].head("t1")).driver == "next"
    await frozen.close()


async def test_a_server_that_is_away_is_told_as_such_and_found_again(monkeypatch):
    monkeypatch.setattr(outage, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(listener, "FIRST_PAUSE_S", 0.01)
    with servers.own() as server, server.database() as url:
        journal = await SqlJournal.open(url)
        claim = await claimed(journal)
        heard: asyncio.Queue[str | None] = asyncio.Queue()
        with journal.heed(heard.put_nowait):
            server.stop()
            for call in (journal.head("t1"), journal.put("t1", record()), journal.now()):
                error = await refusable(call)
                assert isinstance(error, JournalUnavailable)
                assert f"127.0.0.1:{server.port}" in str(error)
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(outage.append(journal, claim, [record("a")], WORKING))
                await asyncio.to_thread(server.start)
            assert waiting.result().seq == 2
            assert await heard.get() is None
        assert await bodies(journal) == ["accepted", "a"]
        await journal.close()


# --- opening ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"database": "nowhere"}, "there is no such database"),
        ({"username": "nobody"}, "there is no such user"),
        ({"query": {"sslmode": "nonsense"}}, "option that is not understood"),
    ],
    ids=["database", "user", "option"],
)
async def test_what_the_operator_has_to_put_right_is_said(postgres_url, change, words):
    url = make_url(postgres_url).set(password="s3cret", **change)
    with pytest.raises(ConfigurationError, match=words) as raised:
        await SqlJournal.open(url.render_as_string(hide_password=False))
    assert "s3cret" not in str(raised.value)


async def test_a_server_that_is_not_there_may_come(postgres_url):
    url = make_url(postgres_url).set(port=1, password="s3cret").render_as_string(hide_password=False)
    with pytest.raises(JournalUnavailable, match=r"127\.0\.0\.1:1") as raised:
        await SqlJournal.open(url)
    assert "s3cret" not in str(raised.value)


async def test_a_user_who_may_not_make_tables_is_told(postgres_server, empty_postgres):
    execute(empty_postgres, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    execute(empty_postgres, "DROP ROLE IF EXISTS reader")
    execute(empty_postgres, "CREATE ROLE reader LOGIN")
    url = make_url(empty_postgres).set(username="reader").render_as_string(hide_password=False)
    with pytest.raises(ConfigurationError, match="grant it CREATE"):
        await SqlJournal.open(url)


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("postgresql://ann:s3cret@host:1/db", "postgresql://ann@host:1/db"),
        ("postgres://ann@host/db?sslmode=require&password=s3cret", "postgresql://ann@host/db"),
        ("postgresql+psycopg:///db?host=/run/postgres", "postgresql:///db?host=/run/postgres"),
    ],
)
def test_a_database_is_shown_without_its_password(where, name):
    assert shown(where) == name


async def test_what_is_no_url_is_refused_without_repeating_it():
    with pytest.raises(ConfigurationError, match="postgresql://user@host") as raised:
        await SqlJournal.open("postgresql://ann:s3cret@host:port/db")
    assert "s3cret" not in str(raised.value)


async def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "coordinator.journal.postgres", None)
    monkeypatch.delattr("coordinator.journal.postgres")
    with pytest.raises(ConfigurationError, match=r"pip install 'a2a-coordinator\[postgres\]'"):
        await SqlJournal.open("postgresql://host/db")


# --- tables -----------------------------------------------------------------------------------------------


async def test_replicas_that_start_at_once_make_the_tables_once(empty_postgres):
    async with asyncio.TaskGroup() as group:
        openings = [group.create_task(SqlJournal.open(empty_postgres)) for _ in range(4)]
    journals = [opening.result() for opening in openings]
    await accepted(journals[0])
    assert [(await journal.head("t1")).seq for journal in journals] == [1] * 4
    for journal in journals:
        await journal.close()


def of_version_1(url):
    engine = postgres_module.engine_of(postgres_module.url_of(url))
    with engine.begin() as connection:
        migrations.command.upgrade(migrations._config(connection), "0001")


SCHEMA = """SELECT table_name, column_name, data_type, is_nullable, collation_name, column_default
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, column_name"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef"
KEYS = """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"""


async def test_a_migrated_database_is_the_same_as_a_fresh_one(postgres_server, empty_postgres, postgres_url):
    of_version_1(empty_postgres)
    postgres_module.upgrade(empty_postgres)
    for query in (SCHEMA, INDEXES, KEYS, "SELECT * FROM alembic_version"):
        assert execute(empty_postgres, query) == execute(postgres_url, query)


async def test_what_older_replicas_could_not_live_with_is_not_done_at_a_start(empty_postgres, monkeypatch):
    of_version_1(empty_postgres)
    before = execute(empty_postgres, SCHEMA)
    with pytest.raises(ConfigurationError, match="coordinator db upgrade"):
        await SqlJournal.open(empty_postgres)
    assert execute(empty_postgres, SCHEMA) == before
    assert execute(empty_postgres, "SELECT * FROM alembic_version") == [("0001",)]


async def test_what_older_replicas_can_live_with_is_done_at_the_first_start(empty_postgres, monkeypatch):
    of_version_1(empty_postgres)
    monkeypatch.setattr(migrations, "is_rolling", lambda version: version == 1)
    async with asyncio.TaskGroup() as group:
        openings = [group.create_task(SqlJournal.open(empty_postgres)) for _ in range(3)]
    for opening in openings:
        await opening.result().close()
    assert execute(empty_postgres, "SELECT * FROM alembic_version") == [(migrations.revision(SCHEMA_VERSION),)]


def test_a_script_has_to_say_that_older_programs_can_work_on():
    assert not hasattr(v0002, "rolling")
    assert not migrations.is_rolling(1)
    assert migrations.is_rolling(SCHEMA_VERSION)


async def test_a_database_of_a_newer_version_is_left_alone(postgres_url):
    execute(postgres_url, "UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(JournalTooNew, match="schema 999"):
        await SqlJournal.open(postgres_url)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE head (id int)",
        "CREATE TABLE alembic_version (version_num text)",
        """CREATE TABLE head (id int); CREATE TABLE alembic_version (version_num text);
        INSERT INTO alembic_version VALUES ('1a2b3c4d5e6f')""",
    ],
)
async def test_the_tables_of_another_program_are_left_alone(empty_postgres, statement):
    execute(empty_postgres, statement)
    with pytest.raises(ConfigurationError, match="another program"):
        await SqlJournal.open(empty_postgres)


async def test_a_database_in_another_encoding_is_refused(postgres_server):
    postgres_server.execute("CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0")
    url = make_url(postgres_server.url).set(database="latin").render_as_string(hide_password=False)
    with pytest.raises(ConfigurationError, match="LATIN1"):
        await SqlJournal.open(url)
    postgres_server.execute("DROP DATABASE latin WITH (FORCE)")


async def test_pruned_space_is_given_back_while_others_work(two):
    claim = await claimed(two[0])
    await two[0].append(claim, [record()], CLOSED)
    await two[0].prune(closed_before=2_000.0, keys_before=0.0)
    claim = await claimed(two[1], "t2")
    await two[0].compact()
    await two[1].append(claim, [record()], WORKING)

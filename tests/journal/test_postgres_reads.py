"""Reads on PostgreSQL: how often they go to the server, what cuts them off, and which moment they see."""

import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
import pytest
from psycopg import pq
from sqlalchemy import Connection, event, text

from coordinator.errors import JournalError, JournalUnavailable
from coordinator.journal import Payload, PushConfig, PushCounts, SqlJournal, TaskFilter, postgres, sql_reads
from coordinator.journal.postgres import PostgresDatabase
from tests.journal.builders import ALICE, WORKING, accepted, claimed, new_task, record
from tests.postgres import Postgres

HOOK = PushConfig("c1", "https://one.example/hook", "1.0")
MANY = [f"d{number}" for number in range(sql_reads.DIGESTS_PER_QUERY + 1)]
#: In what libpq writes down: from the client, how long, and of which kind.
ANSWERED = re.compile(r"F\t\d+\t(Query|Sync)\b")

ONE_STATEMENT: dict[str, Callable[[SqlJournal], Awaitable[object]]] = {
    "now": lambda journal: journal.now(),
    "head": lambda journal: journal.head("t1"),
    "final": lambda journal: journal.final("t1"),
    "read": lambda journal: journal.read("t1"),
    "read some": lambda journal: journal.read("t1", 1, limit=1),
    "inbox": lambda journal: journal.inbox("t1"),
    "due": lambda journal: journal.due(0.0),
    "due besides": lambda journal: journal.due(0.0, ["another"]),
    "next wake": lambda journal: journal.next_wake(),
    "find": lambda journal: journal.find(ALICE, "t"),
    "payloads": lambda journal: journal.payloads(MANY[:-1]),
    "pushes": lambda journal: journal.pushes("t1"),
    "push counts": lambda journal: journal.push_counts(),
}
SEVERAL: dict[str, Callable[[SqlJournal], Awaitable[object]]] = {
    "tasks": lambda journal: journal.tasks(ALICE, TaskFilter()),
    "many payloads": lambda journal: journal.payloads(MANY),
}


def table(reads):
    return pytest.mark.parametrize("read", [pytest.param(read, id=name) for name, read in reads.items()])


@pytest.fixture
async def real(postgres_url):
    """A journal with the server's own time and one connection to read with."""
    journal = await SqlJournal.open(postgres_url, readers=1)
    yield journal
    await journal.close()


@pytest.fixture
def administrator(postgres_url):
    """Somebody else on the same database."""
    return Postgres(postgres_url)


# --- ways to the server -----------------------------------------------------------------------------------


@dataclass
class Wire:
    """What one journal's reads and the server said to each other."""

    journal: SqlJournal
    path: Path

    async def sent(self, read: Callable[[SqlJournal], Awaitable[object]]) -> list[str]:
        """Return the messages of *read* that the server answers: each is one way there and back."""
        await read(self.journal)  # A connection that is new has more to say.
        before = len(self._said())
        await read(self.journal)
        return [line for line in self._said()[before:] if ANSWERED.match(line)]

    def _said(self) -> list[str]:
        return self.path.read_text().splitlines()


@pytest.fixture
async def wire(tmp_path, real):
    path = tmp_path / "wire"
    with path.open("ab") as file:

        def trace(connection: psycopg.Connection, _record: object) -> None:
            connection.pgconn.trace(file.fileno())
            connection.pgconn.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)

        event.listen(real._database._asking, "connect", trace)
        yield Wire(real, path)
        # The file is not to be closed, and its number given to another, while the connection writes to it.
        await real.close()


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="libpq writes down what it sends on Linux only")


@on_linux
@table(ONE_STATEMENT)
async def test_a_read_of_one_statement_goes_to_the_server_once(wire, read):
    await accepted(wire.journal)
    assert len(await wire.sent(read)) == 1


@on_linux
@table(SEVERAL)
async def test_a_read_of_several_statements_is_one_transaction(wire, read):
    await accepted(wire.journal)
    first, *statements, last = await wire.sent(read)
    assert "BEGIN ISOLATION LEVEL REPEATABLE READ" in first
    assert len(statements) == 2
    assert "ROLLBACK" in last


@on_linux
async def test_what_is_owed_takes_the_time_and_one_statement(wire):
    claim = await claimed(wire.journal)
    await wire.journal.set_push("t1", HOOK, most=1)
    await wire.journal.append(claim, [record()], WORKING)
    assert len(await wire.sent(lambda journal: journal.owed(limit=1))) == 2
    assert len(await wire.journal.owed(limit=1)) == 1
    assert await wire.journal.push_counts() == PushCounts(owed=1)


@on_linux
async def test_reads_of_both_kinds_take_turns_on_one_connection(wire):
    await accepted(wire.journal)
    for _ in range(2):
        assert len(await wire.sent(SEVERAL["tasks"])) == 4
        assert len(await wire.sent(ONE_STATEMENT["head"])) == 1


async def test_a_second_statement_is_refused_where_it_would_see_another_moment(real):
    def twice(connection: Connection) -> None:
        sql_reads.next_wake(connection)
        sql_reads.next_wake(connection)

    with pytest.raises(RuntimeError, match="a read of several statements"):
        await real._read(twice)
    await real._read_together(twice)
    await real._read(sql_reads.next_wake)


# --- cut connections --------------------------------------------------------------------------------------

# Waits until it is gone: a read must not come before that.
CUT = "SELECT pg_terminate_backend(%s, 30000)"
CUT_OWN = text("SELECT pg_terminate_backend(pg_backend_pid())")


def backend(connection: Connection) -> int:
    return connection.execute(text("SELECT pg_backend_pid()")).scalar_one()


@table(ONE_STATEMENT | SEVERAL)
async def test_a_read_whose_connection_was_cut_is_repeated_on_another(real, administrator, read):
    await accepted(real)
    await read(real)
    for _ in range(2):
        cut = await real._read(backend)
        assert administrator.execute(CUT, cut) == [(True,)]
        await read(real)
        assert await real._read(backend) != cut


async def test_all_connections_that_were_cut_at_once_are_made_again(postgres_url, administrator):
    database = PostgresDatabase.open(postgres_url, readers=4)
    kept = [database._asking.connect() for _ in range(4)]
    backends = [backend(connection) for connection in kept]
    for connection in kept:
        connection.close()
    for cut in backends:
        assert administrator.execute(CUT, cut) == [(True,)]
    for _ in range(4):
        assert database.read(sql_reads.next_wake) is None
    database.close()


class Cutting:
    """A query that cuts its own connection so many times, and counts how often it is asked."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.asked = 0

    def __call__(self, connection: Connection) -> int:
        self.asked += 1
        if self.asked <= self.times:
            connection.execute(CUT_OWN)
        return self.asked


@pytest.fixture(params=["read", "read_together"])
def ask(request, real):
    """Either way to read."""
    return getattr(real, f"_{request.param}")


async def test_a_read_that_is_cut_on_its_way_is_repeated(ask):
    assert await ask(Cutting(1)) == 2


async def test_a_read_that_is_cut_twice_is_told_as_a_database_that_is_away(ask):
    query = Cutting(2)
    with pytest.raises(JournalUnavailable):
        await ask(query)
    assert query.asked == 2


async def test_a_read_that_fails_on_a_connection_that_stands_is_not_repeated(ask):
    asked = []

    def failing(connection: Connection) -> None:
        asked.append(1)
        connection.execute(text("SELECT 1 / 0"))

    with pytest.raises(JournalError, match="does not take that"):
        await ask(failing)
    assert len(asked) == 1


async def test_a_write_that_is_cut_is_not_repeated(real):
    query = Cutting(1)
    with pytest.raises(JournalUnavailable):
        await real._writer.submit(query)
    assert query.asked == 1


# --- what is read -----------------------------------------------------------------------------------------


async def test_a_read_cannot_write(ask, real):
    await accepted(real)
    with pytest.raises(JournalUnavailable, match="it can only be read"):
        await ask(lambda connection: connection.execute(text("DELETE FROM head")))
    assert await real.head("t1")


@pytest.fixture
def between(real):
    """Call *do* after each statement of a read."""

    def between(do: Callable[[], object]) -> None:
        event.listen(real._database._asking, "after_cursor_execute", lambda *_: do())

    return between


async def test_a_page_and_its_total_are_of_one_moment_whatever_is_committed_between(real, administrator, between):
    await accepted(real)
    between(partial(administrator.execute, "DELETE FROM journal; DELETE FROM head"))
    page = await real.tasks(ALICE, TaskFilter())
    assert [head.task_id for head in page.heads] == ["t1"]
    assert page.total_size == 1
    assert (await real.tasks(ALICE, TaskFilter())).total_size == 0


async def test_many_payloads_are_of_one_moment_whatever_is_committed_between(real, administrator, between):
    await real.accept(new_task(), record(), payloads=[Payload(digest, b"x") for digest in MANY])
    between(partial(administrator.execute, "DELETE FROM payload_use; DELETE FROM payload"))
    assert set(await real.payloads(MANY)) == set(MANY)
    assert await real.payloads(MANY) == {}


async def test_a_read_sees_what_was_committed_before_it(real):
    await accepted(real)
    assert await real.head("t1")
    assert (await real.tasks(ALICE, TaskFilter())).total_size == 1
    await accepted(real, "t2")
    assert await real.head("t2")
    assert (await real.tasks(ALICE, TaskFilter())).total_size == 2


def test_a_database_looked_at_from_outside_is_seen_at_one_moment(administrator):
    with postgres.reading(administrator.url) as (connection, _, _):
        assert sql_reads.next_wake(connection) is None
        administrator.execute("INSERT INTO alembic_version VALUES ('0000')")
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1

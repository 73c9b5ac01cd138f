"""The file: who may open it, what it says when it cannot be used, what stays in it."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from coordinator.errors import ConfigurationError, JournalLocked, JournalTooNew, JournalUnavailable
from coordinator.journal import Payload, SqlJournal, TaskFilter, sql_prune, sql_reads, sql_writes
from coordinator.journal.clock import system_time
from coordinator.journal.sql_schema import SCHEMA_VERSION, metadata
from coordinator.journal.sqlite import path_of
from tests.journal.builders import ALICE, CLOSED, PARKED, WORKING, accepted, bodies, claimed, new_task, record


async def refused(path, expected: type[Exception]) -> str:
    with pytest.raises(expected) as caught:
        await SqlJournal.open(path, busy_timeout_s=0.01)
    assert str(path) in str(caught.value)
    return str(caught.value)


# --- opening ----------------------------------------------------------------------------------------------


async def test_reopening_finds_everything(path, clock):
    journal = await SqlJournal.open(path, now=clock)
    claim = await claimed(journal)
    await journal.put("t1", record("later"), key="k", payloads=[Payload("d", b"\x00")])
    await journal.append(claim, [record("a")], PARKED)
    await journal.append(await claimed(journal, "t2"), [record()], CLOSED)
    before = [await journal.head("t1"), await journal.head("t2")]
    await journal.close()

    again = await SqlJournal.open(path, now=clock)
    assert [await again.head("t1"), await again.head("t2")] == before
    assert await bodies(again) == ["accepted", "a"]
    assert [item.record.body for item in await again.inbox("t1")] == ["later"]
    assert await again.put("t1", record(), key="k") is False
    assert await again.payloads(["d"]) == {"d": b"\x00"}
    assert await again.final("t2") == b"the task"
    await again.close()


async def test_directories_are_made_on_the_way(tmp_path):
    path = tmp_path / "a" / "b" / "journal.db"
    await (await SqlJournal.open(path)).close()
    assert path.exists()


async def test_every_commit_reaches_the_disk(sqlite):
    with sqlite._database.transaction() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2}
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


async def test_readers_cannot_write(sqlite):
    with pytest.raises(JournalUnavailable, match="cannot be written"):
        await sqlite._read(lambda connection: connection.exec_driver_sql("DELETE FROM head"))


async def test_without_another_clock_the_time_is_the_machines(path):
    journal = await SqlJournal.open(path)
    before = system_time()
    assert before <= await journal.now() <= system_time()
    await journal.close()


async def test_opening_can_be_canceled(path):
    async with asyncio.TaskGroup() as group:
        opening = group.create_task(SqlJournal.open(path))
        await asyncio.sleep(0)
        opening.cancel()
    assert opening.cancelled()
    await (await SqlJournal.open(path)).close()


async def test_opening_in_vain_can_be_canceled(path, sqlite):
    async with asyncio.TaskGroup() as group:
        opening = group.create_task(SqlJournal.open(path))
        await asyncio.sleep(0)
        opening.cancel()
    assert opening.cancelled()


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}", "sqlite+pysqlite:///{}"])
async def test_paths_and_urls_name_the_same_file(path, form):
    assert path_of(form.format(path)) == path


def test_a_path_may_begin_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path_of("~/journal.db") == tmp_path / "journal.db"
    assert path_of(Path("~/journal.db")) == tmp_path / "journal.db"


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("", "in memory"),
        (":memory:", "in memory"),
        ("sqlite://", "in memory"),
        ("sqlite:///", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("postgresql://me:secret@host/db", "kept in SQLite"),
        ("sqlite:///journal.db?mode=ro", "without options"),
        ("://", "not a database URL"),
    ],
)
def test_what_names_no_file_is_refused(where, says):
    with pytest.raises(ConfigurationError, match=says) as caught:
        path_of(where)
    assert "secret" not in str(caught.value)


async def test_odd_characters_in_a_path_are_part_of_the_name(tmp_path):
    path = tmp_path / "50% of #1? & more.db"
    await (await SqlJournal.open(path)).close()
    assert path.exists()


# --- the lock ---------------------------------------------------------------------------------------------


async def test_a_second_journal_on_one_file_is_refused_until_the_first_is_closed(path, sqlite):
    says = await refused(path, JournalLocked)
    assert f"{path}.lock" in says
    assert "stop that one" in says
    await sqlite.close()
    await (await SqlJournal.open(path)).close()


async def test_another_name_for_a_locked_file_does_not_help(tmp_path, path, sqlite):
    (tmp_path / "alias.db").symlink_to(path)
    with pytest.raises(JournalLocked):
        await SqlJournal.open(tmp_path / "alias.db")


SECOND = """
import asyncio, sys
from coordinator.errors import JournalLocked
from coordinator.journal import SqlJournal
try:
    asyncio.run(SqlJournal.open(sys.argv[1]))
except JournalLocked as error:
    print(error)
    sys.exit(3)
"""


@pytest.mark.processes
def test_a_second_process_is_refused(path):
    async def while_open() -> subprocess.CompletedProcess[str]:
        journal = await SqlJournal.open(path)
        try:
            return await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", SECOND, path], capture_output=True, text=True, check=False
            )
        finally:
            await journal.close()

    second = asyncio.run(while_open())
    assert second.returncode == 3, second.stderr
    assert str(path) in second.stdout
    assert "Traceback" not in second.stderr


# --- files that are no journal ----------------------------------------------------------------------------


def alter(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


async def test_a_file_of_a_newer_version_is_refused_and_left_alone(path):
    await (await SqlJournal.open(path)).close()
    alter(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    says = await refused(path, JournalTooNew)
    assert f"schema {SCHEMA_VERSION + 1}" in says
    assert "update this program" in says
    assert path.read_bytes() == before


async def test_the_database_of_another_program_is_refused_and_left_alone(path):
    alter(path, "CREATE TABLE songs (title TEXT)")
    before = path.read_bytes()
    assert "another program" in await refused(path, ConfigurationError)
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_refused_and_left_alone(path):
    path.write_bytes(b"Dear diary, " * 1_000)
    assert "not a SQLite database" in await refused(path, ConfigurationError)
    assert path.read_bytes() == b"Dear diary, " * 1_000


async def test_an_empty_file_becomes_a_journal(path):
    path.touch()
    await (await SqlJournal.open(path)).close()
    assert path.stat().st_size > 0


async def test_a_directory_is_no_journal(path):
    path.mkdir()
    assert "cannot be opened" in await refused(path, ConfigurationError)


async def test_a_file_in_the_way_of_the_directory_is_named(tmp_path):
    (tmp_path / "file").touch()
    assert "directory cannot be written" in await refused(tmp_path / "file" / "journal.db", ConfigurationError)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Permissions do not stop root, and tests in a container are often root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public():
    """A directory anybody can reach: those of pytest are for the user only."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name).resolve()
        directory.chmod(0o755)
        yield directory


async def test_a_read_only_directory_is_named(public):
    public.chmod(0o555)
    with as_nobody():
        assert "directory cannot be written" in await refused(public / "journal.db", ConfigurationError)


async def test_a_read_only_file_is_named(public):
    path = public / "journal.db"
    await (await SqlJournal.open(path)).close()
    path.chmod(0o444)
    path.with_name("journal.db.lock").chmod(0o666)
    with as_nobody():
        assert "check the permissions" in await refused(path, ConfigurationError)


# --- trouble while it runs --------------------------------------------------------------------------------


async def limited(journal: SqlJournal, pages: int) -> None:
    """Let the file grow by *pages* at most: SQLite reports that like a full disk."""

    def limit(connection) -> None:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {used + pages}")

    await journal._writer.submit(limit)


async def test_a_full_disk_refuses_the_write_and_loses_nothing(path, sqlite):
    claim = await claimed(sqlite)
    await limited(sqlite, pages=2)
    with pytest.raises(JournalUnavailable, match="no space left") as caught:
        await sqlite.append(claim, [record("x" * 100_000)], WORKING)
    assert str(path) in str(caught.value)
    assert await bodies(sqlite) == ["accepted"]
    claim = await sqlite.append(claim, [record("small")], WORKING)
    await limited(sqlite, pages=1_000)
    await sqlite.append(claim, [record("x" * 100_000)], WORKING)
    assert [len(body) for body in await bodies(sqlite)] == [8, 5, 100_000]


async def test_another_program_that_writes_makes_us_wait_then_say_so(path):
    journal = await SqlJournal.open(path, busy_timeout_s=0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as intruder:
        intruder.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnavailable, match="another program is writing"):
            await accepted(journal)
        intruder.execute("ROLLBACK")
    await accepted(journal)
    await journal.close()


FULL = """
import asyncio, resource, sys
from coordinator.errors import JournalUnavailable
from coordinator.journal import SqlJournal
from tests.journal.builders import WORKING, bodies, claimed, record

async def main():
    journal = await SqlJournal.open(sys.argv[1])
    claim = await claimed(journal)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, most))
    try:
        for _ in range(100):
            claim = await journal.append(claim, [record("x" * 10_000)], WORKING)
        sys.exit("the limit does not work")
    except JournalUnavailable as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    await journal.append(claim, [record("last")], WORKING)
    written = await bodies(journal)
    assert len(written) == claim.seq + 1 and written[-1] == "last"
    await journal.close()

asyncio.run(main())
"""


@pytest.mark.processes
def test_a_file_that_may_not_grow_refuses_the_write_and_goes_on_when_it_may(path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, path], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout
    assert "no space left" in done.stdout or "disk reports an error" in done.stdout


async def test_a_damaged_file_is_named(path, sqlite):
    await accepted(sqlite)
    for page in range(40):
        await sqlite.put("t1", record(f"{page}" * 3_000))
    await sqlite.close()
    content = bytearray(path.read_bytes())
    content[4_096 * 40 :] = b"\xff" * len(content[4_096 * 40 :])
    path.write_bytes(content)
    journal = await SqlJournal.open(path)
    with pytest.raises(JournalUnavailable, match="damaged") as caught:
        await journal.inbox("t1")
    assert str(path) in str(caught.value)
    await journal.close()


# --- space ------------------------------------------------------------------------------------------------


async def filled(journal: SqlJournal) -> None:
    """Leave three closed coordinations with a megabyte each."""
    for number in range(3):
        claim = await claimed(journal, f"t{number}")
        await journal.append(claim, [record("x" * 1_000_000)], CLOSED, payloads=[Payload(f"{number}", b"p" * 1_000)])


def pages(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA page_count").fetchone()[0]


async def test_pruning_gives_the_space_back(path, sqlite):
    await filled(sqlite)
    before = pages(path)
    await sqlite.prune(closed_before=2_000.0, keys_before=0.0)
    assert pages(path) < before / 10


async def test_a_file_that_never_shrank_is_made_small_by_compacting_and_shrinks_from_then_on(path):
    alter(path, "PRAGMA auto_vacuum = NONE", "CREATE TABLE x (y)", "DROP TABLE x")
    journal = await SqlJournal.open(path)
    await filled(journal)
    before = pages(path)
    await journal.prune(closed_before=2_000.0, keys_before=0.0)
    assert pages(path) >= before
    await journal.compact()
    assert pages(path) < before / 10
    await filled(journal)
    await journal.prune(closed_before=2_000.0, keys_before=0.0)
    assert pages(path) < before / 10
    await journal.close()
    assert path.stat().st_size < 200_000


# --- indexes ----------------------------------------------------------------------------------------------


async def plan_of(journal: SqlJournal, ask) -> str:
    """Return how SQLite answers the statements of *ask*."""

    def explained(connection) -> list[str]:
        seen: list[tuple[str, object]] = []
        raw = connection.connection.driver_connection
        raw.set_trace_callback(seen.append)
        ask(connection)
        raw.set_trace_callback(None)
        selects = [statement for statement in seen if statement.startswith("SELECT")]
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {select.replace('%', '%%')}") for select in selects]
        return [step.detail for plan in plans for step in plan]

    return "\n".join(await journal._read(explained))


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda c: c.execute(sql_prune._OLD, {"before": 1.0, "most": 2}), "head_closed (status=? AND status_at<?)"),
        (lambda c: c.execute(sql_prune._OLD_KEYS, {"before": 1.0, "most": 2}), "inbox_keyed (at<?)"),
        (lambda c: c.execute(sql_prune._DIGESTS, {"of_task": "t1"}), "payload_use_by_task (task_id=?)"),
        (lambda c: sql_reads.tasks(c, ALICE, TaskFilter()), "head_by_time (owner=? AND tenant=?)"),
        (lambda c: sql_reads.tasks(c, ALICE, TaskFilter(state="working")), "head_by_time (owner=? AND tenant=?)"),
        (
            lambda c: sql_reads.tasks(c, ALICE, TaskFilter(status_after=1.0)),
            "head_by_time (owner=? AND tenant=? AND status_at>?)",
        ),
        (
            lambda c: sql_reads.tasks(c, ALICE, TaskFilter(context_id="c1")),
            "head_by_context (owner=? AND tenant=? AND context_id=?)",
        ),
        (lambda c: sql_reads.find(c, ALICE, "t1", 2), "head_by_id (owner=? AND tenant=? AND task_id>? AND task_id<?)"),
        (lambda c: sql_reads.due(c, 1.0), "head_by_status (status=? AND wake_at<?)"),
        (lambda c: sql_reads.due(c, 1.0, ("b",)), "head_by_status (status=? AND wake_at<?)"),
        (sql_reads.next_wake, "head_by_status (status=?)"),
        (lambda c: sql_reads.entries(c, "t1", 3), "sqlite_autoindex_journal_1 (task_id=? AND seq>?)"),
        (lambda c: sql_reads.inbox_of(c, "t1"), "inbox_by_task (task_id=? AND consumed_seq=?)"),
        (lambda c: sql_reads.payload_bodies(c, ["a", "b"]), "sqlite_autoindex_payload_1 (digest=?)"),
        (lambda c: sql_reads.head_of(c, "t1"), "sqlite_autoindex_head_1 (task_id=?)"),
    ],
    ids=[
        "old",
        "old keys",
        "digests",
        "all",
        "state",
        "since",
        "context",
        "find",
        "due",
        "due besides",
        "wake",
        "entries",
        "inbox",
        "payloads",
        "head",
    ],
)
async def test_an_index_answers_every_question(sqlite, ask, index):
    await accepted(sqlite)
    plan = await plan_of(sqlite, ask)
    assert index in plan
    assert "SCAN" not in plan


async def test_a_page_begins_at_its_cursor_and_is_not_sorted(sqlite):
    for n in range(3):
        await sqlite.accept(new_task(f"t{n}"), record())
    token = (await sqlite.tasks(ALICE, TaskFilter(page_size=1))).next_page_token
    plan = await plan_of(sqlite, lambda c: sql_reads.tasks(c, ALICE, TaskFilter(page_token=token)))
    assert "head_by_time (owner=? AND tenant=? AND status_at<?)" in plan
    assert "TEMP B-TREE" not in plan


# --- another database later -------------------------------------------------------------------------------


def test_the_tables_can_be_made_on_postgresql():
    dialect = postgresql.dialect()
    made = "\n".join(str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables)
    assert "number BIGSERIAL" in made
    assert 'task_id VARCHAR COLLATE "C"' in made
    assert "wake_at DOUBLE PRECISION" in made
    assert "final BYTEA" in made
    assert "FOR UPDATE" in str(sql_writes._STATUS.compile(dialect=dialect))

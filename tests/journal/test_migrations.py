"""Databases of older versions: brought up at open, adopted as they are, or left as they were."""

import asyncio
import re
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import create_engine, event

from coordinator.errors import CoordinatorError
from coordinator.journal import Payload, SqlJournal, migrations
from coordinator.journal.sql_schema import SCHEMA_VERSION
from coordinator.journal.sqlite import APPLICATION_ID
from tests.journal.builders import WORKING, bodies, claimed, record

DIGEST = "a" * 64
LATER = "b" * 64


def rows(path, query):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def schema(path):
    """Return the tables and indexes of a file, however they are written."""
    made = rows(path, "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
    return {name: re.sub(r"[\s\"]+", "", sql.replace("asc", "")) for name, sql in made}


def of_version_1(path, *statements):
    """Make a file as the first version did: without alembic's table, marked by SQLite's own number."""
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys = ON"))
    with engine.begin() as connection:
        migrations.command.upgrade(migrations._config(connection), "0001")
        connection.exec_driver_sql("DROP TABLE alembic_version")
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql("PRAGMA user_version = 1")
    engine.dispose()


HEAD = "INSERT INTO head VALUES ('t1', 'c', 'alice', '', 'p', 'working', 'due', 1, 0, 1, NULL, '', 0, 1, 1, NULL)"
ENTRY = f"""INSERT INTO journal VALUES ('t1', 1, 0, 'Something', 1, '{{"digest":"{DIGEST}"}}')"""
ITEM = f"""INSERT INTO inbox VALUES (1, 't1', 'k', 'Something', 1, '{{"digest":"{LATER}"}}', 1, NULL)"""
BODIES = f"INSERT INTO payload VALUES ('{DIGEST}', x'00'), ('{LATER}', x'01'), ('{'c' * 64}', x'02')"


async def test_a_migrated_file_is_the_same_as_a_fresh_one(tmp_path):
    old, fresh = tmp_path / "old.db", tmp_path / "fresh.db"
    of_version_1(old)
    for path in (old, fresh):
        await (await SqlJournal.open(path)).close()
    assert schema(old) == schema(fresh)
    for path in (old, fresh):
        assert rows(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
        assert rows(path, "SELECT * FROM alembic_version") == [(migrations.revision(SCHEMA_VERSION),)]


async def test_a_file_of_the_first_version_is_adopted_with_everything_in_it(path, clock):
    of_version_1(path, HEAD, ENTRY, BODIES, ITEM)
    journal = await SqlJournal.open(path, now=clock)
    assert len(await journal.read("t1")) == 1
    claim = await journal.claim("t1", "driver")
    await journal.append(claim, [record("later")], WORKING, consumed=[1])
    assert await journal.payloads([DIGEST]) == {DIGEST: b"\x00"}
    assert await journal.put("t1", record(), key="k") is False
    await journal.close()
    # Who uses what was not noted then: it is read from the facts.
    assert sorted(rows(path, "SELECT digest, task_id FROM payload_use")) == [(DIGEST, "t1"), (LATER, "t1")]


async def test_a_file_that_is_up_to_date_is_not_migrated_again(path, clock, monkeypatch):
    of_version_1(path)
    await (await SqlJournal.open(path)).close()

    def never(_):
        raise AssertionError

    monkeypatch.setattr(migrations, "upgrade", never)
    monkeypatch.setattr(migrations, "adopt", never)
    journal = await SqlJournal.open(path, now=clock)
    await claimed(journal)
    assert await bodies(journal) == ["accepted"]
    await journal.close()


async def test_a_migration_that_fails_leaves_the_file_as_it_was(path, monkeypatch):
    # One of its tables is there already: the script stops in the middle.
    of_version_1(path, "CREATE INDEX inbox_keyed ON inbox (at)")
    before = schema(path)
    with pytest.raises(CoordinatorError, match=re.escape(str(path))):
        await SqlJournal.open(path)
    assert schema(path) == before
    assert rows(path, "PRAGMA user_version") == [(1,)]


async def test_a_file_is_migrated_under_the_lock(path, monkeypatch):
    of_version_1(path)
    upgrade, refusals = migrations.upgrade, []

    def meanwhile(connection):
        try:
            asyncio.run(SqlJournal.open(path))
        except CoordinatorError as error:
            refusals.append(str(error))
        upgrade(connection)

    monkeypatch.setattr(migrations, "upgrade", meanwhile)
    await (await SqlJournal.open(path)).close()
    assert len(refusals) == 1
    assert "in use by another coordinator" in refusals[0]


async def test_payloads_of_a_migrated_file_are_shared_with_new_tasks(path, clock):
    of_version_1(path, HEAD, ENTRY, BODIES)
    journal = await SqlJournal.open(path, now=clock)
    claim = await claimed(journal, "t2")
    await journal.append(claim, [record()], WORKING, payloads=[Payload(DIGEST, b"\x00")])
    await journal.close()
    assert sorted(rows(path, "SELECT digest, task_id FROM payload_use")) == [(DIGEST, "t1"), (DIGEST, "t2")]

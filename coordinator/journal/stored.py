"""A database, looked at from outside: while its servers run, and when they are stopped.

Without a file's lock and without a way to write. Nothing here migrates but `upgrade`: it says what to do instead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine, event, func, select
from sqlalchemy.pool import NullPool

from coordinator.errors import ConfigurationError
from coordinator.journal.places import is_postgres, postgres
from coordinator.journal.protocol import Status
from coordinator.journal.pushing import PushCounts
from coordinator.journal.sql_pushes import push_counts
from coordinator.journal.sql_schema import SCHEMA_VERSION, head
from coordinator.journal.sqlite import SqliteFile, checked_version, path_of, pragma, translated

WITH_PUSHES = 3
"""The first schema version with push notifications."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a database says about itself; sizes are in bytes.

    `unused` is what pruning left behind in a file; a PostgreSQL server keeps that to itself: None.
    """

    schema: int
    size: int
    unused: int | None
    tasks: Mapping[Status, int]
    pushes: PushCounts  #: push notifications to clients

    @property
    def is_current(self) -> bool:
        """Whether this version of the program can use it as it is."""
        return self.schema == SCHEMA_VERSION


@contextmanager
def reading(where: str | Path, *, of_any_age: bool = False) -> Iterator[Connection]:
    """Open the database for reading, every answer of the same moment.

    Raises `ConfigurationError` for one that is not there, not ours, or, unless *of_any_age*, of an older
    version; `JournalTooNew` for one of a newer version.
    """
    with (_postgres_reading if is_postgres(where) else _file_reading)(where) as (connection, version, name):
        if version < SCHEMA_VERSION and not of_any_age:
            message = (
                f"{name} is of an older version (schema {version}, not {SCHEMA_VERSION}); "
                "bring it up to date with: coordinator db upgrade"
            )
            raise ConfigurationError(message)
        yield connection


@contextmanager
def _file_reading(where: str | Path) -> Iterator[tuple[Connection, int, str]]:
    path = path_of(where)
    if not path.is_file():
        message = f"{path}: there is no database; name another one with --db"
        raise ConfigurationError(message)
    engine = create_engine("sqlite://", creator=lambda: _connected(path), poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    with translated(path, opening=True), engine.connect() as connection:
        yield connection, checked_version(connection, path), str(path)


def _connected(path: Path) -> sqlite3.Connection:
    # Not mode=ro: who may not write at all leaves its share of the write-ahead log behind, perhaps as another user's.
    connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def _postgres_reading(where: str | Path) -> Iterator[tuple[Connection, int, str]]:
    with postgres().reading(str(where)) as (connection, version, name):
        if version == 0:
            message = (
                f"{name} has no tables of a coordinator yet; start one with it, make them with coordinator db upgrade, "
                "or name another database with --db"
            )
            raise ConfigurationError(message)
        yield connection, version, name


def stored(connection: Connection, where: str | Path) -> Stored:
    """Return what the database says about itself."""
    counted = connection.execute(select(head.c.status, func.count()).group_by(head.c.status))
    tasks = dict.fromkeys(Status, 0) | {Status(status): count for status, count in counted}
    if is_postgres(where):
        schema, size = postgres().measured(connection, str(where))
        return Stored(schema, size, None, tasks, _pushes(connection, schema))
    page = pragma(connection, "page_size")
    schema = checked_version(connection, path_of(where))
    return Stored(
        schema=schema,
        size=page * pragma(connection, "page_count"),
        unused=page * pragma(connection, "freelist_count"),
        tasks=tasks,
        pushes=_pushes(connection, schema),
    )


def _pushes(connection: Connection, schema: int) -> PushCounts:
    return push_counts(connection) if schema >= WITH_PUSHES else PushCounts()


def upgrade(where: str | Path) -> None:
    """Bring the database up to date, also where older coordinators could not work on.

    Raises what opening it raises; `JournalLocked` while a coordinator has a file open.
    """
    if is_postgres(where):
        postgres().upgrade(str(where))
    else:
        SqliteFile.open(path_of(where), busy_timeout_s=5.0, readers=1).close()

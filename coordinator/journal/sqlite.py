"""One SQLite file, opened for this process alone: everything that only SQLite needs is here.

The file lock, the pragmas, the way a transaction begins, the schema version, and what an error of
the database means to the operator. No question about tasks is asked here.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock, Timeout
from sqlalchemy import URL, Engine, create_engine, event, make_url, text, update
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from coordinator.errors import ConfigurationError, JournalError, JournalLocked, JournalTooNew, JournalUnavailable
from coordinator.journal.clock import system_time
from coordinator.journal.sql_schema import SCHEMA_VERSION, alembic_version, metadata, push

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Stands in the header of our files ("a2aC"): another program's database is never written to.
APPLICATION_ID = 0x61326143

#: Pages that are taken from the end of the file in one transaction.
MOST_PAGES_BACK = 2_000

#: Files of this schema version do not know alembic's table yet.
BEFORE_REVISIONS = 1

_TABLES = "SELECT count(*) FROM sqlite_master"

#: Whoever held a lease is dead: the file is ours alone.
_FREE_LEASES = update(push).where(text("state = 'open'"), push.c.lease_until > 0).values(holder="", lease_until=0.0)

_ADVICE = {
    sqlite3.SQLITE_BUSY: "another program is writing to it; close that one and try again",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that it is a file in a writable directory",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore a copy or name another file",
    sqlite3.SQLITE_FULL: "there is no space left for it; free some and try again",
    sqlite3.SQLITE_IOERR: "the disk reports an error; check it and try again",
    sqlite3.SQLITE_NOTADB: "it is not a SQLite database; name another file or move it away",
    sqlite3.SQLITE_READONLY: "it cannot be written; check the permissions of the file and its directory",
}
#: Trying again does not help against these when they come up at the start.
_OPERATORS_MATTER = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY}
)


def path_of(where: str | Path) -> Path:
    """Return the file that a path or an `sqlite:///` URL names. Raises `ConfigurationError`."""
    if isinstance(where, str) and "://" in where:
        where = _path_in_url(where)
    if str(where) in {"", ".", ":memory:"}:
        message = "the journal needs the name of a file; without one, use the journal in memory"
        raise ConfigurationError(message)
    # Resolved, because two names of one file must meet at one lock.
    return Path(where).expanduser().resolve()


def _path_in_url(text: str) -> str:
    try:
        url = make_url(text)
    except ArgumentError as error:
        message = f"{text!r} is not a database URL"
        raise ConfigurationError(message) from error
    if url.get_backend_name() != "sqlite" or url.query:
        shown = url.render_as_string(hide_password=True)
        message = (
            f"{shown!r}: the journal is kept in SQLite or PostgreSQL; write a path, sqlite:///path without options, or "
            "postgresql://…"
        )
        raise ConfigurationError(message)
    return url.database or ""


@contextmanager
def translated(path: Path, *, opening: bool = False) -> Iterator[None]:
    """Turn what the database raises into an error that names the file and says what to do."""
    try:
        yield
    except IntegrityError as error:
        message = f"{path}: {error.orig}"
        raise JournalError(message) from error
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        # The low byte is the kind of error, the rest the exact place it came from.
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        kind = ConfigurationError if opening and code in _OPERATORS_MATTER else JournalUnavailable
        message = f"{path}: {_ADVICE.get(code, 'the database failed; try again')} ({cause})"
        raise kind(message) from error


class SqliteFile:
    """An open `Database`: one connection that writes, some that read, and the lock on the file."""

    writers = 1

    def __init__(self, path: Path, writing: Engine, reading: Engine, opened: ExitStack) -> None:
        self.path = path
        self._writing = writing
        self._reading = reading
        self._opened = opened
        self._closing = Lock()

    @classmethod
    def open(cls, path: Path, *, busy_timeout_s: float, readers: int) -> SqliteFile:
        """Lock the file, then open it, and create what is not there yet."""
        with ExitStack() as opened, translated(path, opening=True):
            opened.enter_context(_locked(path))
            writing = _engine(path, busy_timeout_s, begin="BEGIN IMMEDIATE", size=1)
            opened.callback(writing.dispose)
            _prepare(writing, path)
            reading = _engine(path, busy_timeout_s, begin="BEGIN", size=readers, query_only=True)
            opened.callback(reading.dispose)
            return cls(path, writing, reading, opened.pop_all())

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Write: commit on the way out, roll back on an error. For one thread at a time."""
        # Given back each time: that rolls back what a failed commit leaves open, which SQLAlchemy does not do itself.
        with translated(self.path), self._writing.begin() as connection:
            yield connection

    def read(self, query: Callable[[Connection], T]) -> T:
        """Run *query* on what is committed now. For as many threads as there are readers."""
        with translated(self.path), self._reading.connect() as connection:
            return query(connection)

    def read_together(self, query: Callable[[Connection], T]) -> T:
        """Run *query* on one moment, as every read of a file is: to begin a transaction costs nothing here."""
        return self.read(query)

    def now(self, connection: Connection) -> float:
        """Return the machine's time: the file is on it."""
        return system_time()

    def announce(self, connection: Connection, task_ids: Sequence[str]) -> None:
        """Nobody else has it open."""

    def listen(self, on_change: Callable[[str | None], None]) -> None:
        """Nobody else has it open."""

    def begin_pruning(self, connection: Connection) -> None:
        """There is one connection that writes, so there is one that prunes."""

    def give_back(self, connection: Connection) -> None:
        """Let the file shrink by what is unused in it, as far as that takes no time to speak of."""
        unused = min(pragma(connection, "freelist_count"), MOST_PAGES_BACK)
        for _ in range(unused):
            # One at a time: the driver does not go on to the end of a statement that seems to have no rows.
            connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")

    def compact(self) -> None:
        """Write the file anew without the gaps in it: needs as much space once more while it lasts."""
        with translated(self.path), closing(self._writing.raw_connection()) as raw:
            # A file from before it was made this way learns here to shrink by itself.
            raw.cursor().execute("PRAGMA auto_vacuum = INCREMENTAL")
            raw.cursor().execute("VACUUM")
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of the connections, then of the lock; a second time does nothing."""
        with self._closing:
            self._opened.close()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    name = path.with_name(f"{path.name}.lock")
    # Not per thread: whoever closes the journal is not the thread that opened it.
    lock = FileLock(name, thread_local=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout as error:
        message = (
            f"{path} is in use by another coordinator, which holds {name}; "
            "stop that one, or give this one a database of its own"
        )
        raise JournalLocked(message) from error
    except OSError as error:
        message = f"{path}: its directory cannot be written; choose another one or change its permissions ({error})"
        raise ConfigurationError(message) from error
    try:
        yield
    finally:
        lock.release()


def _engine(path: Path, busy_timeout_s: float, *, begin: str, size: int, query_only: bool = False) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": busy_timeout_s},
        pool_size=size,
        max_overflow=0,
    )

    @event.listens_for(engine, "connect")
    def _(connection: sqlite3.Connection, _record: object) -> None:
        # The driver would begin transactions by rules of its own, too late for reads and savepoints.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA query_only = {query_only:d}")

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _prepare(writing: Engine, path: Path) -> None:
    with closing(writing.raw_connection()) as raw:
        # Possible only while there is no table: a file made before this line gives space back by VACUUM alone.
        if raw.cursor().execute(_TABLES).fetchone() == (0,):
            raw.cursor().execute("PRAGMA auto_vacuum = INCREMENTAL")
    with writing.begin() as connection:
        version = checked_version(connection, path)
        if version < SCHEMA_VERSION:
            _create(connection) if version == 0 else _migrate(connection, version)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute(_FREE_LEASES)
    # Outside a transaction, or SQLite ignores it; last, so that a file that is not ours stays as it is.
    with closing(writing.raw_connection()) as raw:
        raw.cursor().execute("PRAGMA journal_mode = WAL")


def _create(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    connection.execute(alembic_version.insert(), {"version_num": f"{SCHEMA_VERSION:04}"})


def _migrate(connection: Connection, version: int) -> None:
    # alembic takes a while to import, and hardly any start needs it.
    from coordinator.journal import migrations  # noqa: PLC0415

    if version == BEFORE_REVISIONS:
        migrations.adopt(connection, version)
    migrations.upgrade(connection)
    log.info("the database was brought up to date", extra={"detail": f"schema {version} to {SCHEMA_VERSION}"})


def checked_version(connection: Connection, path: Path) -> int:
    """Return the schema version of the file, 0 for an empty one.

    Raises `ConfigurationError` for the database of another program, `JournalTooNew` for one of a later version.
    """
    tables = connection.exec_driver_sql(_TABLES).scalar_one()
    if tables and pragma(connection, "application_id") != APPLICATION_ID:
        message = f"{path} is the database of another program; name another file"
        raise ConfigurationError(message)
    version = pragma(connection, "user_version")
    if version > SCHEMA_VERSION:
        message = (
            f"{path} was written by a newer version of this program (schema {version}, this one knows "
            f"{SCHEMA_VERSION}); update this program, or name another file"
        )
        raise JournalTooNew(message)
    return version if tables else 0


def pragma(connection: Connection, name: str) -> int:
    """Return a number SQLite keeps about the file."""
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())

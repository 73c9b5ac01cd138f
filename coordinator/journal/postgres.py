"""A PostgreSQL database that any number of processes share: everything that only PostgreSQL needs, but its tables.

The connections and what they survive, the server's clock, hints to other processes, and what an
error of the database means to the operator. No question about tasks is asked here. Needs the extra
`postgres`, and a direct connection: hints and prepared statements do not pass a pooler of transactions.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from sqlalchemy import URL, Engine, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from coordinator.errors import ConfigurationError, JournalError, JournalUnavailable
from coordinator.journal.database import Conflict
from coordinator.journal.listener import CHANNEL, Listener
from coordinator.journal.postgres_tables import checked_version, prepare, size
from coordinator.journal.sql_schema import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

T = TypeVar("T")

#: One writes as much; but while it waits for a row that another process holds, nothing else would be written.
WRITERS = 2

#: How long a statement may wait: for a row that another process holds, or for a server that is overloaded.
STATEMENT_S = 30

#: How long a process that stands still keeps its rows locked; the next driver waits for them.
FROZEN_S = 3

#: How long a server that does not answer at all is waited for.
SILENT_S = 5

LIBPQ = {
    "application_name": "a2a-coordinator",
    "connect_timeout": SILENT_S,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENT_S * 1000,
}
_SETTINGS = f"-c statement_timeout={STATEMENT_S}s -c idle_in_transaction_session_timeout={FROZEN_S}s"
_READING = r"-c default_transaction_isolation=repeatable\ read -c default_transaction_read_only=on"

_NOW = text("SELECT extract(epoch FROM clock_timestamp())::float8")
# Sent with the commit: who hears it finds what it tells of.
_NOTIFY = text("SELECT pg_notify(:channel, :origin || ' ' || id) FROM unnest(CAST(:ids AS text[])) AS id")
_PRUNING = text("SELECT pg_advisory_xact_lock(107061466398722)")

#: States (SQLSTATE) of a transaction that was undone for another one's sake.
_CONFLICTS = frozenset({"40001", "40P01", "23503", "23505"})
_PERMISSION = "42501"
_ADVICE = {
    "25006": "it can only be read: perhaps it is a standby; name the primary",
    "42501": "the user may not do that; grant it CREATE and USAGE on the schema, and the tables in it",
    "53100": "there is no space left for it; free some and try again",
    "53300": "it has no connection left; raise its max_connections or run fewer replicas",
    "57014": f"it took longer than {STATEMENT_S} s; try again",
    "57P03": "it is starting or stopping; try again",
}
# Connecting fails without a state, in words only.
_WORDS = {
    r"password authentication failed|no password supplied": "the user or its password is wrong; see PGPASSWORD",
    r"role .* does not exist": "there is no such user; create it, or name another one",
    r"database .* does not exist": "there is no such database; create it with: createdb",
    r"no pg_hba.conf entry|permission denied for database": "the user may not connect; see the server's pg_hba.conf",
    r"invalid .*(connection option|sslmode|value)": "the URL has an option that is not understood",
}


def url_of(where: str) -> URL:
    """Return the URL for SQLAlchemy. Raises `ConfigurationError`."""
    try:
        url = make_url(where)
    except (ArgumentError, ValueError) as error:
        # Not shown: there may be a password in it.
        message = "the database is not a URL of the form postgresql://user@host:port/database"
        raise ConfigurationError(message) from error
    return url.set(drivername="postgresql+psycopg")


def shown(where: str | URL) -> str:
    """Return the URL without what is secret in it."""
    url = url_of(where) if isinstance(where, str) else where
    # A host may be an option, a path to the server's socket; so may be a password.
    host = url.query.get("host")
    return str(URL.create("postgresql", url.username, None, url.host, url.port, url.database)) + (
        f"?host={host}" if isinstance(host, str) else ""
    )


@contextmanager
def translated(url: URL, *, opening: bool = False) -> Iterator[None]:
    """Turn what the database raises into an error that names the database and says what to do."""
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        raised = error.orig if isinstance(error, DBAPIError) else error
        kind, advice = _meaning(raised, opening=opening)
        cause = " ".join(str(raised).split())
        if url.password:
            cause = cause.replace(str(url.password), "***")
        message = f"{shown(url)}: {advice} ({cause})"
        raise kind(message) from error


def _meaning(error: BaseException | None, *, opening: bool) -> tuple[type[JournalError | ConfigurationError], str]:
    state = getattr(error, "sqlstate", None) or ""
    if state in _CONFLICTS:
        return Conflict, "another process was in the way"
    if isinstance(error, psycopg.IntegrityError | psycopg.DataError):
        return JournalError, "it does not take that"
    for words, advice in _WORDS.items() if not state else ():
        if re.search(words, str(error)):
            return ConfigurationError if opening else JournalUnavailable, advice
    kind = ConfigurationError if opening and state == _PERMISSION else JournalUnavailable
    return kind, _ADVICE.get(state, "the database failed or cannot be reached; try again")


def engine_of(url: URL, *, connections: int = 0, is_reading: bool = False, **settings: Any) -> Engine:
    """Return an engine of up to *connections* that are kept, as *settings* say; 0: one is made when it is needed."""
    given = url.query.get("options", "")
    options = " ".join(
        [*([given] if isinstance(given, str) else given), _SETTINGS, *([_READING] if is_reading else [])]
    )
    kept: dict[str, Any] = {"pool_size": connections, "max_overflow": 1, "pool_pre_ping": True, **settings}
    return create_engine(
        url, connect_args={**_parameters(url), "options": options}, **(kept if connections else {"poolclass": NullPool})
    )


def _asking(url: URL, connections: int) -> Engine:
    """Return an engine whose every statement is a transaction of its own: one way to the server and back.

    A connection of it takes one and raises `RuntimeError` for a second, which would see another moment.
    """
    engine = engine_of(url, connections=connections, is_reading=True, isolation_level="AUTOCOMMIT", pool_pre_ping=False)

    @event.listens_for(engine, "before_execute")
    def _(connection: Connection, *_: object) -> None:
        # An engine made of this one hears of it as well, and its transactions are real.
        if connection.engine is engine and connection.in_transaction():
            message = "a read of several statements needs a moment of its own: read_together"
            raise RuntimeError(message)

    return engine


def _parameters(url: URL) -> dict[str, Any]:
    return {name: value for name, value in LIBPQ.items() if name not in url.query}


class PostgresDatabase:
    """An open `Database`: some connections that write, some that read, and one that listens."""

    writers = WRITERS

    def __init__(self, url: URL, writing: Engine, asking: Engine, listener: Listener, opened: ExitStack) -> None:
        self._url = url
        self._writing = writing
        self._asking = asking
        self._reading = asking.execution_options(isolation_level="REPEATABLE READ")
        self._listener = listener
        self._opened = opened
        self._closing = Lock()

    @classmethod
    def open(cls, where: str, *, readers: int) -> PostgresDatabase:
        """Connect, and create or migrate the tables where that is safe while others are at work."""
        url = url_of(where)
        with ExitStack() as opened, translated(url, opening=True):
            writing = engine_of(url, connections=WRITERS)
            opened.callback(writing.dispose)
            with writing.begin() as connection:
                prepare(connection, shown(url), upgrade=False)
            asking = _asking(url, readers)
            opened.callback(asking.dispose)
            listener = Listener({**writing.dialect.create_connect_args(url)[1], **_parameters(url)})
            opened.callback(listener.stop)
            return cls(url, writing, asking, listener, opened.pop_all())

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Write: commit on the way out, roll back on an error."""
        with translated(self._url), self._writing.begin() as connection:
            yield connection

    def read(self, query: Callable[[Connection], T]) -> T:
        """Run *query*, of one statement, on what is committed now. For as many threads as there are readers.

        Raises `RuntimeError` for a second statement.
        """
        return self._answer(self._asking, query)

    def read_together(self, query: Callable[[Connection], T]) -> T:
        """Run *query*, of several statements, on one moment: two more ways to the server, to begin and to end."""
        return self._answer(self._reading, query)

    def _answer(self, engine: Engine, query: Callable[[Connection], T]) -> T:
        with translated(self._url):
            try:
                return _answered(engine, query)
            except DBAPIError as error:
                # Whether a kept connection was cut meanwhile shows when it is used; to read again changes nothing.
                if not error.connection_invalidated:
                    raise
            return _answered(engine, query)

    def now(self, connection: Connection) -> float:
        """Return the server's time: one for all replicas."""
        return float(connection.execute(_NOW).scalar_one())

    def announce(self, connection: Connection, task_ids: Sequence[str]) -> None:
        """Tell the other replicas with the commit of this transaction, or not at all."""
        connection.execute(_NOTIFY, {"channel": CHANNEL, "origin": self._listener.origin, "ids": list(task_ids)})

    def listen(self, on_change: Callable[[str | None], None]) -> None:
        """Call *on_change*, in a thread, with each coordination another replica changed; None: any may have."""
        self._listener.start(on_change)

    def begin_pruning(self, connection: Connection) -> None:
        """Wait until nobody else prunes: two at once would each leave a payload for the other to forget."""
        connection.execute(_PRUNING)

    def give_back(self, connection: Connection) -> None:
        """The server does that by itself."""

    def compact(self) -> None:
        """Make the space of what was pruned usable again, without keeping anybody waiting."""
        with translated(self._url), self._writing.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            alone.exec_driver_sql("SET statement_timeout = 0")
            alone.exec_driver_sql(f"VACUUM (ANALYZE) {', '.join(sorted(metadata.tables))}")
            connection.invalidate()  # with its setting

    def close(self) -> None:
        """Let go of the connections; a second time does nothing."""
        with self._closing:
            self._opened.close()


def _answered(engine: Engine, query: Callable[[Connection], T]) -> T:
    with engine.connect() as connection:
        return query(connection)


@contextmanager
def reading(where: str) -> Iterator[tuple[Connection, int, str]]:
    """Open a database for reading alone; yield it with its schema version, 0 for none, and its name."""
    url = url_of(where)
    with translated(url, opening=True), engine_of(url, is_reading=True).connect() as connection:
        yield connection, checked_version(connection, shown(url)), shown(url)


def measured(connection: Connection, where: str) -> tuple[int, int]:
    """Return schema version and bytes."""
    return checked_version(connection, shown(where)), size(connection)


def upgrade(where: str) -> None:
    """Create the tables or bring them up to date, whoever is at work meanwhile."""
    url = url_of(where)
    with translated(url, opening=True), engine_of(url).begin() as connection:
        prepare(connection, shown(url), upgrade=True)

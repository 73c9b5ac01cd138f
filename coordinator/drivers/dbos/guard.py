"""Who is alive: PostgreSQL answers, by an advisory lock each replica holds on a session of its own.

The lock goes when the session goes: at once when the process dies, after a few seconds when it is frozen or
cut off. Being taken for dead costs a hand-over and nothing else: the journal's claim decides who writes. This
module knows nothing of tasks.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any
from zlib import crc32

import psycopg

from coordinator.errors import ConfigurationError, JournalUnavailable

LOCKS = 0x61326163
"""The first key of our advisory locks; the second one is made of the executor's name."""

SILENCE_S = 5.0
"""After which PostgreSQL ends the session of a replica that does not ping."""

FRESH_S = 4.0
"""How long after a ping was sent its lock is sure to be held: less than the silence, with room for a slow clock."""

TICK_S = 0.5
AGAIN_S = 0.2
SETTLE_S = 2.0
"""After a loss the others may have lost theirs as well: so long they are not taken for dead."""

OLDEST_SERVER = 140000

_PRESENT = """
SELECT a.application_name
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = %s AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

_SESSION = (
    f"SET idle_session_timeout = {SILENCE_S * 1000:.0f}",
    "SET tcp_keepalives_idle = 1",
    "SET tcp_keepalives_interval = 1",
    "SET tcp_keepalives_count = 3",
    f"SET tcp_user_timeout = {SILENCE_S * 1000:.0f}",
    "SET statement_timeout = 3000",
)

_NOT_A_NAME = re.compile(r"[^A-Za-z0-9._-]")
_PRESENTED = re.compile(r"coordinator/(?P<version>\S+) (?P<executor>\S+)")

log = logging.getLogger(__name__)


def executor_name(replica: str = "") -> str:
    """Return the name under which this process drives, unique for each start: replica or host, process id, chance."""
    name = _NOT_A_NAME.sub("-", replica or socket.gethostname())[:24]
    return f"{name}:{os.getpid()}:{secrets.token_hex(3)}"


def presented(executor: str) -> str:
    """Return how the guard session of *executor* calls itself, within the 63 bytes PostgreSQL keeps."""
    return f"coordinator/{version('a2a-coordinator')[:16]} {executor}"


def executor_of(application_name: str) -> tuple[str, str]:
    """Return executor and program version behind the name of a guard session; empty for another's session."""
    match = _PRESENTED.fullmatch(application_name)
    return (match["executor"], match["version"]) if match else ("", "")


def conninfo(url: str) -> str:
    """Return *url* as libpq reads it, whatever driver it names."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)


def lock_of(executor: str) -> tuple[int, int]:
    """Return the two keys of the lock of *executor*, both 32 bits with a sign."""
    return LOCKS, int.from_bytes(crc32(executor.encode()).to_bytes(4, "big"), "big", signed=True)


async def _nothing() -> None:
    return


@dataclass(slots=True)
class Guard:
    """The guard session of this process; *on_return* runs after a loss, before work goes on."""

    url: str
    executor: str
    on_return: Callable[[], Awaitable[None]] = _nothing
    alive: frozenset[str] = frozenset()  #: executors that hold their locks, as of the last ping
    _session: psycopg.AsyncConnection[Any] | None = None
    _fresh_until: float = 0.0
    _hunting_from: float = 0.0
    _was_lost: bool = False
    _ticked: asyncio.Event = field(default_factory=asyncio.Event)

    async def hold(self) -> None:
        """Hold the lock until canceled, and take it again as often as it is lost."""
        while True:
            try:
                await self._hold_once()
            except (psycopg.Error, OSError, JournalUnavailable) as error:
                if not self._was_lost:
                    log.warning("the guard session was lost; taking it up again", extra={"error": str(error).strip()})
                self._was_lost = True
            await asyncio.sleep(AGAIN_S)

    @property
    def is_fresh(self) -> bool:
        """Whether nobody can have taken this process for dead since the last time it was looked at."""
        return time.monotonic() < self._fresh_until

    @property
    def may_judge(self) -> bool:
        """Whether others that hold no lock may be taken for dead."""
        return self.is_fresh and time.monotonic() >= self._hunting_from

    async def fresh(self) -> None:
        """Wait until nobody can have taken over what is driven here."""
        while not self.is_fresh:
            self._ticked.clear()
            await self._ticked.wait()

    @asynccontextmanager
    async def standing_in_for(self, executor: str) -> AsyncIterator[bool]:
        """Take the lock of *executor* inside the context, which says whether that is dead. Raises `JournalUnavailable`.

        So only one replica at a time gives away what another left behind.
        """
        [[is_dead]] = await self._ask("SELECT pg_try_advisory_lock(%s, %s)", lock_of(executor))
        try:
            yield is_dead
        finally:
            if is_dead:
                await self.unlock(lock_of(executor))

    async def lock_one(self, kind: int, keys: Sequence[int]) -> int | None:
        """Take the first free one of these locks on the guard session and return its key.

        None when all are taken. Raises `JournalUnavailable`.
        """
        rows = await self._ask(
            "SELECT key FROM unnest(%s::int[]) AS key WHERE pg_try_advisory_lock(%s, key) LIMIT 1", (list(keys), kind)
        )
        return rows[0][0] if rows else None

    async def unlock(self, lock: tuple[int, int]) -> None:
        """Let go of a lock of the guard session. Raises `JournalUnavailable`."""
        await self._ask("SELECT pg_advisory_unlock(%s, %s)", lock)

    async def _hold_once(self) -> None:
        async with await _connected(self.url, presented(self.executor)) as session:
            for setting in _SESSION:
                await session.execute(setting)
            self._session = session
            try:
                await self._lock_own()
                if self._was_lost:
                    await self._return()
                while True:
                    await self._tick()
                    await asyncio.sleep(TICK_S)
            finally:
                self._session, self._fresh_until = None, 0.0

    async def _lock_own(self) -> None:
        while True:
            [[is_locked]] = await self._ask("SELECT pg_try_advisory_lock(%s, %s)", lock_of(self.executor))
            if is_locked:
                return
            await asyncio.sleep(AGAIN_S)  # somebody is giving away what was driven here

    async def _return(self) -> None:
        await self.on_return()
        self._was_lost, self._hunting_from = False, time.monotonic() + SETTLE_S
        log.info("the guard session is back")

    async def _tick(self) -> None:
        asked = time.monotonic()
        names = [name for (name,) in await self._ask(_PRESENT, (LOCKS,))]
        self.alive = frozenset(executor_of(name)[0] for name in names)
        self._fresh_until = asked + FRESH_S
        self._ticked.set()

    async def _ask(self, statement: str, values: Sequence[object]) -> list[Any]:
        if self._session is None:
            raise JournalUnavailable("there is no guard session")
        try:
            cursor = await self._session.execute(statement.encode(), values)
            return await cursor.fetchall()
        except psycopg.Error as error:
            raise JournalUnavailable(str(error).strip()) from error


async def _connected(url: str, name: str) -> psycopg.AsyncConnection[Any]:
    session = await psycopg.AsyncConnection.connect(
        conninfo(url),
        autocommit=True,
        prepare_threshold=None,
        application_name=name,
        connect_timeout=3,
        keepalives=1,
        keepalives_idle=1,
        keepalives_interval=1,
        keepalives_count=3,
        tcp_user_timeout=round(SILENCE_S * 1000),
    )
    if session.info.server_version < OLDEST_SERVER:
        await session.close()
        raise ConfigurationError("db: replicas need PostgreSQL 14 or later")
    return session

"""Which replicas share a database, and what each of them drives: read from PostgreSQL, without asking any of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, text

from coordinator.drivers.dbos.guard import LOCKS, executor_of

_PRESENT = text(
    """
SELECT a.application_name, coalesce(host(a.client_addr), ''), a.backend_start
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = :locks AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY a.backend_start, a.application_name
"""
).bindparams(bindparam("locks", LOCKS))

_DUE = text(
    """
SELECT driver, task_id, plan, state FROM head
WHERE status = 'due' OR (status = 'idle' AND wake_at <= extract(epoch FROM clock_timestamp()))
ORDER BY created_at, task_id
"""
)


@dataclass(frozen=True, slots=True)
class Driven:
    """A task that needs to be driven."""

    task_id: str
    plan: str
    state: str


@dataclass(frozen=True, slots=True)
class Member:
    """One replica: its name and process as it told them, its address as the database sees it, since when."""

    executor: str
    version: str
    address: str
    since: datetime
    drives: tuple[Driven, ...]

    @property
    def name(self) -> str:
        """What `replica` in its configuration says, or its host."""
        return self.executor.split(":")[0]

    @property
    def pid(self) -> int:
        """The number of its process."""
        return int(self.executor.split(":")[1])


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is there, the oldest first, and what nobody drives who is there."""

    members: tuple[Member, ...]
    waiting: tuple[Driven, ...]


def roster(connection: Connection) -> Roster:
    """Return who shares the database behind *connection*."""
    due: defaultdict[str, list[Driven]] = defaultdict(list)
    for driver, task_id, plan, state in connection.execute(_DUE):
        due[driver].append(Driven(task_id, plan, state))
    members = []
    for name, address, since in connection.execute(_PRESENT):
        executor, version = executor_of(name)
        if executor:  # else it stands in for one that is dead, for a moment
            members.append(Member(executor, version, address, since, tuple(due.pop(executor, ()))))
    return Roster(tuple(members), tuple(task for tasks in due.values() for task in tasks))

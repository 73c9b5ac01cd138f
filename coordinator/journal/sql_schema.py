"""The tables, in types that SQLite and PostgreSQL share.

Only names, types, keys and indexes: what is written is in sql_writes, what is asked in
sql_reads. Whoever changes a table raises `SCHEMA_VERSION` and teaches older databases the way,
with a script in `migrations/versions`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

SCHEMA_VERSION = 3

metadata = MetaData()

# Ids are compared and ranged over byte by byte, as SQLite does anyway.
_TaskId = String().with_variant(String(collation="C"), "postgresql")

head = Table(
    "head",
    metadata,
    Column("task_id", _TaskId, primary_key=True),
    Column("context_id", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("tenant", String, nullable=False),
    Column("plan", String, nullable=False),
    Column("state", String, nullable=False),
    Column("status", String, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("turn", BigInteger, nullable=False),
    Column("wake_at", Double),
    Column("driver", String, nullable=False),
    Column("idle_claims", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("status_at", Double, nullable=False),
    # Last, and never selected with the others: a listing must not drag finished tasks through memory.
    Column("final", LargeBinary),
)
Index("head_by_status", head.c.status, head.c.wake_at)
Index("head_by_id", head.c.owner, head.c.tenant, head.c.task_id)
# `state` rides along so that a listing by state is filtered without touching the rows.
Index("head_by_time", head.c.owner, head.c.tenant, head.c.status_at.desc(), head.c.task_id, head.c.state)
Index("head_by_context", head.c.owner, head.c.tenant, head.c.context_id, head.c.status_at.desc(), head.c.task_id)

# Closed ones only: an index of these costs nothing while a coordination is under way.
_IS_CLOSED = text("status = 'closed'")
Index("head_closed", head.c.status, head.c.status_at, sqlite_where=_IS_CLOSED, postgresql_where=_IS_CLOSED)

inbox = Table(
    "inbox",
    metadata,
    # SQLite counts up by itself only in a column that is exactly INTEGER.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("task_id", _TaskId, ForeignKey("head.task_id"), nullable=False),
    # NULL where there is no key: any number of those may stand in a unique column.
    Column("key", String, unique=True),
    Column("type", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("consumed_seq", BigInteger),
)
Index("inbox_by_task", inbox.c.task_id, inbox.c.consumed_seq, inbox.c.number)

_HAS_KEY = text("key IS NOT NULL")
Index("inbox_keyed", inbox.c.at, sqlite_where=_HAS_KEY, postgresql_where=_HAS_KEY)

journal = Table(
    "journal",
    metadata,
    Column("task_id", _TaskId, ForeignKey("head.task_id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("type", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
)

payload = Table(
    "payload",
    metadata,
    Column("digest", String, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# A payload is kept as long as any coordination uses it.
payload_use = Table(
    "payload_use",
    metadata,
    Column("digest", String, ForeignKey("payload.digest"), primary_key=True),
    Column("task_id", _TaskId, ForeignKey("head.task_id"), primary_key=True),
)
Index("payload_use_by_task", payload_use.c.task_id)

# Where clients want to be told, and how far they were: see pushing.py.
push = Table(
    "push",
    metadata,
    Column("task_id", _TaskId, ForeignKey("head.task_id"), primary_key=True),
    Column("config_id", String, primary_key=True),
    Column("url", String, nullable=False),
    Column("origin", String, nullable=False),
    Column("version", String, nullable=False),
    Column("token", Text, nullable=False),
    Column("scheme", String, nullable=False),
    Column("credentials", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failing_since", Double),
    Column("next_at", Double, nullable=False),
    Column("holder", String, nullable=False),
    Column("lease_until", Double, nullable=False),
)
_IS_OPEN = text("state = 'open'")
Index("push_open", push.c.next_at, push.c.task_id, sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN)

# As alembic makes it: a fresh database is not migrated, it only says so.
alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

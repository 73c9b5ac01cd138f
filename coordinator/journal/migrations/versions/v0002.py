"""Which coordination uses which payload, and indexes to find what is old: both for pruning."""

import re

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TaskId = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_DIGEST = re.compile(r'"([0-9a-f]{64})"')


def upgrade() -> None:
    """Make the table and fill it from what the facts refer to."""
    use = op.create_table(
        "payload_use",
        sa.Column("digest", sa.String, sa.ForeignKey("payload.digest"), primary_key=True),
        sa.Column("task_id", _TaskId, sa.ForeignKey("head.task_id"), primary_key=True),
    )
    op.create_index("payload_use_by_task", "payload_use", ["task_id"])
    closed, keyed = sa.text("status = 'closed'"), sa.text("key IS NOT NULL")
    op.create_index("head_closed", "head", ["status", "status_at"], sqlite_where=closed, postgresql_where=closed)
    op.create_index("inbox_keyed", "inbox", ["at"], sqlite_where=keyed, postgresql_where=keyed)
    # A key of an accepted message is told from a consumed item by this from now on.
    op.execute("UPDATE inbox SET consumed_seq = 0 WHERE consumed_seq = 1 AND body = ''")
    _fill(op.get_bind(), use)


def _fill(connection: sa.Connection, use: sa.Table) -> None:
    # Facts are JSON, and name a payload by its hash. A string that only looks like one is no known digest.
    known = set(connection.execute(sa.text("SELECT digest FROM payload")).scalars())
    tasks = connection.execute(sa.text("SELECT task_id FROM head")).scalars().all()
    for task_id in tasks:
        told = sa.text(
            "SELECT body FROM journal WHERE task_id = :id UNION ALL SELECT body FROM inbox WHERE task_id = :id"
        )
        bodies = connection.execute(told, {"id": task_id}).scalars()
        digests = {digest for body in bodies for digest in _DIGEST.findall(body)} & known
        if digests:
            connection.execute(use.insert(), [{"digest": digest, "task_id": task_id} for digest in sorted(digests)])

"""The four tables: head, inbox, journal, payload."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TaskId = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables of the first version."""
    _make_head()
    op.create_table(
        "inbox",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("task_id", _TaskId, sa.ForeignKey("head.task_id"), nullable=False),
        sa.Column("key", sa.String, unique=True),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("consumed_seq", sa.BigInteger),
    )
    op.create_index("inbox_by_task", "inbox", ["task_id", "consumed_seq", "number"])
    op.create_table(
        "journal",
        sa.Column("task_id", _TaskId, sa.ForeignKey("head.task_id"), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "payload",
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )


def _make_head() -> None:
    op.create_table(
        "head",
        sa.Column("task_id", _TaskId, primary_key=True),
        sa.Column("context_id", sa.String, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("plan", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        sa.Column("wake_at", sa.Double),
        sa.Column("driver", sa.String, nullable=False),
        sa.Column("idle_claims", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("status_at", sa.Double, nullable=False),
        sa.Column("final", sa.LargeBinary),
    )
    op.create_index("head_by_status", "head", ["status", "wake_at"])
    op.create_index("head_by_id", "head", ["owner", "tenant", "task_id"])
    newest = sa.text("status_at DESC")
    op.create_index("head_by_time", "head", ["owner", "tenant", newest, "task_id", "state"])
    op.create_index("head_by_context", "head", ["owner", "tenant", "context_id", newest, "task_id"])

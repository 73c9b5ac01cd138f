"""Where clients want push notifications of their tasks, and how far each was told."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TaskId = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "push",
        sa.Column("task_id", _TaskId, sa.ForeignKey("head.task_id"), primary_key=True),
        sa.Column("config_id", sa.String, primary_key=True),
        sa.Column("url", sa.String, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("scheme", sa.String, nullable=False),
        sa.Column("credentials", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("sent", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", sa.Double),
        sa.Column("next_at", sa.Double, nullable=False),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("lease_until", sa.Double, nullable=False),
    )
    is_open = sa.text("state = 'open'")
    op.create_index("push_open", "push", ["next_at", "task_id"], sqlite_where=is_open, postgresql_where=is_open)

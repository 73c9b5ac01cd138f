"""What a journal forgets: coordinations that closed long ago, what was only theirs, and old keys.

Every call is one transaction of bounded length; whoever waits for the writer waits no longer than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, exists, func, select, text

from coordinator.journal.protocol import Pruned
from coordinator.journal.sql_schema import head, inbox, journal, payload, payload_use, push

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Written out, since SQLite looks for its partial indexes before it knows the values.
_IS_CLOSED = text("status = 'closed'")
# What is owed is delivered or given up first.
_OWES_NOTHING = ~exists().where(push.c.task_id == head.c.task_id, text("push.state = 'open'"))
_OLD = (
    select(head.c.task_id)
    .where(_IS_CLOSED, head.c.status_at < bindparam("before"), _OWES_NOTHING)
    .order_by(head.c.status_at, head.c.task_id)
    .limit(bindparam("most"))
)
_OLD_KEYS = (
    select(inbox.c.number)
    .where(text("key IS NOT NULL"), inbox.c.at < bindparam("before"), inbox.c.consumed_seq == 0)
    .order_by(inbox.c.at, inbox.c.key)
    .limit(bindparam("most"))
)
_DIGESTS = select(payload_use.c.digest).where(payload_use.c.task_id == bindparam("of_task"))
_FORGET_USE = delete(payload_use).where(payload_use.c.task_id == bindparam("of_task"))
_FORGET_PAYLOAD = delete(payload).where(
    payload.c.digest == bindparam("of_digest"), ~exists().where(payload_use.c.digest == payload.c.digest)
)
_FORGET_TASK = tuple(
    delete(table).where(table.c.task_id == bindparam("of_task")) for table in (push, journal, inbox, head)
)
_FORGET_ITEM = delete(inbox).where(inbox.c.number == bindparam("of_number"))

_IS_OLD = head.c.task_id.in_(
    select(head.c.task_id).where(_IS_CLOSED, head.c.status_at < bindparam("before"), _OWES_NOTHING)
)
_USED = select(payload_use.c.digest).join(head, head.c.task_id == payload_use.c.task_id)
_FREED = select(func.count(), func.coalesce(func.sum(func.length(payload.c.body)), 0)).where(
    payload.c.digest.in_(_USED.where(_IS_OLD)), payload.c.digest.not_in(_USED.where(~_IS_OLD))
)
_COUNT_OLD = (
    select(func.count()).select_from(head).where(_IS_CLOSED, head.c.status_at < bindparam("before"), _OWES_NOTHING)
)


def prune(connection: Connection, closed_before: float, keys_before: float, limit: int) -> Pruned:
    """Forget up to *limit* coordinations and as many keys; whoever else prunes has to wait."""
    old = connection.execute(_OLD, {"before": closed_before, "most": limit}).scalars().all()
    payloads = sum(_forget(connection, task_id) for task_id in old)
    keys = connection.execute(_OLD_KEYS, {"before": keys_before, "most": limit}).scalars().all()
    if keys:
        connection.execute(_FORGET_ITEM, [{"of_number": number} for number in keys])
    return Pruned(len(old), payloads, len(keys))


def _forget(connection: Connection, task_id: str) -> int:
    """Forget a coordination; return how many payloads went with it."""
    digests = connection.execute(_DIGESTS, {"of_task": task_id}).scalars().all()
    connection.execute(_FORGET_USE, {"of_task": task_id})
    for statement in _FORGET_TASK:
        connection.execute(statement, {"of_task": task_id})
    return sum(connection.execute(_FORGET_PAYLOAD, {"of_digest": digest}).rowcount for digest in digests)


@dataclass(frozen=True, slots=True)
class Prunable:
    """What pruning would take away; `size` is the bytes of the payloads."""

    coordinations: int
    payloads: int
    size: int


def prunable(connection: Connection, closed_before: float) -> Prunable:
    """Return what `prune` would forget by and by."""
    count = connection.execute(_COUNT_OLD, {"before": closed_before}).scalar_one()
    payloads, size = connection.execute(_FREED, {"before": closed_before}).one()
    return Prunable(count, payloads, int(size))

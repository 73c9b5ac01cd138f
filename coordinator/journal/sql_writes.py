"""What a journal writes, each function inside a transaction that somebody else begins and commits.

Every function may run again from the start after a rollback, so it takes nothing that can be
used up. The head row is locked or updated first: that puts the writers of one coordination in
order on databases that have more than one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, bindparam, case, delete, func, insert, select, text, update

from coordinator.errors import ClaimLost, TaskClosed, UnknownTask
from coordinator.journal.protocol import Acceptance, Claim, Status
from coordinator.journal.sql_pushes import set_push
from coordinator.journal.sql_schema import head, inbox, journal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from coordinator.core.model import Payload
    from coordinator.journal.protocol import HeadChange, NewTask, Record
    from coordinator.journal.pushing import PushConfig

    DatabaseClock = Callable[[Connection], float]

# Built once: composing a statement costs more than running it.
_INSERT_HEAD = insert(head)
_INSERT_ENTRY = insert(journal)
_INSERT_ITEM = insert(inbox)
# In words that both databases understand; SQLAlchemy has them only for each alone.
_INSERT_PAYLOAD = text("INSERT INTO payload (digest, body) VALUES (:digest, :body) ON CONFLICT DO NOTHING")
_INSERT_USE = text("INSERT INTO payload_use (digest, task_id) VALUES (:digest, :task_id) ON CONFLICT DO NOTHING")
_STATUS = select(head.c.status).where(head.c.task_id == bindparam("of_task")).with_for_update()
_KEY = select(inbox.c.task_id, inbox.c.at).where(inbox.c.key == bindparam("of_key"))
# Items without a body were never in the inbox: `accept` remembers its key with one.
_JUST_A_KEY = 0
_DROP_KEY = delete(inbox).where(inbox.c.key == bindparam("of_key"), inbox.c.consumed_seq == _JUST_A_KEY)
_FORGET_KEY = update(inbox).where(inbox.c.key == bindparam("of_key")).values(key=None)
_WAKE = (
    update(head)
    .where(head.c.task_id == bindparam("of_task"))
    .values(status=Status.DUE, turn=head.c.turn + bindparam("turns"))
)
_CLAIM = (
    update(head)
    .where(
        head.c.task_id == bindparam("of_task"),
        head.c.status != Status.CLOSED,
        head.c.epoch == func.coalesce(bindparam("after", type_=BigInteger), head.c.epoch),
    )
    .values(epoch=head.c.epoch + 1, idle_claims=head.c.idle_claims + 1)
    .returning(head.c.epoch, head.c.seq)
)
# The fence: whoever lost the claim, or missed an entry, changes no row and therefore writes nothing.
_ADVANCE = (
    update(head)
    .where(
        head.c.task_id == bindparam("of_task"),
        head.c.epoch == bindparam("of_epoch"),
        head.c.seq == bindparam("of_seq"),
        head.c.status != Status.CLOSED,
    )
    .values(idle_claims=case((bindparam("progress") == 1, 0), else_=head.c.idle_claims))
)
_STAY_DUE = update(head).where(head.c.task_id == bindparam("of_task")).values(status=Status.DUE, final=None)
_CONSUME = update(inbox).where(inbox.c.task_id == bindparam("of_task"), inbox.c.number == bindparam("of_number"))
_UNCONSUMED = (
    select(inbox.c.number).where(inbox.c.task_id == bindparam("of_task"), inbox.c.consumed_seq.is_(None)).limit(1)
)


def accept(
    connection: Connection,
    task: NewTask,
    record: Record,
    payloads: Sequence[Payload],
    key: str,
    clock: DatabaseClock,
    window_s: float,
    push: PushConfig | None = None,
) -> Acceptance:
    """Create a coordination, unless *key* was accepted within *window_s*."""
    now = clock(connection) if key else task.at
    if key:
        older = connection.execute(_KEY, {"of_key": key}).one_or_none()
        if older and older.at > now - window_s:
            return Acceptance(older.task_id, created=False)
        if older:
            connection.execute(_DROP_KEY, {"of_key": key})
            connection.execute(_FORGET_KEY, {"of_key": key})
    connection.execute(_INSERT_HEAD, _fresh(task))
    _keep(connection, task.task_id, payloads)
    _write_entries(connection, Claim(task.task_id, epoch=0, seq=0), [record])
    if push:
        set_push(connection, task.task_id, push, most=1)
    if key:
        # Only the key is remembered here: the record itself is entry 1 already.
        row = {"type": record.type, "version": record.version, "body": "", "at": now, "consumed_seq": _JUST_A_KEY}
        connection.execute(_INSERT_ITEM, {"task_id": task.task_id, "key": key, **row})
    return Acceptance(task.task_id, created=True)


def put(
    connection: Connection,
    task_id: str,
    record: Record,
    payloads: Sequence[Payload],
    key: str,
    clock: DatabaseClock,
    push: PushConfig | None = None,
    most_pushes: int = 1,
) -> bool:
    """Leave *record* in the inbox and make the coordination due."""
    status = connection.execute(_STATUS, {"of_task": task_id}).scalar_one_or_none()
    if status is None:
        raise UnknownTask
    if key and connection.execute(_KEY, {"of_key": key}).one_or_none():
        return False
    if status == Status.CLOSED:
        raise TaskClosed
    if push:
        set_push(connection, task_id, push, most_pushes)
    _keep(connection, task_id, payloads)
    connection.execute(_WAKE, {"of_task": task_id, "turns": int(status == Status.IDLE)})
    row = {"type": record.type, "version": record.version, "body": record.body, "at": clock(connection)}
    connection.execute(_INSERT_ITEM, {"task_id": task_id, "key": key or None, **row})
    return True


def claim(connection: Connection, task_id: str, driver: str, after: int | None) -> Claim | None:
    """Take the right to drive, with *after* only while that is the epoch; None when it is closed or unknown."""
    row = connection.execute(_CLAIM, {"of_task": task_id, "driver": driver, "after": after}).one_or_none()
    if row is None and after is not None:
        status = connection.execute(_STATUS, {"of_task": task_id}).scalar_one_or_none()
        if status not in {None, Status.CLOSED}:
            raise ClaimLost
    return Claim(task_id, row.epoch, row.seq) if row else None


def append(
    connection: Connection,
    held: Claim,
    records: Sequence[Record],
    change: HeadChange,
    consumed: Sequence[int],
    payloads: Sequence[Payload],
) -> Claim:
    """Write *records* after `held.seq`, consume inbox items and change the head."""
    after = Claim(held.task_id, held.epoch, held.seq + len(records))
    if connection.execute(_ADVANCE, _advanced(held, after, change)).rowcount == 0:
        raise ClaimLost
    _keep(connection, held.task_id, payloads)
    _write_entries(connection, held, records)
    if consumed:
        marks = [{"of_task": held.task_id, "of_number": number, "consumed_seq": after.seq} for number in consumed]
        connection.execute(_CONSUME, marks)
    if change.status is not Status.DUE and connection.execute(_UNCONSUMED, {"of_task": held.task_id}).first():
        connection.execute(_STAY_DUE, {"of_task": held.task_id})
    return after


def _keep(connection: Connection, task_id: str, payloads: Sequence[Payload]) -> None:
    if payloads:
        # Always in the same order: two that bring the same ones then wait for each other in one direction only.
        ordered = sorted(payloads, key=lambda item: item.digest)
        connection.execute(_INSERT_PAYLOAD, [{"digest": item.digest, "body": item.body} for item in ordered])
        connection.execute(_INSERT_USE, [{"digest": item.digest, "task_id": task_id} for item in ordered])


def _write_entries(connection: Connection, held: Claim, records: Sequence[Record]) -> None:
    if not records:
        return
    rows = [
        {
            "task_id": held.task_id,
            "seq": seq,
            "epoch": held.epoch,
            "type": record.type,
            "version": record.version,
            "body": record.body,
        }
        for seq, record in enumerate(records, held.seq + 1)
    ]
    connection.execute(_INSERT_ENTRY, rows)


def _fresh(task: NewTask) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "context_id": task.context_id,
        "owner": task.scope.owner,
        "tenant": task.scope.tenant,
        "plan": task.plan,
        "state": task.state,
        "status": Status.DUE,
        "seq": 1,
        "epoch": 0,
        "turn": 1,
        "driver": "",
        "idle_claims": 0,
        "created_at": task.at,
        "status_at": task.at,
    }


def _advanced(held: Claim, after: Claim, change: HeadChange) -> dict[str, Any]:
    return {
        "of_task": held.task_id,
        "of_epoch": held.epoch,
        "of_seq": held.seq,
        "progress": int(change.is_progress),
        "seq": after.seq,
        "state": change.state,
        "status": change.status,
        "status_at": change.status_at,
        "wake_at": change.wake_at,
        "final": change.final if change.status is Status.CLOSED else None,
    }

"""What a journal in a database writes and asks about push notifications, each function inside somebody's transaction.

Every write names what it expects to find, so of two senders one changes a row and the other none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, text, update

from coordinator.errors import TooManyPushes, UnknownTask
from coordinator.journal.protocol import Status
from coordinator.journal.pushing import OwedPush, Place, PushConfig, PushCounts, PushState
from coordinator.journal.sql_schema import head, push

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import Connection, Row

    DatabaseClock = Callable[[Connection], float]

# Written out, since SQLite looks for its partial indexes before it knows the values.
_IS_OPEN = text("push.state = 'open'")
_IS_BEHIND = and_(_IS_OPEN, or_(head.c.seq > push.c.seq, head.c.status == Status.CLOSED))

_SEQ = select(head.c.seq).where(head.c.task_id == bindparam("of_task")).with_for_update()
_OF_TASK = select(push).where(push.c.task_id == bindparam("of_task")).order_by(push.c.config_id)
_INSERT = insert(push)
_IS_IT = (push.c.task_id == bindparam("of_task"), push.c.config_id == bindparam("of_config"))
_REPLACE = update(push).where(*_IS_IT)
_DELETE = delete(push).where(*_IS_IT)
_OWED = (
    select(push)
    .join(head, head.c.task_id == push.c.task_id)
    .where(_IS_BEHIND, push.c.next_at <= bindparam("now"), push.c.lease_until <= bindparam("now"))
    .order_by(push.c.next_at, push.c.task_id, push.c.config_id)
)
_STANDS = (
    *_IS_IT,
    push.c.state == PushState.OPEN,
    push.c.seq == bindparam("of_seq"),
    push.c.sent == bindparam("of_sent"),
)
# With what was seen of its failures: who looked before the last one knows nothing of the pause that followed.
_LEASE = update(push).where(
    *_STANDS,
    push.c.failures == bindparam("of_failures"),
    push.c.next_at <= bindparam("now"),
    push.c.lease_until <= bindparam("now"),
)
_MOVE = update(push).where(
    *_STANDS, or_(push.c.holder == bindparam("of_holder"), push.c.lease_until <= bindparam("now"))
)
_FAIL = (
    update(push)
    .where(*_IS_IT, push.c.state == PushState.OPEN, push.c.holder == bindparam("of_holder"))
    .values(failures=push.c.failures + 1, failing_since=func.coalesce(push.c.failing_since, bindparam("now")))
)
_COUNT_OWED = select(func.count()).select_from(push).join(head, head.c.task_id == push.c.task_id).where(_IS_BEHIND)
_COUNT_GIVEN_UP = select(func.count()).select_from(push).where(push.c.state == PushState.GIVEN_UP)
_COUNTS = select(_COUNT_OWED.scalar_subquery(), _COUNT_GIVEN_UP.scalar_subquery())


def set_push(connection: Connection, task_id: str, config: PushConfig, most: int) -> None:
    """Keep *config*; one of a known id goes on where that stood."""
    seq = connection.execute(_SEQ, {"of_task": task_id}).scalar_one_or_none()
    if seq is None:
        raise UnknownTask
    known = {row.config_id: row.seq for row in connection.execute(_OF_TASK, {"of_task": task_id})}
    row = _fresh(config, known.get(config.config_id, seq))
    if config.config_id in known:
        connection.execute(_REPLACE, {"of_task": task_id, "of_config": config.config_id, **row})
    elif len(known) >= most:
        raise TooManyPushes
    else:
        connection.execute(_INSERT, {"task_id": task_id, "config_id": config.config_id, **row})


def pushes(connection: Connection, task_id: str) -> Sequence[PushConfig]:
    """Return the task's configurations, by id."""
    return tuple(_config(row) for row in connection.execute(_OF_TASK, {"of_task": task_id}))


def delete_push(connection: Connection, task_id: str, config_id: str) -> None:
    """Forget a configuration, with what was owed to it."""
    connection.execute(_DELETE, {"of_task": task_id, "of_config": config_id})


def owed(connection: Connection, now: float, limit: int, without: Collection[str]) -> Sequence[OwedPush]:
    """Return up to *limit* configurations that lie behind their task, longest due first."""
    asked = _OWED.where(push.c.origin.not_in(sorted(without))) if without else _OWED
    return tuple(_owed(row) for row in connection.execute(asked.limit(limit), {"now": now}))


def lease_push(connection: Connection, held: OwedPush, holder: str, for_s: float, clock: DatabaseClock) -> bool:
    """Take the right to deliver for *for_s* seconds."""
    now = clock(connection)
    asked = {**_standing(held), "of_failures": held.failures, "now": now}
    return connection.execute(_LEASE, {**asked, "holder": holder, "lease_until": now + for_s}).rowcount == 1


def move_push(
    connection: Connection,
    held: OwedPush,
    place: Place,
    holder: str,
    keep_s: float,
    clock: DatabaseClock,
    *,
    is_over: bool,
) -> bool:
    """Note that everything up to *place* was told."""
    now = clock(connection)
    values = {
        "seq": place.seq,
        "sent": place.sent,
        "state": PushState.DONE if is_over else PushState.OPEN,
        "failures": 0,
        "failing_since": None,
        "next_at": 0.0,
        "holder": holder if keep_s else "",
        "lease_until": now + keep_s if keep_s else 0.0,
    }
    asked = {**_standing(held), "of_holder": holder, "now": now}
    return connection.execute(_MOVE, {**asked, **values}).rowcount == 1


def fail_push(
    connection: Connection, held: OwedPush, holder: str, wait_s: float, clock: DatabaseClock, *, gives_up: bool
) -> None:
    """Note a failed delivery and give the lease up."""
    now = clock(connection)
    values = {
        "state": PushState.GIVEN_UP if gives_up else PushState.OPEN,
        "next_at": now + wait_s,
        "holder": "",
        "lease_until": 0.0,
    }
    asked = {"of_task": held.task_id, "of_config": held.config.config_id, "of_holder": holder, "now": now}
    connection.execute(_FAIL, {**asked, **values})


def push_counts(connection: Connection) -> PushCounts:
    """Return how much is owed."""
    return PushCounts(*connection.execute(_COUNTS).one())


def _fresh(config: PushConfig, seq: int) -> dict[str, Any]:
    return {
        "url": config.url,
        "origin": config.origin,
        "version": config.version,
        "token": config.token,
        "scheme": config.scheme,
        "credentials": config.credentials,
        "state": PushState.OPEN,
        "seq": seq,
        "sent": 0,
        "failures": 0,
        "failing_since": None,
        "next_at": 0.0,
        "holder": "",
        "lease_until": 0.0,
    }


def _standing(held: OwedPush) -> dict[str, Any]:
    return {
        "of_task": held.task_id,
        "of_config": held.config.config_id,
        "of_seq": held.place.seq,
        "of_sent": held.place.sent,
    }


def _config(row: Row[*tuple[object, ...]]) -> PushConfig:
    return PushConfig(row.config_id, row.url, row.version, row.token, row.scheme, row.credentials)


def _owed(row: Row[*tuple[object, ...]]) -> OwedPush:
    return OwedPush(row.task_id, _config(row), Place(row.seq, row.sent), row.failures, row.failing_since)

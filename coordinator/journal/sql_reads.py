"""What a journal answers, each function one statement; those of several, to be read together, say so.

Nothing here writes, and nothing selects `head.final` except the one question for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, false, func, or_, select

from coordinator.journal.paging import cursor_of, token_after
from coordinator.journal.protocol import HIDDEN, Entry, Head, InboxItem, Record, Scope, Status, TaskPage
from coordinator.journal.sql_schema import head, inbox, journal, payload, payload_use

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from coordinator.journal.paging import Cursor
    from coordinator.journal.protocol import TaskFilter

#: Databases bound the parameters of one statement; the oldest SQLite in use at 999.
DIGESTS_PER_QUERY = 500

#: No text in PostgreSQL has it, so no id has it anywhere.
NUL = "\0"

#: Sorts behind every text that continues a prefix.
_LAST_CHARACTER = "\U0010ffff"

_HEAD = select(*(column for column in head.c if column is not head.c.final))
_HEAD_OF = _HEAD.where(head.c.task_id == bindparam("of_task"))
_FINAL = select(head.c.final).where(head.c.task_id == bindparam("of_task"))
_ENTRIES = (
    select(journal.c.seq, journal.c.type, journal.c.version, journal.c.body)
    .where(journal.c.task_id == bindparam("of_task"), journal.c.seq > bindparam("after"))
    .order_by(journal.c.seq)
)
_INBOX = (
    select(inbox.c.number, inbox.c.type, inbox.c.version, inbox.c.body)
    .where(inbox.c.task_id == bindparam("of_task"), inbox.c.consumed_seq.is_(None))
    .order_by(inbox.c.number)
)
_DUE = (
    select(head.c.task_id)
    .where(
        or_(
            head.c.status == Status.DUE,
            and_(head.c.status == Status.IDLE, head.c.wake_at <= bindparam("now")),
        )
    )
    .order_by(head.c.created_at, head.c.task_id)
)
_DUE_BESIDES = _DUE.where(or_(head.c.status == Status.IDLE, head.c.driver.not_in(bindparam("besides", expanding=True))))
_NEXT_WAKE = select(func.min(head.c.wake_at)).where(head.c.status == Status.IDLE)
# A range, not LIKE: it needs no escaping, tells upper from lower case, and an index serves it.
_FIND = (
    select(head.c.task_id)
    .where(
        head.c.owner == bindparam("of_owner"),
        head.c.tenant == bindparam("of_tenant"),
        head.c.task_id >= bindparam("first"),
        head.c.task_id < bindparam("last"),
    )
    .order_by(head.c.task_id)
    .limit(bindparam("most"))
)
_FIND_ANY = (
    select(head.c.task_id)
    .where(head.c.task_id >= bindparam("first"), head.c.task_id < bindparam("last"))
    .order_by(head.c.task_id)
    .limit(bindparam("most"))
)
_DIGESTS = select(payload_use.c.digest).where(payload_use.c.task_id == bindparam("of_task")).order_by("digest")
_PAYLOADS = (
    select(payload.c.digest, payload.c.body)
    .where(payload.c.digest.in_(bindparam("digests", expanding=True)))
    .order_by(payload.c.digest)
)


def head_of(connection: Connection, task_id: str) -> Head | None:
    """Return the head row, or None."""
    if NUL in task_id:
        return None
    row = connection.execute(_HEAD_OF, {"of_task": task_id}).one_or_none()
    return _head(row) if row else None


def final_of(connection: Connection, task_id: str) -> bytes | None:
    """Return the finished Task, or None."""
    return connection.execute(_FINAL, {"of_task": task_id}).scalar_one_or_none()


def entries(connection: Connection, task_id: str, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
    """Return the entries behind *after*, in order; with *limit* no more than that."""
    asked = _ENTRIES if limit is None else _ENTRIES.limit(limit)
    rows = connection.execute(asked, {"of_task": task_id, "after": after})
    return tuple(Entry(seq, Record(type_, version, body)) for seq, type_, version, body in rows)


def inbox_of(connection: Connection, task_id: str) -> Sequence[InboxItem]:
    """Return the items nobody consumed yet, oldest first."""
    rows = connection.execute(_INBOX, {"of_task": task_id})
    return tuple(InboxItem(number, Record(type_, version, body)) for number, type_, version, body in rows)


def due(connection: Connection, now: float, besides: Sequence[str] = ()) -> Sequence[str]:
    """Return the ids of coordinations that need a driver, oldest first, but for those one of *besides* drives."""
    if not besides:
        return tuple(connection.execute(_DUE, {"now": now}).scalars())
    return tuple(connection.execute(_DUE_BESIDES, {"now": now, "besides": besides}).scalars())


def next_wake(connection: Connection) -> float | None:
    """Return the earliest `wake_at` of the idle ones."""
    earliest: float | None = connection.execute(_NEXT_WAKE).scalar_one()
    return earliest


def find(connection: Connection, scope: Scope, prefix: str, limit: int) -> Sequence[str]:
    """Return up to *limit* ids that start with *prefix*."""
    ends = {"first": prefix, "last": prefix + _LAST_CHARACTER}
    rows = connection.execute(_FIND, {"of_owner": scope.owner, "of_tenant": scope.tenant, "most": limit, **ends})
    return tuple(rows.scalars())


def find_any(connection: Connection, prefix: str, limit: int) -> Sequence[str]:
    """Return up to *limit* ids that start with *prefix*, whoever owns them: for the operator, not for clients."""
    ends = {"first": prefix, "last": prefix + _LAST_CHARACTER}
    return tuple(connection.execute(_FIND_ANY, {"most": limit, **ends}).scalars())


def digests_of(connection: Connection, task_id: str) -> Sequence[str]:
    """Return the digests of all payloads a task uses."""
    return tuple(connection.execute(_DIGESTS, {"of_task": task_id}).scalars())


def payload_bodies(connection: Connection, digests: Sequence[str]) -> Mapping[str, bytes]:
    """Return the bodies of the known ones: one statement for each `DIGESTS_PER_QUERY`."""
    found: dict[str, bytes] = {}
    for start in range(0, len(digests), DIGESTS_PER_QUERY):
        rows = connection.execute(_PAYLOADS, {"digests": digests[start : start + DIGESTS_PER_QUERY]})
        found.update((digest, body) for digest, body in rows)
    return found


def tasks(connection: Connection, scope: Scope, query: TaskFilter) -> TaskPage:
    """Return one page of *scope*'s heads and how many there are in all: two statements."""
    cursor = cursor_of(scope, query)
    conditions = _conditions(scope, query)
    total = connection.execute(select(func.count()).select_from(head).where(*conditions)).scalar_one()
    # One more than asked for tells whether there is a next page.
    rows = connection.execute(_page(conditions, cursor).limit(query.page_size + 1)).all()
    page = tuple(_head(row) for row in rows[: query.page_size])
    token = token_after(scope, query, page[-1]) if len(rows) > len(page) else ""
    return TaskPage(page, token, total)


def _page(conditions: Sequence[ColumnElement[bool]], cursor: Cursor | None) -> Select[*tuple[object, ...]]:
    ordered = _HEAD.where(*conditions).order_by(head.c.status_at.desc(), head.c.task_id)
    if cursor is None:
        return ordered
    # The first condition is implied by the second, but only the first is a range an index can start from.
    is_behind = or_(head.c.status_at < cursor.status_at, head.c.task_id > cursor.task_id)
    return ordered.where(head.c.status_at <= cursor.status_at, is_behind)


def _conditions(scope: Scope, query: TaskFilter) -> list[ColumnElement[bool]]:
    conditions = [head.c.owner == scope.owner, head.c.tenant == scope.tenant]
    if not query.with_hidden:
        conditions.append(head.c.state != HIDDEN)
    if query.context_id is not None:
        conditions.append(false() if NUL in query.context_id else head.c.context_id == query.context_id)
    if query.state is not None:
        conditions.append(head.c.state == query.state)
    if query.status_after is not None:
        conditions.append(head.c.status_at >= query.status_after)
    return conditions


def _head(row: Row[*tuple[object, ...]]) -> Head:
    return Head(
        task_id=row.task_id,
        context_id=row.context_id,
        scope=Scope(row.owner, row.tenant),
        plan=row.plan,
        state=row.state,
        status=Status(row.status),
        seq=row.seq,
        epoch=row.epoch,
        turn=row.turn,
        wake_at=row.wake_at,
        driver=row.driver,
        idle_claims=row.idle_claims,
        created_at=row.created_at,
        status_at=row.status_at,
    )

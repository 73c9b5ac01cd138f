"""Page tokens: where a listing stopped, and for which question.

A token says "after this status time and task id, for these filters", with a checksum over all
of it. It is opaque, not secret: who forges one only chooses where in his own tasks to begin.
"""

from __future__ import annotations

import base64
import hashlib
import math
from typing import TYPE_CHECKING, NamedTuple

from coordinator.errors import BadPageToken

if TYPE_CHECKING:
    from coordinator.journal.protocol import Head, Scope, TaskFilter


class Cursor(NamedTuple):
    """The place of a head in the listing: newest `status_at` first, then by task id."""

    status_at: float
    task_id: str


def cursor_of(scope: Scope, query: TaskFilter) -> Cursor | None:
    """Return where the page begins, None for the first one. Raises `BadPageToken`."""
    if not query.page_token:
        return None
    try:
        # Compared whole, so nothing that we would not have written ourselves gets through.
        cursor = _decoded(query.page_token)
        is_ours = math.isfinite(cursor.status_at) and _encoded(scope, query, cursor) == query.page_token
    except (ValueError, OverflowError) as error:
        raise BadPageToken from error
    if not is_ours:
        raise BadPageToken
    return cursor


def token_after(scope: Scope, query: TaskFilter, last: Head) -> str:
    """Return the token of the page that follows *last*."""
    return _encoded(scope, query, Cursor(last.status_at, last.task_id))


def _encoded(scope: Scope, query: TaskFilter, cursor: Cursor) -> str:
    # float.hex is exact: a rounded time would skip or repeat a task.
    place = f"{cursor.status_at.hex()}:{cursor.task_id}"
    asked = repr((scope.owner, scope.tenant, query.context_id, query.state, query.status_after, place))
    mark = hashlib.sha256(asked.encode()).hexdigest()[:16]
    return base64.urlsafe_b64encode(f"{mark}:{place}".encode()).decode().rstrip("=")


def _decoded(token: str) -> Cursor:
    padding = "=" * (-len(token) % 4)
    _, status_at, task_id = base64.urlsafe_b64decode(token + padding).decode().split(":", 2)
    return Cursor(float.fromhex(status_at), task_id)

"""What became of the cancels behind a task: a task that is over does not change any more, its cancels go on.

Beside A2A, for our own command line, and only for whose task it is.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coordinator.core.coordination import Coordination
from coordinator.core.events import CancelSettled
from coordinator.journal import Journal, Scope
from coordinator.journal.codec import decode_all


def cancels_route(journal: Journal) -> Route:
    """Return the route."""

    async def cancels(request: Request) -> Response:
        task_id, user = request.path_params["task_id"], request.scope.get("user")
        head = await journal.head(task_id)
        if head is None or head.scope != Scope(owner=user.display_name if user is not None else ""):
            message = f"there is no task {task_id}"
            return JSONResponse({"error": {"code": 404, "status": "NOT_FOUND", "message": message}}, status_code=404)
        events = decode_all(await journal.read(task_id))
        details = {(e.branch, e.attempt): e.detail for e in events if isinstance(e, CancelSettled)}
        return JSONResponse({"cancels": _cancels(Coordination.replay(events), details)})

    return Route("/tasks/{task_id}/cancels", cancels)


def _cancels(coordination: Coordination, details: dict[tuple[str, int], str]) -> list[dict[str, Any]]:
    return [
        {
            "branch": branch.key,
            "agent": attempt.agent.name,
            "attempt": attempt.number,
            "result": str(attempt.cancel),
            "detail": details.get((branch.key, attempt.number), ""),
        }
        for branch in coordination.branches()
        for attempt in branch.attempts
        if attempt.cancel
    ]

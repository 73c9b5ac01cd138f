"""The webhook specialists push to (spec 4.3.3).

A push is a hint to look at the task, never believed and not even parsed: one that is forged, comes twice,
late or in the wrong order costs one look at most.
"""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coordinator.outbound import WEBHOOK, Pushes

TOKEN = "x-a2a-notification-token"  # noqa: S105 - the name of a header


def webhook_route(pushes: Pushes) -> Route:
    """Return the route; each attempt has its own path below it, and its own token."""

    async def webhook(request: Request) -> Response:
        is_taken = pushes.take(request.path_params["key"], _tokens(request))
        if is_taken is None:
            return _refused(404, "NOT_FOUND", "nobody waits for this task any more")
        if not is_taken:
            return _refused(401, "UNAUTHENTICATED", "this is not the token of the task's push configuration")
        return Response(status_code=204)

    return Route(f"{WEBHOOK}/{{key}}", webhook, methods=["POST"])


def _tokens(request: Request) -> Iterator[str]:
    """Yield the tokens shown: agents use the configuration's token, or its authentication, or both."""
    yield request.headers.get(TOKEN, "")
    yield request.headers.get("authorization", "").partition(" ")[2].strip()


def _refused(code: int, status: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "status": status, "message": message}}, status_code=code)

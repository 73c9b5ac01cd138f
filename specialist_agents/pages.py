"""The page where a person approves a review: GET shows what is asked, POST approves.

The token in the address is the whole credential: unguessable, of one task, and void when the task
has ended. Looking approves nothing, so a preview of the link does no harm.
"""

import html
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from specialist_agents.waiting import Waiting, WaitingRoom

PATH = "/approvals"
NAMES_SHOWN = 50
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
}

#: Makes an approved review go on.
Resume = Callable[[Waiting], Awaitable[None]]


def approval_routes(room: WaitingRoom, resume: Resume) -> list[Route]:
    """Return the page's routes; *resume* is called once for each review that is approved."""

    async def page(request: Request) -> Response:
        waiting = room.of_token(request.path_params["token"])
        if waiting is None:
            return _page("<p>Nothing waits for an approval here, or not any more.</p>", 404)
        if request.method == "POST" and not waiting.is_approved:
            waiting.is_approved = True
            await resume(waiting)
        return _page(_approved(waiting) if waiting.is_approved else _asked(waiting))

    return [Route(f"{PATH}/{{token}}", page, methods=["GET", "POST"])]


def _approved(waiting: Waiting) -> str:
    return f"<p>Approved: task {html.escape(waiting.task_id)} goes on. You can close this page.</p>"


def _asked(waiting: Waiting) -> str:
    names = [html.escape(file.name) for file in waiting.files]
    more = [f"… and {len(names) - NAMES_SHOWN} more"] if len(names) > NAMES_SHOWN else []
    listing = "".join(f"<li>{name}</li>" for name in [*names[:NAMES_SHOWN], *more])
    return (
        f"<p>Task {html.escape(waiting.task_id)} wants the licences of these files checked:</p><ul>{listing}</ul>"
        '<form method="post"><button>Approve</button></form>'
    )


def _page(body: str, status: int = 200) -> HTMLResponse:
    document = f'<!doctype html><html lang="en"><title>Approval</title><h1>Approval</h1>{body}</html>'
    return HTMLResponse(document, status, _HEADERS)

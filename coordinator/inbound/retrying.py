"""Refusals to be retried are written by the edge: the coordinator is full, or its database is away.

The SDK has no error that says "later": it would answer 500 and could not set a header. So the service
notes the refusal beside the request, and the layer here puts the right answer in the place of the SDK's
(spec 3.3.2). It decides nothing: whoever raises `RetryLater` does.
"""

from __future__ import annotations

import functools
import inspect
import logging
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.utils.errors import InternalError
from starlette.responses import JSONResponse

from coordinator.errors import JournalUnavailable, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

DOMAIN = "w3id.org/a2a-coordinator"
"""Of our reasons in google.rpc.ErrorInfo."""

SCOPE = "coordinator.scope"
"""Key in a call's state: the ASGI scope of its request."""

REFUSED = "coordinator.refused"
"""Key in the ASGI scope: why the request is to be sent again later."""

INTERNAL_ERROR = -32603  # JSON-RPC

log = logging.getLogger(__name__)

S = TypeVar("S", bound=RequestHandler)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error to be retried, on the binding its request came by."""

    error: RetryLater
    is_rpc: bool
    rpc_id: str | int | None = None

    def answer(self) -> JSONResponse:
        """Return what the client gets: REST 503; JSON-RPC 200, since its clients drop the body of anything else."""
        delay_s = max(1, math.ceil(self.error.retry_after_s))
        headers = {"Retry-After": str(delay_s)}
        message, details = str(self.error), _details(self.error.reason, delay_s)
        if self.is_rpc:
            error = {"code": INTERNAL_ERROR, "message": message, "data": details}
            return JSONResponse({"jsonrpc": "2.0", "id": self.rpc_id, "error": error}, headers=headers)
        status = {"code": 503, "status": "UNAVAILABLE", "message": message, "details": details}
        return JSONResponse({"error": status}, status_code=503, headers=headers)


def _details(reason: str, delay_s: int) -> list[dict[str, Any]]:
    kind = "type.googleapis.com/google.rpc."
    return [
        {"@type": f"{kind}ErrorInfo", "reason": reason, "domain": DOMAIN, "metadata": {}},
        {"@type": f"{kind}RetryInfo", "retryDelay": f"{delay_s}s"},
    ]


class RetryRefusals:
    """Sends a noted refusal in the place of whatever the SDK makes of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; a stream that has begun is left alone."""
        is_begun = False

        async def sending(message: Message) -> None:
            nonlocal is_begun
            if is_begun or REFUSED not in scope:
                is_begun = True
                await send(message)

        await self._app(scope, receive, sending)
        if not is_begun and REFUSED in scope:
            await scope[REFUSED].answer()(scope, receive, send)


def noting_refusals(service: type[S]) -> type[S]:
    """Make every operation of *service* leave a note for `RetryRefusals` when it cannot be done now."""
    for name, operation in inspect.getmembers(service, inspect.isfunction):
        if name.startswith("on_"):
            is_stream = inspect.isasyncgenfunction(operation)
            setattr(service, name, (_noting_stream if is_stream else _noting)(operation))
    return service


def _noting(operation: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(operation)
    async def noting(self: RequestHandler, params: Any, context: ServerCallContext) -> Any:
        with _noted(context):
            return await operation(self, params, context)

    return noting


def _noting_stream(operation: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(operation)
    async def noting(self: RequestHandler, params: Any, context: ServerCallContext) -> AsyncGenerator[Any]:
        with _noted(context):
            async with aclosing(operation(self, params, context)) as events:
                async for event in events:
                    yield event

    return noting


@contextmanager
def _noted(context: ServerCallContext) -> Iterator[None]:
    try:
        yield
    except (RetryLater, JournalUnavailable) as error:
        log.warning("refused for now", extra={"error": str(error)})
        later = error if isinstance(error, RetryLater) else _away()
        is_rpc = "method" in context.state  # the SDK notes it for JSON-RPC only
        context.state.get(SCOPE, {})[REFUSED] = Refusal(later, is_rpc, context.state.get("request_id"))
        # One the SDK knows, or it would log a traceback. Nobody gets to see what it makes of it.
        raise InternalError(str(later)) from error


def _away() -> RetryLater:
    # What the database says itself names files of ours: that is for the log.
    return RetryLater("the coordinator's database is away; try again in a while", reason="JOURNAL_UNAVAILABLE")

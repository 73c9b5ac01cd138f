"""Thin ASGI layers around the SDK's routes, for what the SDK leaves out.

Pure ASGI, so that streams pass through untouched.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import parse_qsl

from a2a.utils.error_handlers import build_rest_error_payload
from a2a.utils.errors import A2AError
from google.protobuf.json_format import ParseError
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordinator.core.extension import URI

ACTIVATED = "coordinator.extension_active"
"""Key in the ASGI scope: the request activated our extension in its body."""

EXTENSIONS = "a2a-extensions"
VERSION = "a2a-version"
LINGER_S = 2.0


class _TooLarge(Exception):
    """The body is longer than allowed."""


class BodyLimit:
    """Answers 413 to a request body of more than *most* bytes, before it is kept in memory."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdigit() and int(declared) > self._most:
            await self._refuse(receive, send, has_more=True)
            return
        await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        received, has_more, is_answered = 0, True, False

        async def counting() -> Message:
            nonlocal received, has_more
            message = await receive()
            received += len(message.get("body", b""))
            has_more = message.get("more_body", False)
            if received > self._most:
                raise _TooLarge
            return message

        async def watching(message: Message) -> None:
            nonlocal is_answered
            # The SDK turns what goes wrong while it reads into an answer of its own; ours says what happened.
            if received > self._most and not is_answered:
                raise _TooLarge
            is_answered = True
            await send(message)

        try:
            await self._app(scope, counting, watching)
        except _TooLarge:
            if not is_answered:
                await self._refuse(receive, send, has_more=has_more)

    async def _refuse(self, receive: Receive, send: Send, *, has_more: bool) -> None:
        message = f"the request is larger than {self._most} bytes"
        body = {"error": {"code": 413, "status": "INVALID_ARGUMENT", "message": message}}
        answer = JSONResponse(body, status_code=413, headers={"Connection": "close"})
        await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": True})
        if has_more:
            await _discard(receive)
        await send({"type": "http.response.body"})


async def _discard(receive: Receive) -> None:
    """Read on for a while: a connection closed while the client still sends takes the answer with it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            while (await receive()).get("more_body", False):
                pass


class JsonOnly:
    """Answers 415 to a request whose body is not declared as JSON.

    A web page may send other types to a server on the reader's own machine without asking it first.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when it is JSON, or has no body."""
        headers = Headers(scope=scope) if scope["type"] == "http" else {}
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json" and not media_type.endswith("+json"):
                message = "send JSON, and say so: Content-Type: application/json"
                body = {"error": {"code": 415, "status": "INVALID_ARGUMENT", "message": message}}
                await JSONResponse(body, status_code=415)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class VersionParameter:
    """Turns `?A2A-Version=1.0` into the header, which clients may use instead (spec 3.6.1)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with the header where only the parameter was given."""
        if scope["type"] == "http" and VERSION not in Headers(scope=scope):
            for name, value in parse_qsl(scope["query_string"].decode("latin-1")):
                if name.lower() == VERSION:
                    scope = {**scope, "headers": [*scope["headers"], (VERSION.encode(), value.encode("latin-1"))]}
        await self._app(scope, receive, send)


class _LateStart:
    """Holds the head of a stream back until its first event.

    The SDK starts the streams of version 0.3 before it reads the request: a refusal would break the
    connection without a word, and what the request activates would come too late for the headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer with an error when it is refused before the first event."""
        held: Message | None = None

        async def holding(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _begins_stream(message):
                held = message
                return
            if held is not None:
                start, held = held, None
                await send(start)
            await send(message)

        try:
            await self._app(scope, receive, holding)
        except (A2AError, ParseError) as error:
            if held is None:
                raise
            payload = build_rest_error_payload(error)
            await JSONResponse(payload, status_code=payload["error"]["code"])(scope, receive, send)


def _begins_stream(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith("text/event-stream")


class ExtensionEcho:
    """Names our extension in the response when the request activated it (topics/extensions)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = _LateStart(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; v0.3's name of the header counts as well, and is answered with the same."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = ",".join((*headers.getlist(EXTENSIONS), *headers.getlist(f"x-{EXTENSIONS}")))
        scope[ACTIVATED] = URI in {uri.strip() for uri in asked.split(",")}
        is_old = EXTENSIONS not in headers and f"x-{EXTENSIONS}" in headers
        name = "X-A2A-Extensions" if is_old else "A2A-Extensions"

        async def echoing(message: Message) -> None:
            if message["type"] == "http.response.start" and scope[ACTIVATED]:
                MutableHeaders(scope=message).append(name, URI)
            await send(message)

        await self._app(scope, receive, echoing)

"""Thin ASGI layers around the SDK's routes, for what the SDK leaves out.

Pure ASGI, so that streams pass through untouched.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordinator.core.extension import URI

ACTIVATED = "coordinator.extension_active"
"""Key in the ASGI scope: the request activated our extension in its body."""

EXTENSIONS = "a2a-extensions"
VERSION = "a2a-version"


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
            await self._refuse(scope, receive, send)
            return
        await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        received, is_answered = 0, False

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
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
                await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"the request is larger than {self._most} bytes"
        body = {"error": {"code": 413, "status": "INVALID_ARGUMENT", "message": message}}
        # The rest of the body is not read: the connection cannot be used again.
        await JSONResponse(body, status_code=413, headers={"Connection": "close"})(scope, receive, send)


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


class ExtensionEcho:
    """Names our extension in the response when the request activated it (topics/extensions)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; also v0.3's name of the header counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = ",".join((*headers.getlist(EXTENSIONS), *headers.getlist(f"x-{EXTENSIONS}")))
        scope[ACTIVATED] = URI in {uri.strip() for uri in asked.split(",")}

        async def echoing(message: Message) -> None:
            if message["type"] == "http.response.start" and scope[ACTIVATED]:
                MutableHeaders(scope=message).append("A2A-Extensions", URI)
            await send(message)

        await self._app(scope, receive, echoing)

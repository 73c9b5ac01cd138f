"""Serving a fleet in the loop that is running, on a socket that is already open.

Unlike uvicorn's own server it neither takes over signals nor waits for anybody: stopping resets
all connections, so that a test with a stream left open ends at once.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from coordinator.testing.connection import Connection

CONNECTION = "coordinator.testing.connection"
"""Where an application finds the `Connection` among the extensions of its scope."""

MOST_PENDING = 1024


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 whose applications may see their connection go, and break it."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.connection = Connection(transport)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.connection.lose()

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast(dict[str, Any], self.scope)["extensions"] = {CONNECTION: self.connection}


def listener(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Return an open socket: whoever connects from now on is served sooner or later."""
    # With the protocol named, asyncio turns Nagle's algorithm off for what is accepted: 40 ms for each small answer.
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind((host, port))
    opened.listen(MOST_PENDING)
    return opened


@asynccontextmanager
async def serving(application: Any, opened: socket.socket) -> AsyncIterator[None]:
    """Serve *application* on *opened*, and close both in the end."""
    config = uvicorn.Config(
        application,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    config.load()
    state = ServerState()

    def protocol() -> Protocol:
        return Protocol(config=config, server_state=state, app_state={})

    server = await asyncio.get_running_loop().create_server(protocol, sock=opened, backlog=MOST_PENDING)
    try:
        yield
    finally:
        server.close()
        for protocol_ in list(state.connections):
            cast(Protocol, protocol_).connection.reset()
        while state.tasks:
            await asyncio.wait(state.tasks)
        await server.wait_closed()

"""The ASGI application of a fleet: every agent below its name, and the pages of the test beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive, Scope, Send

from coordinator.testing import wire
from coordinator.testing.agent import Agent
from coordinator.testing.connection import Connection
from coordinator.testing.exchange import Exchange, respond
from coordinator.testing.operations import METHODS, Call, performance_of
from coordinator.testing.server import CONNECTION
from coordinator.testing.wire import Reply, RpcError

CARD = [".well-known", "agent-card.json"]


class Application:
    """Finds the agent by the first segment of the path; whatever is no agent goes to *pages*."""

    def __init__(self, agents: Mapping[str, Agent], pages: Any) -> None:
        self._agents = agents
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        name, *rest = scope["path"].strip("/").split("/")
        agent = self._agents.get(name)
        if agent is None:
            await self._pages(scope, receive, send)
        elif rest == CARD:
            agent.ledger.note(agent.name, "GET", {}, _headers(scope))
            await respond(send, Reply(wire.dumped(agent.card())))
        elif rest or scope["method"] != "POST":
            await respond(send, Reply(b"there is nothing here", 404, "text/plain"))
        else:
            await _converse(agent, scope, receive, send)


async def _converse(agent: Agent, scope: Scope, receive: Receive, send: Send) -> None:
    body = await _body(receive)
    if body is None:
        return
    try:
        request = json.loads(body)
        method, params, rpc_id = str(request["method"]), request.get("params") or {}, request.get("id")
    except (ValueError, KeyError, TypeError, AttributeError):
        agent.ledger.note(agent.name, "", {}, _headers(scope))
        await respond(send, RpcError(wire.BAD_JSON, "this is no JSON-RPC request").reply(None))
        return
    agent.ledger.note(agent.name, method, params, _headers(scope))
    if method not in METHODS:
        code, words = wire.REFUSED_METHODS.get(method, (wire.NO_METHOD, f"there is no method {method}"))
        await respond(send, RpcError(code, words).reply(rpc_id))
        return
    connection: Connection = scope["extensions"][CONNECTION]
    call = Call(agent, method, rpc_id, params, connection, performance_of(agent, method, params))
    await Exchange(call, send).run()


async def _body(receive: Receive) -> bytes | None:
    """Return the whole body, None when the client has gone."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}

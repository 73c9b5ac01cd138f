"""An agent's function and card as a server, and that as a program with a few options.

Everything a process needs is made here and closed here; nothing exists at import time.
"""

import argparse
import json
import logging
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.types.a2a_pb2 import AgentCard
from google.protobuf.json_format import ParseDict, ParseError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from specialist_agents.app import BodyLimit
from specialist_agents.cards import address_of, at_address, base_url
from specialist_agents.logs import log_to_stderr
from specialist_agents.requests import ReviewRequests
from specialist_agents.server import GRACE_S, CannotServe, bound, settings
from specialist_agents.store import BoundedTaskStore
from specialist_agents.template.executor import FunctionExecutor
from specialist_agents.template.request import JSON, TEXT, Answer

MAX_BODY_BYTES = 32 << 20
USAGE_ERROR = 2
URL = "http://127.0.0.1:9000"
_FILLED_IN: Mapping[str, Any] = {
    "version": "0.1.0",
    "supportedInterfaces": [
        {"url": url, "protocolBinding": binding, "protocolVersion": version}
        for version in ("1.0", "0.3")
        for binding, url in (("JSONRPC", f"{URL}/"), ("HTTP+JSON", URL))
    ],
    "capabilities": {"streaming": True},
    "defaultInputModes": [TEXT, JSON],
    "defaultOutputModes": [TEXT, JSON],
}

logger = logging.getLogger(__name__)


def serve(answer: Answer, card: Mapping[str, Any] | Path, arguments: Sequence[str] | None = None) -> None:
    """Serve *answer* under *card*, an Agent Card or a file with one, until the process is told to stop.

    Options (host, port, URL, level of the log) come from the command line, or *arguments*. What cannot be served is
    told in one line, and ends the process with 2.
    """
    options = _parser().parse_args(arguments)
    log_to_stderr(options.log_level)
    try:
        whole = whole_card(card)
        host, port = address_of(whole)
        host = host if options.host is None else options.host
        with bound(host, port if options.port is None else options.port) as listening:
            url = options.public_url or base_url(host, listening.getsockname()[1], whole)
            app = create_app(answer, at_address(whole, url))
            logger.info("listening", extra={"agent": whole.name, "url": url})
            uvicorn.Server(settings(app, GRACE_S)).run(sockets=[listening])
    except CannotServe as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(USAGE_ERROR)


def create_app(answer: Answer, card: AgentCard) -> Starlette:
    """Return the application that serves *answer*: JSON-RPC and HTTP+JSON, protocol 1.0 and 0.3."""
    handler = ReviewRequests(FunctionExecutor(answer), BoundedTaskStore(), card)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await handler.aclose()

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "agent": card.name})

    return Starlette(
        routes=[
            Route("/healthz", health),
            *create_agent_card_routes(card),
            *create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True),
            *create_rest_routes(handler, enable_v0_3_compat=True),
        ],
        middleware=[Middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)],
        lifespan=lifespan,
    )


def whole_card(card: Mapping[str, Any] | Path) -> AgentCard:
    """Return the Agent Card; what it leaves out is filled in. Raises `CannotServe` when it is none."""
    where = f"{card}: " if isinstance(card, Path) else ""
    try:
        told = json.loads(card.read_text(encoding="utf-8")) if isinstance(card, Path) else card
        made = ParseDict({**_FILLED_IN, **told}, AgentCard())
    except (OSError, ValueError, TypeError, ParseError) as error:
        raise CannotServe(f"{where}this is not an Agent Card: {' '.join(str(error).split())}") from error
    lacking = [name for name in ("name", "description", "skills") if not getattr(made, name)]
    if lacking:
        raise CannotServe(f"{where}the Agent Card lacks {', '.join(lacking)}")
    return made


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description="Serve this agent over A2A. Its address comes from its card unless given."
    )
    made.add_argument("--host", help="listen at this address")
    made.add_argument("--port", type=int, help="listen at this port; 0 takes any free one")
    made.add_argument("--public-url", metavar="URL", help="the URL to state in the card, for example behind a proxy")
    made.add_argument("--log-level", choices=["debug", "info", "warning", "error"], default="info")
    return made

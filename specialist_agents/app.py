"""One reviewer as an ASGI application, put together from the SDK's parts.

Everything a process needs is made here and closed here; nothing exists at import time.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.types.a2a_pb2 import AgentCard
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from specialist_agents.accepting import JudgingExecutor
from specialist_agents.asking import ApprovalExecutor, DecisionExecutor
from specialist_agents.cards import CARDS
from specialist_agents.documents import Documents, Files
from specialist_agents.executor import ReviewExecutor
from specialist_agents.intake import PROJECT, PYTHON_AMONG_OTHERS
from specialist_agents.mailing.executor import executor_from
from specialist_agents.pages import PATH, approval_routes
from specialist_agents.premises import premises
from specialist_agents.questions import QuestionExecutor
from specialist_agents.requests import ReviewRequests
from specialist_agents.reviewers import Reviewer, Way
from specialist_agents.store import BoundedTaskStore
from specialist_agents.trades import Trade, worker_of
from specialist_agents.waiting import WaitingRoom
from specialist_agents.workshop import WORKER, Limits, Workshop

#: The largest allowed input in base64, with names and JSON around it.
MAX_BODY_BYTES = 128 << 20


class BodyLimit:
    """Refuses request bodies that are too large, before they are read as a whole."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what it brings."""
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(413, f"the request is larger than {self._max_bytes} bytes")
            return message

        await self._app(scope, counted, send)


def create_app(
    card: AgentCard,
    *,
    limits: Limits | None = None,
    schema: Path | None = None,
    worker: Sequence[str] = WORKER,
    folder: Path | None = None,
) -> Starlette:
    """Return the application that serves the reviewer the card describes.

    Reviews happen below *folder*, by default the system's temporary one; *worker* is the command
    that does one, given the path of its job.
    """
    allowed = limits or Limits()
    known = worker_of(card.name)
    workshop = Workshop(allowed, worker, known.trade.package)
    room = WaitingRoom()
    form = Files if known.trade.gives_files else Documents
    documents = form(schema or CARDS / known.trade.schema, known.trade.entries)
    executor = _executor(card, workshop, documents, room, known.program.way, known.trade)
    handler = ReviewRequests(executor, BoundedTaskStore(), card)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with premises(folder) as place, workshop.at(place):
            try:
                yield
            finally:
                await handler.aclose()

    return Starlette(
        routes=[*approval_routes(room, handler.resume), *_routes(handler, card, known.program)],
        middleware=[Middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)],
        lifespan=lifespan,
    )


def _executor(
    card: AgentCard, workshop: Workshop, documents: Documents, room: WaitingRoom, way: Way, trade: Trade
) -> JudgingExecutor:
    """Return what does the reviews, by what they need besides the files."""
    concurrent = workshop.limits.concurrent
    match way:
        case Way.NOTHING:
            return ReviewExecutor(card.name, workshop, documents, concurrent, taken=trade.taken, trade=trade)
        case Way.QUESTION:
            return QuestionExecutor(card.name, workshop, documents, concurrent, taken=trade.taken, trade=trade)
        case Way.DECISION:
            return DecisionExecutor(card.name, workshop, documents, concurrent, room=room, taken=PYTHON_AMONG_OTHERS)
        case Way.APPROVAL:
            pages = card.supported_interfaces[0].url.rstrip("/") + PATH
            return ApprovalExecutor(card.name, workshop, documents, concurrent, room=room, taken=PROJECT, pages=pages)
        case Way.SENDING:
            return executor_from()


def _routes(handler: ReviewRequests, card: AgentCard, reviewer: Reviewer) -> list[BaseRoute]:
    tool = reviewer.distribution or card.name
    answer = {"status": "ok", "agent": card.name, "tool": tool, "version": reviewer.version()}

    async def health(_: Request) -> JSONResponse:
        return JSONResponse(answer)

    return [
        Route("/healthz", health),
        *create_agent_card_routes(card),
        *create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True),
        *create_rest_routes(handler),
    ]

"""One mind as an ASGI application. Everything a process needs is made here and closed here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.types.a2a_pb2 import AgentCard
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from specialist_agents.app import BodyLimit
from specialist_agents.minds.configuration import AgentSettings, MindsFile, WrongConfiguration
from specialist_agents.minds.executor import MindExecutor
from specialist_agents.minds.readiness import missing, unready
from specialist_agents.minds.results import Mind
from specialist_agents.minds.rule import RuleMind
from specialist_agents.requests import ReviewRequests
from specialist_agents.store import BoundedTaskStore

if TYPE_CHECKING:
    from specialist_agents.minds.endpoint import Endpoint

MAX_BODY_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """What one agent is made from."""

    card: AgentCard
    settings: AgentSettings
    lacking: str  #: what has to be done before it can work; empty: nothing


def place(card: AgentCard, configuration: MindsFile, file: Path) -> Place:
    """Return what the agent of this card is made from; raises WrongConfiguration when the file does not name it."""
    settings = configuration.agents.get(card.name)
    if settings is None:
        named = ", ".join(sorted(configuration.agents)) or "nobody"
        raise WrongConfiguration(f"{file}: agents does not name {card.name}; it names: {named}")
    lacking = missing(settings, configuration.endpoint, file)
    return Place(unready(card, lacking) if lacking else card, settings, lacking)


def create_app(made_from: Place, configuration: MindsFile) -> Starlette:
    """Return the application; raises WrongConfiguration when the libraries for its endpoint are not installed."""
    mind, endpoint = _mind(made_from, configuration)
    executor = MindExecutor(mind, made_from.settings.max_characters, made_from.lacking)
    handler = ReviewRequests(executor, BoundedTaskStore(), made_from.card)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await handler.aclose()
            if endpoint is not None:
                await endpoint.aclose()

    return Starlette(
        routes=_routes(handler, made_from),
        middleware=[Middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)],
        lifespan=lifespan,
    )


def _mind(made_from: Place, configuration: MindsFile) -> "tuple[Mind, Endpoint | None]":
    if made_from.settings.by == "rule" or configuration.endpoint is None:
        return RuleMind(made_from.settings), None
    try:
        # Agents that work by rule neither need these libraries nor wait for them to be loaded.
        from specialist_agents.minds.endpoint import Endpoint  # noqa: PLC0415
        from specialist_agents.minds.model import ModelMind  # noqa: PLC0415
    except ModuleNotFoundError as error:
        words = f"{made_from.card.name} needs {error.name}: pip install 'a2a-coordinator[minds]'"
        raise WrongConfiguration(words) from error
    endpoint = Endpoint(configuration.endpoint)
    return ModelMind(made_from.card, made_from.settings, endpoint), endpoint


def _routes(handler: ReviewRequests, made_from: Place) -> list[BaseRoute]:
    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "agent": made_from.card.name})

    async def ready(_: Request) -> JSONResponse:
        lacking = made_from.lacking
        return JSONResponse({"status": lacking or "ready"}, status_code=503 if lacking else 200)

    return [
        Route("/healthz", health),
        Route("/readyz", ready),
        *create_agent_card_routes(made_from.card),
        *create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True),
        *create_rest_routes(handler),
    ]

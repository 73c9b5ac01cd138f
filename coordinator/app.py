"""The composition: every part is made here, once, and lives as long as the server.

Nothing is half started: what can be wrong is found out before the port is opened.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.routing import BaseRoute, Mount
from typing_extensions import override

from coordinator.config import Settings
from coordinator.directory import Directory
from coordinator.drivers.local import LocalDriver
from coordinator.engine import Engine
from coordinator.errors import ConfigurationError, RequestRefused
from coordinator.inbound import (
    BodyLimit,
    CallContexts,
    Contexts,
    ExtensionEcho,
    Intake,
    JsonOnly,
    RetryRefusals,
    TaskService,
    TokenBackend,
    VersionParameter,
    coordinator_card,
    plan_card,
    refuse,
)
from coordinator.inbound.cancels import cancels_route
from coordinator.inbound.overview import overview_routes
from coordinator.inbound.webhook import webhook_route
from coordinator.journal import Journal, MemoryJournal, SqlJournal
from coordinator.journal.upkeep import upkeep
from coordinator.outbound import AgentCalls, Bounds, Caps, Patience, Places, Pushes, shared_http_client
from coordinator.planning import PlanFile, agents_of, load_plans
from coordinator.projection import Projection, Renderer
from coordinator.telemetry import configure_logging

GRACE_S = 5
KEEP_ALIVE_S = 75  # longer than clients keep idle connections, so none is closed under a request

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Parts:
    """What a running coordinator is made of."""

    settings: Settings
    plans: Mapping[str, PlanFile]
    directory: Directory
    journal: Journal
    driver: LocalDriver
    intake: Intake
    service: TaskService


@asynccontextmanager
async def assembled(settings: Settings, patience: Patience | None = None) -> AsyncIterator[Starlette]:
    """Open everything, drive what is due, and yield the ASGI application.

    Raises `ConfigurationError` or `JournalLocked` before anything is started.
    """
    plans = checked_plans(settings)
    tokens = {entry.name: entry.token() for entry in settings.tokens}
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(shared_http_client(settings.request_timeout, settings.max_answer))
        directory = Directory(settings.agents, http)
        calls = AgentCalls(
            http,
            patience or Patience(request_s=settings.request_timeout),
            directory.tokens(),
            settings.bearer_credentials(),
            places=Places(_caps(settings), directory.concurrency),
            bounds=Bounds(settings.max_answer, settings.max_artifact, settings.max_results),
            pushes=Pushes(settings.webhook_url),
        )
        journal = await _journal(settings)
        stack.push_async_callback(journal.close)
        engine = Engine(journal, calls, name=f"{socket.gethostname()}:{os.getpid()}")
        driver = LocalDriver(engine, journal, settings.max_coordinations, settings.max_waiting)
        parts = _parts(settings, plans, directory, journal, driver)
        await directory.refresh()
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(parts.driver.run()),
                group.create_task(_refreshing(parts)),
                group.create_task(
                    upkeep(journal, retention_s=settings.retention, window_s=settings.deduplication_window)
                ),
            ]
            try:
                yield application(parts, tokens)
            finally:
                if settings.database is None:
                    await parts.driver.cancel_all()
                for task in background:
                    task.cancel()


def application(parts: Parts, tokens: Mapping[str, str]) -> Starlette:
    """Return the ASGI application: cards, JSON-RPC and REST in both versions, at the root and below each plan."""
    layers = [
        Middleware(VersionParameter),
        Middleware(JsonOnly),
        Middleware(BodyLimit, most=parts.settings.max_body),
        Middleware(RetryRefusals),
        Middleware(ExtensionEcho),
    ]
    if parts.settings.auth == "tokens":
        layers.insert(1, Middleware(AuthenticationMiddleware, backend=TokenBackend(tokens), on_error=refuse))
    routes: list[BaseRoute] = [*overview_routes(parts.intake, parts.journal, parts.driver)]
    routes += [webhook_route(parts.driver.engine.calls.pushes), cancels_route(parts.journal)]
    routes += create_agent_card_routes(coordinator_card(parts.settings, parts.plans.values()))
    for plan in parts.plans.values():
        card = plan_card(parts.settings, plan)
        routes += create_agent_card_routes(card, card_url=f"/{plan.name}/.well-known/agent-card.json")
        # The SDK ends its REST routes with a catch-all for tenants: only the last one may have it.
        of_plan = _a2a_routes(parts, f"/{plan.name}", CallContexts(plan.name))
        routes += [route for route in of_plan if not isinstance(route, Mount)]
    routes += _a2a_routes(parts, "", CallContexts())
    return Starlette(routes=routes, middleware=layers)


def checked_plans(settings: Settings) -> dict[str, PlanFile]:
    """Read all plans. Raises `ConfigurationError`."""
    plans = load_plans(Path(place).expanduser() for place in settings.plans)
    named = {"default_plan": settings.default_plan}
    named |= {f"routes.{number}.plan": route.plan for number, route in enumerate(settings.routes)}
    for field, plan in named.items():
        if plan not in plans:
            there = ", ".join(sorted(plans)) or "none"
            raise ConfigurationError(f"{field}: there is no plan {plan!r}; there are: {there}")
    return plans


def serve(settings: Settings) -> int:
    """Run the server until a signal; return the exit code.

    Raises `ConfigurationError` or `JournalLocked` when it cannot start.
    """
    configure_logging(settings.log_level, settings.log_format)
    with uvloop_runner() as runner:
        return runner.run(_serve(settings))


def uvloop_runner() -> asyncio.Runner:
    """Return a runner on uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415  # not on every platform
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def check(settings: Settings) -> list[str]:
    """Return what would keep these settings from working, in words; an empty list when nothing does."""
    configure_logging("error", "text")
    return asyncio.run(_check(settings))


async def _check(settings: Settings) -> list[str]:
    try:
        plans = checked_plans(settings)
        for entry in settings.tokens:
            entry.token()
        async with shared_http_client(settings.request_timeout) as http:
            directory = Directory(settings.agents, http)
            directory.tokens()
            await directory.refresh()
    except ConfigurationError as error:
        return [str(error)]
    problems = [f"agent {agent.name}: {agent.error}" for agent in directory.agents() if agent.error]
    for plan in plans.values():
        try:
            agents_of(plan, directory.candidates())
        except RequestRefused as error:
            problems.append(str(error))
    return problems


async def _serve(settings: Settings) -> int:
    listener = _listen(settings)
    with listener:
        if settings.port == 0:
            settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        async with assembled(settings) as application_:
            config = uvicorn.Config(
                application_,
                http="httptools",
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=GRACE_S,
                timeout_keep_alive=KEEP_ALIVE_S,
            )
            log.info("listening", extra={"detail": settings.url})
            await _Server(config).serve(sockets=[listener])
    return 0


class _Server(uvicorn.Server):
    """uvicorn, but a signal ends `serve` and nothing else: what is open is closed by its owners afterwards."""

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM; uvicorn itself would raise the signal again and kill the process."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named, since asyncio switches Nagle's delay off only for sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; choose another one with --port"
        ) from error
    return listener


def _caps(settings: Settings) -> Caps:
    return Caps(
        process=settings.max_branches,
        agent=settings.agent_concurrency,
        failures=settings.circuit_failures,
        pause_s=settings.circuit_pause,
    )


async def _journal(settings: Settings) -> Journal:
    if settings.database is None:
        return MemoryJournal()
    return await SqlJournal.open(settings.database)


def _parts(
    settings: Settings, plans: Mapping[str, PlanFile], directory: Directory, journal: Journal, driver: LocalDriver
) -> Parts:
    projection = Projection(journal)
    contexts = Contexts(journal, projection)
    intake = Intake(settings, plans, directory, journal, driver.engine.calls.run_times, contexts)
    service = TaskService(
        intake=intake,
        journal=journal,
        projection=projection,
        renderer=Renderer(journal),
        driver=driver,
        plans=tuple(plans),
    )
    return Parts(settings, plans, directory, journal, driver, intake, service)


def _a2a_routes(parts: Parts, prefix: str, contexts: CallContexts) -> list[BaseRoute]:
    return [
        *create_jsonrpc_routes(parts.service, rpc_url=prefix or "/", context_builder=contexts, enable_v0_3_compat=True),
        *create_rest_routes(parts.service, path_prefix=prefix, context_builder=contexts, enable_v0_3_compat=True),
    ]


async def _refreshing(parts: Parts) -> None:
    while True:
        await asyncio.sleep(parts.settings.refresh_agents)
        await parts.directory.refresh()

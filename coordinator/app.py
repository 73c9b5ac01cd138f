"""The composition: every part is made here, once, and lives as long as the server.

Nothing is half started: what can be wrong is found out before the port is opened.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from aiohttp.abc import AbstractResolver
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.routing import BaseRoute, Mount

from coordinator.config import Settings
from coordinator.directory import Directory
from coordinator.drivers.local import LocalDriver
from coordinator.drivers.turns import Turns
from coordinator.engine import Engine
from coordinator.errors import ConfigurationError, RequestRefused
from coordinator.extras import check_extras
from coordinator.inbound import (
    BodyLimit,
    CallContexts,
    Contexts,
    ExtensionEcho,
    Intake,
    JsonOnly,
    RetryRefusals,
    Stopping,
    TaskService,
    TokenBackend,
    VersionParameter,
    coordinator_card,
    plan_card,
    refuse,
)
from coordinator.inbound.cancels import cancels_route
from coordinator.inbound.overview import overview_routes
from coordinator.inbound.pushes import PushConfigs
from coordinator.inbound.webhook import webhook_route
from coordinator.journal import Journal, MemoryJournal, SqlJournal
from coordinator.journal.places import is_postgres, opening
from coordinator.journal.upkeep import upkeep
from coordinator.notifying import Courier, PushTargets, Sender
from coordinator.outbound import AgentCalls, Bounds, Caps, Patience, Places, Pushes, shared_http_client
from coordinator.outbound.channels import Channels, channels_to_agents
from coordinator.planning import PlanFile, agents_of, load_plans
from coordinator.projection import Projection, Renderer
from coordinator.telemetry import configure_logging


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What tests put around the things through which a process leaves its traces."""

    journal: Callable[[Journal], Journal] = lambda journal: journal
    http: Callable[[httpx.AsyncClient], httpx.AsyncClient] = lambda http: http
    names: AbstractResolver | None = None  #: instead of the system's, for the webhooks of our clients


PLAIN = Wrapping()

UNREAD_S = 5.0
"""How often cards that were never read are asked for, whatever `refresh_agents` says."""

Beside = Callable[[TaskService], AbstractAsyncContextManager[None]]
"""Serves tasks on a binding that is no ASGI application."""

NOTHING_BESIDE: Beside = lambda _: nullcontext()  # noqa: E731


@dataclass(slots=True)
class Parts:
    """What a running coordinator is made of."""

    settings: Settings
    plans: Mapping[str, PlanFile]
    directory: Directory
    journal: Journal
    driver: Turns
    intake: Intake
    service: TaskService
    sender: Sender
    stopping: Stopping


@asynccontextmanager
async def assembled(
    settings: Settings,
    patience: Patience | None = None,
    *,
    stopping: Stopping | None = None,
    wrapping: Wrapping = PLAIN,
    beside: Beside = NOTHING_BESIDE,
) -> AsyncIterator[Starlette]:
    """Open everything, drive what is due, and yield the ASGI application; *stopping* makes it quiet before the end.

    *beside* serves the same tasks on another binding as long as it lives.

    Raises `ConfigurationError` or `JournalLocked` before anything is started.
    """
    plans = checked_plans(settings)
    tokens = {entry.name: entry.token() for entry in settings.tokens}
    async with AsyncExitStack() as stack:
        client = shared_http_client(settings.request_timeout, settings.max_answer)
        http = wrapping.http(await stack.enter_async_context(client))
        directory = Directory(settings.agents, http)
        directory.read_tokens()
        channels = await stack.enter_async_context(channels_to_agents(directory.grpc_tls, settings.max_answer))
        calls = _calls(settings, patience, http, directory, channels)
        plain = await _journal(settings)
        journal = wrapping.journal(plain)
        stack.push_async_callback(journal.close)
        driver = _driver(settings, plain, journal, calls)
        await directory.refresh()
        await stack.enter_async_context(driver.opened())  # others may give it turns from here on
        targets = PushTargets(settings.push_allow, wrapping.names)
        courier = await stack.enter_async_context(Courier.open(targets, calls.patience.push_s))
        parts = _parts(settings, plans, directory, journal, driver, stopping or Stopping(), courier)
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(each(parts)) for each in (_driving, _pushing, _refreshing, _upkeep, _quieting)
            ]
            try:
                async with beside(parts.service):
                    yield application(parts, tokens)
                if not parts.stopping.asked.is_set():
                    await _quiet(parts)
            finally:
                for task in background:
                    task.cancel()


def _calls(
    settings: Settings,
    patience: Patience | None,
    http: httpx.AsyncClient,
    directory: Directory,
    channels: Channels | None,
) -> AgentCalls:
    return AgentCalls(
        http,
        patience or Patience(request_s=settings.request_timeout),
        directory.token,
        settings.bearer_credentials(),
        places=Places(_caps(settings), directory.concurrency),
        bounds=Bounds(settings.max_answer, settings.max_artifact, settings.max_results),
        pushes=Pushes(settings.webhook_url),
        channels=channels,
    )


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
    routes: list[BaseRoute] = [*overview_routes(parts.intake, parts.journal, parts.driver, parts.stopping)]
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


def check(settings: Settings) -> list[str]:
    """Return what would keep these settings from working, in words; an empty list when nothing does."""
    configure_logging("error", "text")
    return asyncio.run(_check(settings))


async def _check(settings: Settings) -> list[str]:
    try:
        check_extras(settings)
        if settings.database is not None:
            opening(settings.database, readers=1, busy_timeout_s=0.0)  # not called: it only tells what cannot be one
        plans = checked_plans(settings)
        for entry in settings.tokens:
            entry.token()
        async with shared_http_client(settings.request_timeout) as http:
            directory = Directory(settings.agents, http)
            directory.read_tokens()
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


def _driver(settings: Settings, plain: Journal, journal: Journal, calls: AgentCalls) -> Turns:
    """Return what drives here: this process by itself, or as one of the replicas that share a database.

    *journal* is *plain*, perhaps with a test around it. Raises `ConfigurationError` when the extra is missing.
    """
    room = (settings.max_coordinations, settings.max_waiting)
    if not isinstance(plain, SqlJournal) or not is_postgres(settings.db):
        engine = Engine(journal, calls, name=f"{socket.gethostname()}:{os.getpid()}")
        return LocalDriver(engine, journal, *room)
    try:
        from coordinator.drivers.dbos import DbosDriver, executor_name  # noqa: PLC0415 - an extra
    except ImportError as error:
        message = f"replicas need DBOS; install it with: pip install 'a2a-coordinator[postgres]' ({error})"
        raise ConfigurationError(message) from error
    engine = Engine(journal, calls, name=executor_name(settings.replica))
    return DbosDriver(engine, journal, *room, url=settings.db, heed=plain.heed)


def _parts(
    settings: Settings,
    plans: Mapping[str, PlanFile],
    directory: Directory,
    journal: Journal,
    driver: Turns,
    stopping: Stopping,
    courier: Courier,
) -> Parts:
    projection, renderer = Projection(journal), Renderer(journal)
    contexts = Contexts(journal, projection)
    intake = Intake(settings, plans, directory, journal, driver.engine.calls.run_times, contexts)
    service = TaskService(
        intake=intake,
        journal=journal,
        projection=projection,
        renderer=renderer,
        driver=driver,
        stopping=stopping,
        plans=tuple(plans),
        configs=PushConfigs(journal, courier.targets, settings.max_pushes),
    )
    sender = Sender(
        journal=journal,
        projection=projection,
        renderer=renderer,
        courier=courier,
        patience=driver.engine.calls.patience,
        give_up_s=settings.push_give_up,
        holder=f"{driver.engine.name}:{secrets.token_hex(8)}",
    )
    return Parts(settings, plans, directory, journal, driver, intake, service, sender, stopping)


def _a2a_routes(parts: Parts, prefix: str, contexts: CallContexts) -> list[BaseRoute]:
    return [
        *create_jsonrpc_routes(parts.service, rpc_url=prefix or "/", context_builder=contexts, enable_v0_3_compat=True),
        *create_rest_routes(parts.service, path_prefix=prefix, context_builder=contexts, enable_v0_3_compat=True),
    ]


async def _driving(parts: Parts) -> None:
    await parts.driver.run()


async def _pushing(parts: Parts) -> None:
    await parts.sender.run()


async def _upkeep(parts: Parts) -> None:
    settings = parts.settings
    await upkeep(parts.journal, retention_s=settings.retention, window_s=settings.deduplication_window)


async def _quieting(parts: Parts) -> None:
    await parts.stopping.asked.wait()
    await _quiet(parts)
    parts.stopping.quiet.set()


async def _quiet(parts: Parts) -> None:
    """Leave what is under way to the next start or other replicas; cancel it when there is no journal to find it in."""
    if isinstance(parts.driver, LocalDriver) and parts.settings.database is None:
        await parts.driver.cancel_all()
    else:
        await parts.driver.release()


async def _refreshing(parts: Parts) -> None:
    """Read all cards again every so often, and soon those that were never read: nobody is sent to them before."""
    every_s, loop = parts.settings.refresh_agents, asyncio.get_running_loop()
    next_at = loop.time() + every_s
    while True:
        await asyncio.sleep(min(UNREAD_S, every_s))
        is_time = loop.time() >= next_at
        await parts.directory.refresh(only_unread=not is_time)
        if is_time:
            next_at = loop.time() + every_s

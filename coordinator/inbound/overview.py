"""Beside A2A: is it alive, is it ready, whom does it know, what would it send.

Plain JSON for load balancers and for our own command line; tasks are only reachable through A2A.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from coordinator.directory import KnownAgent
from coordinator.drivers import Load
from coordinator.drivers.turns import Turns
from coordinator.errors import JournalUnavailable, RequestRefused
from coordinator.inbound.intake import Intake
from coordinator.inbound.stopping import Stopping
from coordinator.journal import Journal
from coordinator.outbound import Occupancy, Places
from coordinator.planning import PlanFile, agents_of


def overview_routes(intake: Intake, journal: Journal, driver: Turns, stopping: Stopping) -> Sequence[Route]:
    """Return the routes."""
    places = driver.engine.calls.places

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        why_not = await _why_not_ready(journal, stopping, driver)
        return PlainTextResponse(f"{why_not or 'ready'}\n", status_code=503 if why_not else 200)

    async def agents(_: Request) -> Response:
        known = await intake.directory.survey()
        told = [_agent(agent) | _occupancy(places.occupancy(agent.name)) for agent in known]
        return JSONResponse({"agents": told, "load": _load(places, driver.load(), driver.executor)})

    async def plans(_: Request) -> Response:
        default = intake.settings.default_plan
        return JSONResponse({"plans": [_plan(plan, is_default=plan.name == default) for plan in intake.plans.values()]})

    async def resolved(request: Request) -> Response:
        try:
            plan = intake.choose(request.path_params["name"], "")
            agents = agents_of(plan, intake.directory.candidates())
        except RequestRefused as error:
            return JSONResponse({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": str(error)}}, 400)
        branches = [
            {"id": f"{stage}/{agent.name}", "agent": agent.name, "url": agent.url}
            for stage, chosen in agents.items()
            for agent in chosen
        ]
        return JSONResponse({"plan": plan.name, "branches": branches})

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/agents", agents),
        Route("/plans", plans),
        Route("/plans/{name}:resolve", resolved, methods=["POST"]),
    ]


async def _why_not_ready(journal: Journal, stopping: Stopping, driver: Turns) -> str:
    if stopping.asked.is_set():
        return "stopping"
    try:
        await journal.now()
    except JournalUnavailable:
        return "the database is away"  # and no more: the error names host and user, and anybody may ask
    return driver.why_not_ready()


def _agent(agent: KnownAgent) -> dict[str, Any]:
    return {
        "name": agent.name,
        "url": agent.ref.url if agent.ref else agent.entry.card,
        "reachable": not agent.error,
        "error": agent.error or None,
        "lacking": agent.lacking or None,
        "skills": [{"id": skill.id, "tags": list(skill.tags)} for skill in agent.skills],
        "streaming": bool(agent.ref and agent.ref.streaming),
        "version": agent.ref.version if agent.ref else "",
        "binding": agent.ref.binding if agent.ref else "",
    }


def _occupancy(agent: Occupancy) -> dict[str, Any]:
    return {
        "branches": {"cap": agent.cap, "most": agent.most, "inUse": agent.in_use, "waiting": agent.waiting},
        "circuit": {
            "state": str(agent.circuit),
            "failures": agent.failures,
            "lastFailure": agent.last_failure or None,
            "retrySeconds": agent.retry_s,
        },
    }


def _load(places: Places, load: Load, executor: str) -> dict[str, Any]:
    return {
        "executor": executor,
        "branches": {"most": places.caps.process, "inUse": places.in_use, "waiting": places.waiting},
        "coordinations": {
            "most": load.most_running,
            "running": load.running,
            "mostWaiting": load.most_waiting,
            "waiting": load.waiting,
        },
    }


def _plan(plan: PlanFile, *, is_default: bool) -> dict[str, Any]:
    return {
        "name": plan.name,
        "description": plan.description,
        "default": is_default,
        "inputModes": list(plan.input_modes),
        "stages": [
            {
                "name": name,
                "to": stage.fan_out.to.model_dump(exclude_none=True, mode="json"),
                "need": str(stage.barrier.need),
                "release": str(stage.barrier.release),
                "exhausted": str(stage.on_failure.exhausted),
                "merge": stage.merge.strategy,
            }
            for name, stage in plan.stages.items()
        ],
    }

"""What the tests of limits look at: how busy a coordinator says it is, and plans made in a line."""

from collections.abc import Mapping
from typing import Any

from coordinator.testing import Fleet
from tests.policies.rig import Coordinator
from tests.protocol.clients import bare_http

LINES = {"items": "lines", "batch": 1}


def plan(name: str = "wide", *, to: Mapping[str, Any] | None = None, **stage: Any) -> dict[str, Any]:
    """Return a plan of one stage that goes to everybody, unless told otherwise."""
    fan_out = {"to": to or {"skill": "work"}} | stage.pop("fan_out", {})
    return {"name": name, "description": "One stage.", "stages": {"work": {"fan_out": fan_out} | stage}}


async def told(coordinator: Coordinator) -> dict[str, Any]:
    """Return what `GET /agents` shows."""
    async with bare_http() as http:
        answer = await http.get(f"{coordinator.url}/agents")
        return dict(answer.json())


async def agent(coordinator: Coordinator, name: str) -> dict[str, Any]:
    """Return what `GET /agents` shows of one agent."""
    return next(it for it in (await told(coordinator))["agents"] if it["name"] == name)


def hold(fleet: Fleet, *names: str) -> None:
    """Keep these, or all, from ending what they are sent."""
    for name in names or tuple(fleet.agents):
        fleet[name].hold("end")


def letting_go(fleet: Fleet, *names: str) -> None:
    """Let these, or all, end what they have."""
    for name in names or tuple(fleet.agents):
        fleet[name].release()


def highest(fleet: Fleet) -> int:
    """Return the most tasks any agent ever worked on at once."""
    return max(it.counts.most_open for it in fleet.agents.values())

"""The agents that ship for trying the patterns: every pattern comes to an answer, or to a question, with them."""

import asyncio
import json

from coordinator import testing
from coordinator.core.model import Part
from coordinator.testing import Fleet
from coordinator.testing.behaviour import specialist_from
from tests.patterns.rig import PATTERNS, shipped
from tests.planning.making import data, files, text
from tests.policies.rig import Coordinator, coordinating

NAMES = sorted(file.stem for file in PATTERNS.glob("*.yaml"))
ASKING = {"approval", "human-review"}
SENT = {
    "each-item": [data({"items": [{"id": "one"}, {"id": "two"}]})],
    "ordered": files("a.txt", "b.txt"),
    "reviewers": [Part("text", "import os", "text/x-python", "app.py")],
}
TASKS = [{"id": "one", "text": "Do it."}]


async def asked(coordinator: Coordinator, name: str) -> str:
    """Return what came of the pattern."""
    return (await coordinator.ask(*SENT.get(name, [text("one\ntwo\nthree")]), plan=name, asked=_asked(name))).state


def _asked(name: str) -> dict[str, object]:
    return {"tasks": TASKS} if name == "assigned" else {}


async def test_every_pattern_works_with_the_agents_that_ship_for_trying_it(tmp_path):
    staff = [specialist_from(one) for one in json.loads((PATTERNS / "fleet.json").read_text(encoding="utf-8"))]
    plans = map(shipped, NAMES)
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, *plans) as coordinator:
        states = await _all(fleet, coordinator)
    assert states == {name: "INPUT_REQUIRED" if name in ASKING else "COMPLETED" for name in NAMES}


async def _all(fleet: Fleet, coordinator: Coordinator) -> dict[str, str]:
    async with asyncio.TaskGroup() as group:
        running = {name: group.create_task(asked(coordinator, name)) for name in NAMES}
    assert fleet.counts.sends
    return {name: task.result() for name, task in running.items()}

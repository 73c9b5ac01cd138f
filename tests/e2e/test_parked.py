"""A coordinator that is killed while it waits for an answer still waits for it afterwards, and for nothing else."""

import asyncio

import pytest
import yaml
from a2a.types import a2a_pb2 as a2a

from coordinator import testing
from coordinator.testing import Specialist
from coordinator.testing.life import Beat, Status
from tests.escalation.rig import ACTIVE, asking, by_agent, heard, plan, reply, results, state, tagged, words
from tests.protocol.clients import all_of, calling, message, states

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("processes")]


@pytest.fixture
async def fleet():
    staff = [asking("amy", "tabs?"), asking("ben", "how wide?"), asking("cat", "may I?", end="auth_required")]
    async with testing.fleet([*staff, Specialist("dan")]) as running:
        yield running


def serve(network, fleet, *agents):
    """Start a coordinator whose one plan asks *agents*, or start it again."""
    fleet.write_cards(network.cards)
    (network.plans / "ask.yaml").write_text(yaml.safe_dump(plan(agents)))
    configuration = network.folder / "coordinator.yaml"
    configuration.write_text(yaml.safe_dump({"default_plan": "ask", "plans": [str(network.plans)]}))
    network.coordinator("--config", str(configuration))


async def test_questions_survive_a_kill_and_are_answered_afterwards(network, fleet):
    await asyncio.to_thread(serve, network, fleet, "amy", "ben", "dan")
    async with calling(network.url, "JSONRPC") as caller:
        task = await caller.send(message(), headers=ACTIVE)
        assert set(by_agent(task)) == {"amy", "ben"}
        half = await caller.send(tagged(task, amy="tabs"), headers=ACTIVE)
        await asyncio.to_thread(network.kill, "coordinator")
        await asyncio.to_thread(serve, network, fleet, "amy", "ben", "dan")
        still = await caller.get(task.id)
        assert (state(still), words(still)) == ("INPUT_REQUIRED", words(half))
        done = await caller.send(reply(still, "80"))
        assert state(done) == "COMPLETED"
        assert results(done) == ["done by amy", "done by ben", "done"]
        assert [heard(fleet, name) for name in ("amy", "ben")] == [[["hello"], ["tabs"]], [["hello"], ["80"]]]
        assert fleet["dan"].counts.sends == 1


async def test_an_authorisation_given_while_the_coordinator_is_dead_is_found_when_it_is_back(network, fleet):
    await asyncio.to_thread(serve, network, fleet, "cat", "dan")
    async with calling(network.url, "JSONRPC") as caller:
        task = await caller.send()
        assert task.status.state == a2a.TASK_STATE_AUTH_REQUIRED
        await asyncio.to_thread(network.kill, "coordinator")
        (below,) = fleet["cat"].tasks.values()
        below.take(Beat(Status("completed")))
        await asyncio.to_thread(serve, network, fleet, "cat", "dan")
        events = await all_of(caller.subscribe(task.id))
        assert states(events)[-1] == "COMPLETED"
        assert fleet["cat"].counts.sends == 1

"""A coordinator that is killed while it waits for an answer still waits for it afterwards, and for nothing else."""

import asyncio
import re

import pytest
import yaml
from a2a.types import a2a_pb2 as a2a

from coordinator import testing
from coordinator.testing import Specialist
from coordinator.testing.life import Beat, Status
from tests.escalation.rig import ACTIVE, asking, by_agent, heard, plan, reply, results, state, tagged, words
from tests.escalation.twenty import BROKEN, EARLY, EVERYBODY, LATE, PLAN, QUIET, staff
from tests.protocol.clients import calling, message

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("processes")]


@pytest.fixture
async def fleet():
    staff = [asking("amy", "tabs?"), asking("ben", "how wide?"), asking("cat", "may I?", end="auth_required")]
    async with testing.fleet([*staff, Specialist("dan")]) as running:
        yield running


def serve(network, fleet, *agents, plan_=None):
    """Start a coordinator whose one plan asks *agents*, or start it again."""
    fleet.write_cards(network.cards)
    (network.plans / "ask.yaml").write_text(yaml.safe_dump(plan_ or plan(agents)))
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


async def test_twenty_branches_are_asked_about_in_two_rounds_by_plain_text_through_two_kills(network):
    async with testing.fleet(staff()) as fleet:
        await asyncio.to_thread(serve, network, fleet, plan_=PLAN)
        async with calling(network.url, "JSONRPC") as caller:
            first = await caller.send()  # one that knows nothing of the extension
        assert asked_by(first) == {*EARLY, BROKEN}
        await asyncio.to_thread(network.kill, "coordinator")
        for name in LATE:
            fleet[name].release()
        await asyncio.to_thread(serve, network, fleet, plan_=PLAN)
        async with calling(network.url, "JSONRPC") as caller:
            still = await caller.get(first.id)
            while asked_by(still) != {*EARLY, *LATE, BROKEN}:  # the two join while it comes up
                still = await caller.get(first.id)
            lines = [f"{number}: {'retry' if name == BROKEN else f'for {name}'}" for name, number in by_name(still)]
            half = [line for line in lines if not any(name in line for name in LATE)]
            second = await caller.send(reply(still, "\n".join(half)))
            assert asked_by(second) == set(LATE)
        await asyncio.to_thread(network.kill, "coordinator")
        await asyncio.to_thread(serve, network, fleet, plan_=PLAN)
        async with calling(network.url, "JSONRPC") as caller:
            rest = [line for line in lines if line not in half]
            done = await caller.send(reply(second, "\n".join(rest)))
        assert state(done) == "COMPLETED"
        assert sorted(results(done)) == sorted(f"done by {name}" for name in EVERYBODY)
        assert all(heard(fleet, name) == [["hello"], [f"for {name}"]] for name in (*EARLY, *LATE))
        assert heard(fleet, BROKEN) == [["hello"], ["hello"]]
        assert all(heard(fleet, name) == [["hello"]] for name in QUIET)


def by_name(task):
    """Return who asks, with the number a person reads."""
    found = re.findall(r"^(\d+)\. ([\w-]+) \(", words(task), re.MULTILINE)
    return [(name, number) for number, name in found]


def asked_by(task):
    """Return who asks."""
    return {name for name, _ in by_name(task)}


async def test_an_authorisation_given_while_the_coordinator_is_dead_is_found_when_it_is_back(network, fleet):
    await asyncio.to_thread(serve, network, fleet, "cat", "dan")
    async with calling(network.url, "JSONRPC") as caller:
        task = await caller.send()
        assert task.status.state == a2a.TASK_STATE_AUTH_REQUIRED
        await asyncio.to_thread(network.kill, "coordinator")
        (below,) = fleet["cat"].tasks.values()
        below.take(Beat(Status("completed")))
        await asyncio.to_thread(serve, network, fleet, "cat", "dan")
        task = await caller.end_of(task.id)
        assert state(task) == "COMPLETED"
        assert fleet["cat"].counts.sends == 1

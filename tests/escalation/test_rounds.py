"""Twenty branches, seven that ask, one that fails: two rounds of questions, every answer where it belongs."""

import asyncio

import pytest
from a2a.utils.errors import UnsupportedOperationError

from coordinator import testing
from coordinator.testing import Behaviour, Specialist
from tests.escalation.rig import (
    ACTIVE,
    asking,
    by_agent,
    heard,
    numbers,
    part,
    parts_reply,
    plan,
    questions,
    reply,
    results,
    state,
    tagged,
    words,
)
from tests.escalation.twenty import BROKEN, EARLY, EVERYBODY, LATE, PLAN, QUIET, staff
from tests.policies.rig import coordinating
from tests.protocol.clients import all_of, message, states


async def by_polling(caller, sent):
    return await caller.send(sent, headers=ACTIVE)


async def by_streaming(caller, sent):
    """Follow the stream to its end, and read the task as the last event left it."""
    events = await all_of(caller.stream(sent, headers=ACTIVE))
    assert events[0].HasField("task"), "every stream begins with the Task (spec 3.1.2)"
    return await caller.get(events[0].task.id)


@pytest.mark.parametrize("way", [by_polling, by_streaming])
async def test_two_rounds_of_questions_and_every_answer_at_its_specialist(way, tmp_path):
    async with testing.fleet(staff()) as fleet, coordinating(tmp_path, fleet, PLAN) as coordinator:
        caller = coordinator.caller
        first = await way(caller, message())
        assert state(first) == "INPUT_REQUIRED"
        assert set(by_agent(first)) == {*EARLY, BROKEN}
        fleet_of_two = [fleet[name] for name in LATE]
        await fleet.until(lambda: all(agent.waiting() == 1 for agent in fleet_of_two))

        ids = by_agent(first)
        mine = [part(f"for {name}", ids[name]) for name in EARLY]
        for agent in fleet_of_two:
            agent.release()
        second = await way(caller, parts_reply(first, *mine, part("retry", ids[BROKEN])))
        while set(by_agent(second)) != set(LATE):  # the two may join one after the other
            second = await asyncio.wait_for(caller.get(first.id), 5)
        done = await way(caller, tagged(second, **{name: f"for {name}" for name in LATE}))

        assert state(done) == "COMPLETED"
        assert sorted(results(done)) == sorted(f"done by {name}" for name in EVERYBODY)
        for name in (*EARLY, *LATE):
            assert heard(fleet, name) == [["hello"], [f"for {name}"]]
        assert heard(fleet, BROKEN) == [["hello"], ["hello"]]
        assert all(heard(fleet, name) == [["hello"]] for name in QUIET)


async def test_a_client_that_knows_nothing_of_the_extension_answers_by_numbered_text(tmp_path):
    names = (*EARLY, BROKEN)
    agents = [agent for agent in staff() if agent.name in names]
    asked = plan(names, stage={"on_failure": {"exhausted": "escalate"}})
    async with testing.fleet(agents) as fleet, coordinating(tmp_path, fleet, asked) as coordinator:
        task = await coordinator.caller.send()
        assert not questions(task), "no data part of ours for who did not ask for it"
        assert numbers(task) == [1, 2, 3, 4, 5, 6]
        lines = {}
        for line in words(task).splitlines():
            number, _, rest = line.partition(". ")
            if number.isdecimal():
                name = rest.partition(" ")[0]
                lines[name] = f"{number}: " + ("retry" if name == BROKEN else f"for {name}")
        done = await coordinator.caller.send(reply(task, "\n".join(lines.values())))
        assert state(done) == "COMPLETED"
        assert sorted(results(done)) == sorted(f"done by {name}" for name in names)
        assert [heard(fleet, name)[1] for name in EARLY] == [[f"for {name}"] for name in EARLY]


async def test_questions_wait_until_only_they_are_left(tmp_path):
    agents = [asking("amy"), Specialist("slow", Behaviour(holds=("end",), artifacts=()))]
    async with testing.fleet(agents) as fleet, coordinating(tmp_path, fleet, plan(["amy", "slow"])) as coordinator:
        task = await coordinator.caller.send(return_immediately=True)
        await fleet.until(lambda: fleet["slow"].waiting() == 1 and fleet["amy"].counts.sends == 1)
        assert state(await coordinator.caller.get(task.id)) == "WORKING"
        with pytest.raises(UnsupportedOperationError, match="asks nothing"):
            await coordinator.caller.send(reply(task, "too early"))
        fleet["slow"].release()
        async for event in coordinator.caller.subscribe(task.id):
            if "INPUT_REQUIRED" in states([event]):
                break
        assert "amy" in words(await coordinator.caller.get(task.id))

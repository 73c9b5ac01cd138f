"""How long a direct Message of an agent stays one: until its client has a task."""

from coordinator import testing
from coordinator.testing import Behaviour, Specialist
from tests.policies.rig import coordinating
from tests.protocol.clients import message, states, texts

PLAN = {
    "name": "hand-on",
    "description": "Hands everything on.",
    "stages": {"on": {"fan_out": {"to": {"agents": ["eve"]}}}},
}
TALKING = Specialist("eve", Behaviour(message="good morning", holds=("end",)))


async def test_a_message_that_comes_after_the_task_is_the_tasks_result(tmp_path):
    async with testing.fleet([TALKING]) as fleet, coordinating(tmp_path, fleet, PLAN) as it:
        task = await it.caller.send(message(), return_immediately=True)
        assert states([wrapped(task)]) == ["SUBMITTED"]
        assert [one.id for one in (await it.caller.tasks()).tasks] == [task.id]
        fleet["eve"].release()
        events = [event async for event in it.caller.subscribe(task.id)]
        assert states(events)[-1] == "COMPLETED"
        done = await it.caller.get(task.id)
        assert texts(done) == ["good morning"]
        assert done.status.message.parts[0].text == "good morning"


async def test_a_message_in_time_is_all_there_is_and_is_repeated_as_such(tmp_path):
    async with testing.fleet([TALKING]) as fleet, coordinating(tmp_path, fleet, PLAN) as it:
        fleet["eve"].behave(Behaviour(message="good morning"))
        for _ in range(2):
            sent = message("hi", message_id="m-1")
            headers = {"Idempotency-Key": "k-1"}
            (event,) = [event async for event in it.caller.stream(sent, headers=headers)]
            assert event.message.parts[0].text == "good morning"
        assert fleet["eve"].counts.sends == 1
        assert not (await it.caller.tasks()).tasks


def wrapped(task):
    from a2a.types import a2a_pb2 as a2a

    return a2a.StreamResponse(task=task)

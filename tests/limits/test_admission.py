"""How many tasks a coordinator drives at once, who waits, and who is told to come back."""

import asyncio
from contextlib import suppress

import pytest
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import UnsupportedOperationError

from coordinator import testing
from coordinator.cli.client import Target, connect
from coordinator.cli.exits import NoAnswer
from coordinator.cli.follow import follow, sending
from coordinator.cli.view import TaskView
from coordinator.testing import Behaviour, Specialist
from tests.limits.seeing import hold, letting_go, plan, told
from tests.policies.rig import coordinating
from tests.protocol.clients import all_of, bare_http, message
from tests.protocol.wires import WIRES, said, send

SUBMITTED, WORKING = a2a.TASK_STATE_SUBMITTED, a2a.TASK_STATE_WORKING


async def sent(coordinator, text="hello"):
    return (await coordinator.caller.send(message(text), return_immediately=True)).id


async def state_of(coordinator, task_id):
    return (await coordinator.caller.get(task_id)).status.state


async def ended(coordinator, task_id):
    """Stay with a task to its end; one that is over has no stream."""
    with suppress(UnsupportedOperationError):
        await all_of(coordinator.caller.subscribe(task_id))
    return a2a.TaskState.Name(await state_of(coordinator, task_id)).removeprefix("TASK_STATE_")


def order(fleet, name="ada"):
    """Return the texts an agent was sent, in order."""
    requests = [received for received in fleet[name].received if received.operation == "send"]
    return [request.params["message"]["parts"][0]["text"] for request in requests]


async def test_tasks_beyond_the_cap_wait_as_submitted_and_are_driven_in_order(tmp_path):
    async with (
        testing.fleet(["ada"]) as fleet,
        coordinating(tmp_path, fleet, plan(), max_coordinations=1) as coordinator,
    ):
        hold(fleet)
        tasks = [await sent(coordinator, name) for name in ("first", "second", "third")]
        await fleet.until(lambda: fleet.counts.open == 1)
        assert [await state_of(coordinator, task) for task in tasks] == [WORKING, SUBMITTED, SUBMITTED]
        load = (await told(coordinator))["load"]["coordinations"]
        assert load == {"most": 1, "running": 1, "mostWaiting": 1000, "waiting": 2}
        letting_go(fleet)
        assert [await ended(coordinator, task) for task in tasks] == ["COMPLETED"] * 3
        assert order(fleet) == ["first", "second", "third"]
    assert fleet.counts.most_open == 1


async def test_a_blocking_send_waits_with_its_task(tmp_path):
    async with (
        testing.fleet(["ada"]) as fleet,
        coordinating(tmp_path, fleet, plan(), max_coordinations=1) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        hold(fleet)
        await sent(coordinator)
        blocking = group.create_task(coordinator.caller.send(message()))
        await until_waiting(coordinator, 1)
        letting_go(fleet)
        assert (await blocking).status.state == a2a.TASK_STATE_COMPLETED


async def until_waiting(coordinator, count):
    async with asyncio.timeout(10):
        while (await told(coordinator))["load"]["coordinations"]["waiting"] != count:  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.01)


async def test_a_waiting_task_is_canceled_at_once_and_nothing_is_sent_for_it(tmp_path):
    async with (
        testing.fleet(["ada"]) as fleet,
        coordinating(tmp_path, fleet, plan(), max_coordinations=1, max_waiting=1) as coordinator,
    ):
        hold(fleet)
        first, second = await sent(coordinator, "first"), await sent(coordinator, "second")
        canceled = await coordinator.caller.cancel(second)
        assert canceled.status.state == a2a.TASK_STATE_CANCELED
        assert await state_of(coordinator, first) == WORKING
        third = await sent(coordinator, "third")  # there is room for one to wait again
        letting_go(fleet)
        assert [await ended(coordinator, task) for task in (first, third)] == ["COMPLETED"] * 2
        assert order(fleet) == ["first", "third"]


@pytest.mark.parametrize("wire", WIRES)
async def test_3_3_2_beyond_those_that_may_wait_a_send_is_refused_before_a_task_exists(tmp_path, wire):
    async with (
        testing.fleet(["ada"]) as fleet,
        coordinating(tmp_path, fleet, plan(), max_coordinations=1, max_waiting=1) as coordinator,
        bare_http(base_url=coordinator.url) as http,
    ):
        hold(fleet)
        tasks = [await sent(coordinator, name) for name in ("first", "second")]
        answer = await send(http, wire)
        assert answer.headers["retry-after"] == "5"
        assert "TOO_MANY_COORDINATIONS" in answer.text
        assert "1 tasks are under way and 1 wait" in answer.text
        assert (await coordinator.caller.tasks()).total_size == 2
        letting_go(fleet)
        assert [await ended(coordinator, task) for task in tasks] == ["COMPLETED"] * 2
        assert "retry-after" not in (await send(http, wire)).headers


async def streamed(connection, request):
    await follow(connection, connection.send(request), TaskView(), lambda _: None)


async def handed_over(connection, request):
    with sending():
        await connection.hand_over(request)


@pytest.mark.parametrize("send_to", [streamed, handed_over])
async def test_the_command_line_says_that_a_refused_message_was_not_taken(tmp_path, send_to):
    async with (
        testing.fleet(["ada"]) as fleet,
        coordinating(tmp_path, fleet, plan(), max_coordinations=1, max_waiting=1) as coordinator,
        connect(Target.of(coordinator.url)) as connection,
    ):
        hold(fleet)
        tasks = [await sent(coordinator, name) for name in ("first", "second")]
        third = a2a.SendMessageRequest(message=message("third"))
        with pytest.raises(NoAnswer, match=r"not taken: 1 tasks are under way and 1 wait.*; try again in 5 s$"):
            await send_to(connection, third)
        letting_go(fleet)
        assert [await ended(coordinator, task) for task in tasks] == ["COMPLETED"] * 2


async def test_sends_that_come_together_do_not_pass_the_bound_together(tmp_path):
    async with (
        testing.fleet(["ada"]) as fleet,
        coordinating(tmp_path, fleet, plan(), max_coordinations=1, max_waiting=2) as coordinator,
        bare_http(base_url=coordinator.url) as http,
        asyncio.TaskGroup() as group,
    ):
        hold(fleet)
        sends = [group.create_task(send(http, "HTTP+JSON 1.0")) for _ in range(10)]
        async with asyncio.timeout(10):
            while sum(one.done() for one in sends) < 7:  # noqa: ASYNC110 - requests of our own
                await asyncio.sleep(0.01)
        assert {one.result().status_code for one in sends if one.done()} == {503}
        assert (await coordinator.caller.tasks()).total_size == 3
        letting_go(fleet)


async def test_a_parked_task_leaves_its_place_to_another(tmp_path):
    patient = plan(on_failure={"retry": {"attempts": 2, "backoff": "1h..2h"}})
    busy = Specialist("ada", [Behaviour(http_error=503), Behaviour()])
    async with (
        testing.fleet([busy]) as fleet,
        coordinating(tmp_path, fleet, patient, max_coordinations=1) as coordinator,
    ):
        parked = await sent(coordinator, "parked")
        assert await ended(coordinator, await sent(coordinator, "next")) == "COMPLETED"
        assert await state_of(coordinator, parked) == WORKING
        await coordinator.caller.cancel(parked)


async def test_waiting_tasks_survive_a_restart_and_keep_their_order(tmp_path):
    settings = {"db": str(tmp_path / "coordinator.db"), "max_coordinations": 1}
    names = ["first", "second", "third", "fourth"]
    async with testing.fleet(["ada"]) as fleet:
        async with coordinating(tmp_path, fleet, plan(), **settings) as coordinator:
            hold(fleet)
            tasks = [await sent(coordinator, name) for name in names]
            await fleet.until(lambda: fleet.counts.open == 1)
        async with coordinating(tmp_path, fleet, plan(), **settings) as coordinator:
            assert [await state_of(coordinator, task) for task in tasks] == [WORKING, *[SUBMITTED] * 3]
            await until_waiting(coordinator, 3)
            letting_go(fleet)
            assert [await ended(coordinator, task) for task in tasks] == ["COMPLETED"] * 4
    assert order(fleet) == names
    assert fleet.counts.most_open == 1


async def test_what_was_under_way_at_a_restart_is_followed_at_once_and_new_sends_wait(tmp_path):
    db = {"db": str(tmp_path / "coordinator.db")}
    async with testing.fleet(["ada", "bob", "cleo", "dora"]) as fleet:
        async with coordinating(tmp_path, fleet, plan(), **db, max_branches=3) as coordinator:
            hold(fleet)
            task = await sent(coordinator)
            await fleet.until(lambda: fleet.counts.open == 3)
            await until_opened(coordinator, task, 3)
        async with coordinating(tmp_path, fleet, plan(), **db, max_branches=2) as coordinator:
            await until_branches(coordinator, {"most": 2, "inUse": 3, "waiting": 1})
            letting_go(fleet)
            assert await ended(coordinator, task) == "COMPLETED"
    assert {name: fleet[name].counts.sends for name in fleet.agents} == dict.fromkeys(fleet.agents, 1)
    assert fleet.counts.most_open == 3


async def until_opened(coordinator, task_id, count):
    """Return when the journal knows the tasks of so many branches."""
    async for event in coordinator.caller.subscribe(task_id):
        if str(event).count("working") >= count:
            return


async def until_branches(coordinator, wanted):
    async with asyncio.timeout(10):
        while (await told(coordinator))["load"]["branches"] != wanted:  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.01)


async def test_a_plain_delegation_that_waits_is_a_task_one_can_see_and_cancel(tmp_path):
    delegation = plan("delegation", to={"agents": ["ada"]})
    async with (
        testing.fleet(["ada"]) as fleet,
        coordinating(tmp_path, fleet, delegation, max_coordinations=1) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        hold(fleet)
        first = await sent(coordinator, "first")
        second, third = await sent(coordinator, "second"), await sent(coordinator, "third")
        assert await state_of(coordinator, second) == SUBMITTED
        assert (await coordinator.caller.cancel(second)).status.state == a2a.TASK_STATE_CANCELED
        told_third = group.create_task(all_of(coordinator.caller.subscribe(third)))
        letting_go(fleet)
        assert [await ended(coordinator, task) for task in (first, third)] == ["COMPLETED"] * 2
        assert (await told_third)[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED
        assert order(fleet) == ["first", "third"]


async def test_a_message_for_a_waiting_task_is_no_way_past_the_others(tmp_path):
    async with (
        testing.fleet(["ada"]) as fleet,
        coordinating(tmp_path, fleet, plan(), max_coordinations=1) as coordinator,
        bare_http(base_url=coordinator.url) as http,
    ):
        hold(fleet)
        first, second = await sent(coordinator, "first"), await sent(coordinator, "second")
        answer = await send(http, "HTTP+JSON 1.0", {"message": said(taskId=second)})
        assert (answer.status_code, "TASK_NOT_BEGUN" in answer.text) == (503, True)
        assert await state_of(coordinator, second) == SUBMITTED
        letting_go(fleet)
        assert [await ended(coordinator, task) for task in (first, second)] == ["COMPLETED"] * 2

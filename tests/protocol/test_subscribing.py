"""Attaching to tasks under way: the Task first, then what every other stream tells as well."""

import asyncio
from contextlib import aclosing

import pytest
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import UnsupportedOperationError

from tests.protocol.clients import calling, kinds, message, states, texts
from tests.protocol.specialists import busy, hold, release, says

on_both_journals = pytest.mark.parametrize("db", ["memory", "sqlite"], indirect=True)


async def until(words, events):
    """Read *events* up to the one that holds *words*."""
    seen = [await anext(events)]
    while words not in str(seen[-1]):
        seen.append(await anext(events))
    return seen


@on_both_journals
async def test_3_1_6_a_subscription_begins_with_the_task_and_ends_with_its_terminal_state(client, fleet):
    hold(fleet)
    task = await client.send(return_immediately=True)
    await busy(fleet, "ada")
    async with aclosing(client.subscribe(task.id)) as events:
        seen = [await anext(events)]
        release(fleet)
        seen += [event async for event in events]
    assert seen[0].task.id == task.id
    assert kinds(seen).count("task") == 1
    assert kinds(seen)[-2:] == ["artifact_update", "status_update"]
    assert states(seen)[-1] == "COMPLETED"


async def test_3_1_6_a_task_that_is_over_has_no_stream(client):
    task = await client.send()
    with pytest.raises(UnsupportedOperationError):
        [event async for event in client.subscribe(task.id)]


@on_both_journals
async def test_3_5_2_streams_of_one_task_tell_the_same_events_in_the_same_order(url, fleet):
    hold(fleet)
    async with calling(url, "JSONRPC") as one, calling(url, "HTTP+JSON") as other:
        task = await one.send(return_immediately=True)
        await busy(fleet, "ada", "bob")
        async with aclosing(one.subscribe(task.id)) as first, aclosing(other.subscribe(task.id)) as second:
            early = await until("TASK_STATE_WORKING", first)
            says(fleet, "ada", "word 0")
            early += await until("word 0", first)
            late = [await anext(second)]
            for count in range(1, 4):
                says(fleet, "ada", f"word {count}")
                says(fleet, "bob", f"word {count}")
                early += await until(f"word {count}", first)
            release(fleet)
            early += [event async for event in first]
            late += [event async for event in second]
    assert late[0].HasField("task")
    assert len(late) > 4
    assert late[1:] == early[1 - len(late) :]


async def test_3_5_2_closing_one_stream_leaves_the_others_and_the_task_alone(client, fleet):
    hold(fleet)
    async with aclosing(client.stream()) as staying:
        task = (await anext(staying)).task
        async with aclosing(client.subscribe(task.id)) as leaving:
            await anext(leaving)
        release(fleet)
        seen = [event async for event in staying]
    assert states(seen)[-1] == "COMPLETED"


async def test_3_5_2_a_client_that_hangs_up_does_not_stop_its_task(client, fleet):
    hold(fleet)
    async with aclosing(client.stream()) as events:
        task = (await anext(events)).task
    await busy(fleet, "bob")
    release(fleet)
    while (polled := await client.get(task.id)).status.state == a2a.TASK_STATE_WORKING:
        pass
    assert polled.status.state == a2a.TASK_STATE_COMPLETED
    assert not fleet.counts.cancels


async def test_3_5_2_a_client_that_stops_waiting_for_its_answer_does_not_stop_its_task(url, binding, fleet):
    hold(fleet)
    async with asyncio.TaskGroup() as group, calling(url, binding) as impatient:
        sending = group.create_task(impatient.send(message("hi", context_id="mine")))
        await busy(fleet, "bob")
        sending.cancel()
    release(fleet)
    async with calling(url, binding) as client:
        task = (await client.tasks(context_id="mine")).tasks[0]
        while (polled := await client.get(task.id)).status.state == a2a.TASK_STATE_WORKING:
            pass
    assert texts(polled) == ["the answer of ada", "the answer of bob"]


async def test_3_1_6_a_reconnected_client_misses_nothing(client, fleet):
    hold(fleet)
    async with aclosing(client.stream()) as events:
        task = (await anext(events)).task
    await busy(fleet, "bob")
    fleet["ada"].release()
    async with aclosing(client.subscribe(task.id)) as events:
        seen = [await anext(events)]
        release(fleet)
        seen += [event async for event in events]
    assert texts(seen[-2].artifact_update) == ["the answer of ada", "the answer of bob"]

"""A message that arrives twice is one task: who may count on it, and what counts as the same (spec 3.3.1)."""

import asyncio

import pytest
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import InvalidParamsError

from coordinator.core.extension import URI
from tests.protocol.clients import calling, message
from tests.protocol.specialists import busy, hold, release
from tests.protocol.users import bearer, settings_for

on_both_journals = pytest.mark.parametrize("db", ["memory", "sqlite"], indirect=True)

KEY = {"Idempotency-Key": "once"}


@pytest.fixture
def plans():
    return ("gather", "alone")


@pytest.fixture
async def secured(start, monkeypatch):
    """The URL of a coordinator that knows alice and bertha."""
    return await start(**settings_for(monkeypatch, "alice", "bertha"))


@pytest.fixture
async def alice(secured, binding):
    async with calling(secured, binding, bearer("alice")) as caller:
        yield caller


@pytest.fixture
async def bertha(secured, binding):
    async with calling(secured, binding, bearer("bertha")) as caller:
        yield caller


def again(sent, **changes):
    """Return *sent* once more, with *changes*."""
    repeated = a2a.Message()
    repeated.CopyFrom(sent)
    repeated.MergeFrom(a2a.Message(**changes))
    return repeated


@on_both_journals
async def test_3_3_1_a_repeated_message_answers_with_its_task(alice, fleet):
    sent = message("hi")
    first = await alice.send(again(sent))
    second = await alice.send(again(sent))
    assert first == second
    assert fleet.counts.tasks == 2


async def test_3_3_1_a_repeated_message_waits_for_the_task_under_way(alice, fleet):
    sent = message("hi")
    hold(fleet)
    first = await alice.send(again(sent), return_immediately=True)
    async with asyncio.TaskGroup() as group:
        repeated = group.create_task(alice.send(again(sent)))
        await busy(fleet, "bob")
        release(fleet)
    assert repeated.result().id == first.id
    assert repeated.result().status.state == a2a.TASK_STATE_COMPLETED


async def test_3_3_1_a_repeated_message_streams_its_task(alice, fleet):
    sent = message("hi")
    first = await alice.send(again(sent))
    events = [event async for event in alice.stream(again(sent))]
    assert [event.task for event in events] == [first]
    assert fleet.counts.tasks == 2


async def test_3_3_1_the_same_message_id_with_other_content_is_another_message(alice):
    sent = message("hi")
    first = await alice.send(again(sent))
    second = await alice.send(message("ho", message_id=sent.message_id))
    assert first.id != second.id


async def test_3_3_1_the_same_message_in_another_context_is_another_message(alice):
    sent = message("hi")
    tasks = [await alice.send(again(sent)), await alice.send(again(sent, context_id="mine"))]
    assert tasks[0].id != tasks[1].id


async def test_13_1_the_same_message_of_somebody_else_is_another_message(alice, bertha):
    sent = message("hi")
    first, second = await alice.send(again(sent)), await bertha.send(again(sent))
    assert first.id != second.id


async def test_the_same_message_at_another_endpoint_is_another_message(secured, binding, alice):
    sent = message("hi")
    first = await alice.send(again(sent))
    async with calling(f"{secured}/gather", binding, bearer("alice")) as below:
        assert (await below.send(again(sent))).id != first.id


async def test_an_anonymous_message_that_comes_twice_is_two_tasks(client):
    sent = message("hi")
    assert (await client.send(again(sent))).id != (await client.send(again(sent))).id


@on_both_journals
async def test_an_anonymous_message_with_a_key_is_one_task(client, fleet):
    sent = message("hi")
    first = await client.send(again(sent), headers=KEY)
    second = await client.send(again(sent), headers=KEY)
    assert first == second
    assert fleet.counts.tasks == 2


async def test_another_key_makes_another_task(client):
    sent = message("hi")
    first = await client.send(again(sent), headers=KEY)
    second = await client.send(again(sent), headers={"Idempotency-Key": "twice"})
    assert first.id != second.id


@on_both_journals
async def test_the_same_key_with_other_content_is_invalid(client, fleet):
    first = await client.send(message("hi"), headers=KEY)
    with pytest.raises(InvalidParamsError) as refusal:
        await client.send(message("ho"), headers=KEY)
    assert [error["field"] for error in refusal.value.data["errors"]] == ["Idempotency-Key"]
    assert fleet.counts.tasks == 2
    assert [task.id for task in (await client.tasks()).tasks] == [first.id]


async def test_a_key_belongs_to_its_owner(alice, bertha):
    first = await alice.send(message("hi"), headers=KEY)
    second = await bertha.send(message("ho"), headers=KEY)
    assert first.id != second.id


async def test_a_key_with_another_plan_is_invalid(client):
    sent = message("hi")
    await client.send(again(sent), headers=KEY)
    with pytest.raises(InvalidParamsError):
        await client.send(again(sent), headers=KEY, metadata={URI: {"plan": "alone"}})


async def test_3_3_1_the_same_message_for_another_plan_is_another_message(alice):
    sent = message("hi")
    first = await alice.send(again(sent))
    second = await alice.send(again(sent), metadata={URI: {"plan": "alone"}})
    assert first.id != second.id


async def test_a_repetition_after_the_window_is_a_new_message(start, binding):
    url = await start(deduplication_window="1ms")
    sent = message("hi")
    async with calling(url, binding) as client:
        first = await client.send(again(sent), headers=KEY)
        assert (await client.send(again(sent), headers=KEY)).id != first.id


@on_both_journals
async def test_the_same_key_at_the_same_moment_over_two_connections_is_one_task(url, binding, fleet):
    sent = message("hi")
    async with calling(url, binding) as one, calling(url, binding) as other, asyncio.TaskGroup() as group:
        sending = [group.create_task(caller.send(again(sent), headers=KEY)) for caller in (one, other, one, other)]
    assert len({task.result().id for task in sending}) == 1
    assert fleet.counts.tasks == 2


@on_both_journals
async def test_the_same_message_at_the_same_moment_over_two_connections_is_one_task(secured, binding, fleet):
    sent = message("hi")
    async with (
        calling(secured, binding, bearer("alice")) as one,
        calling(secured, binding, bearer("alice")) as other,
        asyncio.TaskGroup() as group,
    ):
        sending = [group.create_task(caller.send(again(sent))) for caller in (one, other, one, other)]
    assert len({task.result().id for task in sending}) == 1
    assert fleet.counts.tasks == 2

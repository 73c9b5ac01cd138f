"""Sending a message: what it becomes, what comes back, when."""

import asyncio
from contextlib import aclosing

import pytest
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError, UnsupportedOperationError

from coordinator.core.extension import PROGRESS, RUN
from tests.protocol.clients import kinds, message, metadata_of, states, texts
from tests.protocol.specialists import busy, held, hold, release, says

on_both_journals = pytest.mark.parametrize("db", ["memory", "sqlite"], indirect=True)


@on_both_journals
async def test_3_1_2_a_stream_begins_with_the_task_and_ends_with_its_terminal_state(client):
    events = [event async for event in client.stream(message("hi"))]
    assert events[0].HasField("task")
    assert kinds(events)[-2:] == ["artifact_update", "status_update"]
    assert kinds(events).count("task") == 1
    assert states(events)[-1] == "COMPLETED"
    assert texts(events[-2].artifact_update) == ["the answer of ada", "the answer of bob"]


async def test_3_1_2_every_event_of_a_stream_names_the_task_and_its_context(client):
    events = [event async for event in client.stream()]
    task = events[0].task
    for event in events[1:]:
        told = event.artifact_update if event.HasField("artifact_update") else event.status_update
        assert (told.task_id, told.context_id) == (task.id, task.context_id)


async def test_3_1_2_a_stream_tells_what_happens_while_it_happens(client, fleet):
    hold(fleet)
    async with aclosing(client.stream()) as events:
        seen = [await anext(events)]
        await busy(fleet, "ada")
        while "WORKING" not in states(seen):
            seen.append(await anext(events))
        release(fleet)
        seen += [event async for event in events]
    assert states(seen)[-2:] == ["WORKING", "COMPLETED"]


async def test_3_2_2_a_blocking_send_returns_the_finished_task(client):
    task = await client.send(message("hi"))
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    assert texts(task) == ["the answer of ada", "the answer of bob"]
    assert RUN in metadata_of(task)


@on_both_journals
async def test_3_2_2_a_blocking_send_waits_for_the_last_branch(client, fleet):
    fleet["bob"].hold()
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(client.send())
        await busy(fleet, "bob")
        task = (await client.tasks()).tasks[0]
        assert task.status.state == a2a.TASK_STATE_WORKING
        assert not sending.done()
        fleet["bob"].release()
    assert sending.result().id == task.id
    assert sending.result().status.state == a2a.TASK_STATE_COMPLETED


@on_both_journals
async def test_3_2_2_return_immediately_returns_a_task_that_can_be_polled(client, fleet):
    hold(fleet)
    task = await client.send(return_immediately=True)
    assert task.status.state in {a2a.TASK_STATE_SUBMITTED, a2a.TASK_STATE_WORKING}
    assert not task.artifacts
    await busy(fleet, "bob")
    assert (await client.get(task.id)).status.state == a2a.TASK_STATE_WORKING
    release(fleet)
    polled = await client.get(task.id)
    while polled.status.state == a2a.TASK_STATE_WORKING:
        polled = await client.get(task.id)
    assert polled.status.state == a2a.TASK_STATE_COMPLETED
    assert texts(polled) == ["the answer of ada", "the answer of bob"]


async def test_3_1_3_the_read_task_equals_the_one_that_was_sent(client):
    sent = await client.send()
    assert await client.get(sent.id) == sent


async def test_3_4_1_a_message_without_context_gets_one_and_every_task_another(client):
    first, second = await client.send(), await client.send()
    assert first.context_id
    assert second.context_id
    assert first.context_id != second.context_id


@on_both_journals
async def test_3_4_1_the_context_a_client_gives_is_kept(client):
    first = await client.send(message(context_id="mine"))
    second = await client.send(message(context_id="mine"))
    assert (first.context_id, second.context_id) == ("mine", "mine")
    assert first.id != second.id
    assert [task.id for task in (await client.tasks(context_id="mine")).tasks] == [second.id, first.id]


async def test_3_4_2_task_ids_are_the_servers_to_make(client, fleet):
    with pytest.raises(TaskNotFoundError):
        await client.send(message(task_id="mine"))
    assert not fleet.counts.sends


async def test_3_4_2_every_message_of_a_task_names_task_and_context(client):
    task = await client.send(message("hi"))
    for each in (*task.history, task.status.message):
        assert (each.task_id, each.context_id) == (task.id, task.context_id)


async def test_3_4_3_the_context_is_inferred_for_a_message_that_only_names_its_task(client):
    task = await client.send()
    with pytest.raises(UnsupportedOperationError):
        await client.send(message(task_id=task.id))


async def test_a_context_that_cannot_be_kept_is_invalid(client):
    with pytest.raises(InvalidParamsError) as refusal:
        await client.send(message(context_id="c\0"))
    assert [error["field"] for error in refusal.value.data["errors"]] == ["message.context_id"]


async def test_3_4_3_a_foreign_context_for_a_task_is_invalid(client):
    task = await client.send()
    with pytest.raises(InvalidParamsError) as refusal:
        await client.send(message(task_id=task.id, context_id="another"))
    assert [error["field"] for error in refusal.value.data["errors"]] == ["message.context_id"]


@on_both_journals
async def test_3_1_1_a_task_that_is_over_takes_no_message(client, fleet):
    task = await client.send()
    sent = fleet.counts.sends
    with pytest.raises(UnsupportedOperationError):
        await client.send(message(task_id=task.id, context_id=task.context_id))
    with pytest.raises(UnsupportedOperationError):
        [event async for event in client.stream(message(task_id=task.id, context_id=task.context_id))]
    assert fleet.counts.sends == sent


async def test_3_3_3_a_task_that_asks_nothing_takes_no_message(client, fleet):
    with held(fleet):
        task = await client.send(return_immediately=True)
        with pytest.raises(UnsupportedOperationError):
            await client.send(message(task_id=task.id))


async def test_3_1_1_the_specialists_get_the_parts_as_they_were_sent(client, fleet):
    parts = [
        a2a.Part(text="look", media_type="text/plain"),
        a2a.Part(raw=b"\x00\xff", filename="a.bin", media_type="application/octet-stream"),
    ]
    await client.send(message(parts=parts))
    expected = [
        {"text": "look", "mediaType": "text/plain"},
        {"raw": "AP8=", "filename": "a.bin", "mediaType": "application/octet-stream"},
    ]
    received = [request.params["message"] for request in fleet.ledger.journal if request.operation == "send"]
    assert [sent["parts"] for sent in received] == [expected, expected]


async def test_progress_is_told_under_the_extensions_key_while_the_task_works(client, fleet):
    hold(fleet)
    async with aclosing(client.stream()) as events:
        seen = [await anext(events)]
        await busy(fleet, "ada")
        says(fleet, "ada", "half way")
        while "half way" not in str(seen[-1]):
            seen.append(await anext(events))
        progress = metadata_of(seen[-1].status_update)[PROGRESS]
        looked = metadata_of(await client.get(seen[0].task.id))[PROGRESS]
        (listed,) = (await client.tasks(include_artifacts=False)).tasks
        release(fleet)
        seen += [event async for event in events]
    assert progress["tally"] == {"total": 2, "succeeded": 0, "failed": 0, "canceled": 0, "open": 2}
    assert [(branch["id"], branch["agent"]) for branch in progress["branches"]] == [
        ("ask/ada", "ada"),
        ("ask/bob", "bob"),
    ]
    assert progress["branches"][0]["text"] == "half way"
    # Whoever looks instead of listening sees as much; a list would be long with it.
    assert [branch["id"] for branch in looked["branches"]] == ["ask/ada", "ask/bob"]
    assert looked["branches"][0]["text"] == "half way"
    assert PROGRESS not in metadata_of(listed)
    assert PROGRESS not in metadata_of(await client.get(listed.id))
    working = [event.status_update for event in seen if event.status_update.status.state == a2a.TASK_STATE_WORKING]
    assert not any(update.status.HasField("message") for update in working)

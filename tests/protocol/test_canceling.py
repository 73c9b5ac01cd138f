"""Canceling: at once for the client, in the background for the specialists."""

import asyncio
from contextlib import aclosing

import pytest
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import TaskNotCancelableError

from coordinator.core.extension import PROGRESS, RUN
from coordinator.testing import Behaviour
from tests.leaks import until
from tests.protocol.clients import message, metadata_of, states
from tests.protocol.specialists import busy, canceled, hold

on_both_journals = pytest.mark.parametrize("db", ["memory", "sqlite"], indirect=True)


@on_both_journals
async def test_3_1_5_a_canceled_task_is_canceled_at_once_and_below(client, fleet):
    hold(fleet)
    task = await client.send(return_immediately=True)
    await busy(fleet, "ada", "bob")
    answer = await client.cancel(task.id)
    assert answer.id == task.id
    assert answer.status.state == a2a.TASK_STATE_CANCELED
    assert metadata_of(answer)[RUN]["verdict"] == "canceled"
    await canceled(fleet, "ada", "bob")


async def test_3_1_5_canceling_does_not_wait_for_a_specialist_that_does_not_answer(client, fleet):
    hold(fleet)
    task = await client.send(return_immediately=True)
    await busy(fleet, "ada")
    fleet["ada"].hold("cancel")
    answer = await client.cancel(task.id)
    assert answer.status.state == a2a.TASK_STATE_CANCELED
    assert await client.get(task.id) == answer
    await fleet.until(lambda: fleet["ada"].waiting("cancel"))
    fleet["ada"].release("cancel")


async def test_3_1_5_a_cancel_ends_every_stream_with_the_terminal_state(client, fleet):
    hold(fleet)
    async with aclosing(client.stream()) as events:
        seen = [await anext(events)]
        await client.cancel(seen[0].task.id)
        seen += [event async for event in events]
    assert states(seen)[-1] == "CANCELED"


async def test_3_1_5_a_cancel_ends_a_blocking_send(client, fleet):
    hold(fleet)
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(client.send(message(context_id="mine")))
        await busy(fleet, "ada")
        task = (await client.tasks(context_id="mine")).tasks[0]
        await client.cancel(task.id)
    assert sending.result().status.state == a2a.TASK_STATE_CANCELED


async def test_3_1_5_a_task_that_is_over_cannot_be_canceled(client, fleet):
    finished = await client.send()
    with pytest.raises(TaskNotCancelableError):
        await client.cancel(finished.id)
    hold(fleet)
    stopped = await client.send(return_immediately=True)
    await client.cancel(stopped.id)
    with pytest.raises(TaskNotCancelableError):
        await client.cancel(stopped.id)


async def test_a_canceled_task_says_so_in_plain_text_and_keeps_what_was_finished(client, fleet):
    fleet["bob"].hold()
    async with aclosing(client.stream()) as events:
        task = (await anext(events)).task
        while (await progress_in(events))["tally"]["succeeded"] == 0:
            pass
        task = await client.cancel(task.id)
    assert "canceled by the client" in task.status.message.parts[0].text
    assert [artifact.artifact_id for artifact in task.artifacts] == ["ask/ada/answer"]


async def progress_in(events):
    """Return the progress the next event tells."""
    return metadata_of((await anext(events)).status_update)[PROGRESS]


async def test_two_cancels_at_the_same_moment_end_the_task_once(client, fleet):
    hold(fleet)
    task = await client.send(return_immediately=True)
    await busy(fleet, "ada")

    async def cancel():
        try:
            return (await client.cancel(task.id)).status.state
        except TaskNotCancelableError:
            return None

    async with asyncio.TaskGroup() as group:
        both = [group.create_task(cancel()) for _ in range(2)]
    answers = {cancel.result() for cancel in both}
    assert a2a.TASK_STATE_CANCELED in answers
    assert answers <= {a2a.TASK_STATE_CANCELED, None}


async def settled(http, task_id):
    """Return what became of each cancel, once it is known."""
    told = {}

    async def look():
        answer = (await http.get(f"/tasks/{task_id}/cancels")).raise_for_status().json()
        told.update({cancel["agent"]: (cancel["result"], cancel["detail"]) for cancel in answer["cancels"]})
        return bool(told) and "requested" not in {result for result, _ in told.values()}

    await until(look, lambda: told)
    return told


REFUSALS = {
    "refused": ("refused", "this task cannot be canceled"),
    "ignored": ("refused", "it goes on working"),
    "works": ("confirmed", ""),
}


@on_both_journals
@pytest.mark.parametrize("answer", REFUSALS)
async def test_what_a_specialist_made_of_a_cancel_is_kept_though_the_task_does_not_change_any_more(
    client, http, fleet, answer
):
    hold(fleet)
    fleet["ada"].behave(Behaviour(never_ends=True, cancel=answer))
    task = await client.send(return_immediately=True)
    await busy(fleet, "bob")
    await fleet.until(lambda: fleet["ada"].counts.open)
    canceled_task = await client.cancel(task.id)
    assert (await settled(http, task.id))["ada"] == REFUSALS[answer]
    assert await client.get(task.id) == canceled_task


async def test_a_cancel_that_is_not_settled_is_told_as_requested(client, http, fleet):
    hold(fleet)
    fleet["ada"].hold("cancel")
    task = await client.send(return_immediately=True)
    await busy(fleet, "ada", "bob")
    await client.cancel(task.id)
    await fleet.until(lambda: fleet["ada"].waiting("cancel"))
    (told,) = (it for it in (await http.get(f"/tasks/{task.id}/cancels")).json()["cancels"] if it["agent"] == "ada")
    assert told["result"] == "requested"
    fleet["ada"].release("cancel")
    assert (await settled(http, task.id))["ada"] == ("confirmed", "")


async def test_cancels_of_a_task_nobody_knows_are_not_told(http):
    assert (await http.get("/tasks/unknown/cancels")).status_code == 404

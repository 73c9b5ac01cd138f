"""Agents that behave well, in all the ways the protocol knows."""

import random

import pytest
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import (
    PushNotificationNotSupportedError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from coordinator.testing import Behaviour, LogNormal, Uniform, answers
from coordinator.testing.behaviour import drawn
from tests.testing.caller import in_words, parts_of, state, words


async def test_a_stream_begins_with_the_task_and_ends_when_it_is_completed(serve):
    _, _, caller = await serve(Behaviour(steps=("reading", "writing"), artifacts=(answers.text("fine"),)))
    told = await caller.told()
    assert told == [
        "task submitted",
        "working",
        "working reading",
        "working writing",
        "chunk fine .",
        "completed",
    ]


async def test_an_artifact_can_be_told_in_chunks_and_is_whole_afterwards(serve):
    _, _, caller = await serve(Behaviour(chunk=2, artifacts=(answers.text("a", "b", "c"), answers.text("d", name="e"))))
    events = [event async for event in caller.events()]
    assert [in_words(event) for event in events[2:5]] == ["chunk a b", "chunk c +.", "chunk d ."]
    assert parts_of(await caller.get(events[0].task.id)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("end", ["failed", "rejected", "canceled", "input_required", "auth_required"])
async def test_a_task_can_end_in_any_state_and_say_why(serve, end):
    _, _, caller = await serve(Behaviour(end=end, end_text="because"))
    assert await caller.told() == ["task submitted", "working", f"{end} because"]
    task = await caller.task()
    assert (state(task), words(task.status.message.parts)) == (end, "because")


async def test_an_agent_can_answer_with_a_message_and_no_task(serve):
    network, agent, caller = await serve(Behaviour(message="done", work_s=0.01))
    assert await caller.told() == ["says done"]
    (answer,) = [event async for event in caller.blocking.send_message(a_request())]
    assert words(answer.message.parts) == "done"
    assert not agent.tasks
    assert network.counts.most_open == 1


async def test_a_blocking_send_returns_the_whole_task_with_its_history(serve):
    _, _, caller = await serve(Behaviour(work_s=0.01))
    task = await caller.task(message_id="m-1")
    assert (state(task), parts_of(task)) == ("completed", ["done"])
    assert [message.message_id for message in task.history] == ["m-1"]


async def test_a_send_that_does_not_wait_returns_a_task_to_be_polled(serve):
    network, agent, caller = await serve(Behaviour())
    agent.hold()
    task = await caller.task(at_once=True)
    assert state(task) == "submitted"
    await network.until(agent.waiting)
    assert state(await caller.get(task.id, history_length=0)) == "working"
    agent.release()
    await network.until(lambda: not agent.counts.open)
    assert state(await caller.get(task.id)) == "completed"


async def test_an_answer_to_a_question_goes_on_with_the_next_behaviour(serve):
    _, agent, caller = await serve([Behaviour(end="input_required", end_text="which?"), Behaviour()])
    asked = await caller.task()
    assert await caller.told("this", task_id=asked.id) == [
        "task input_required",
        "working",
        "chunk done .",
        "completed",
    ]
    assert len((await caller.get(asked.id)).history) == 2
    assert agent.counts.tasks == 1


async def test_a_message_for_a_task_that_asks_nothing_is_refused(serve):
    _, _, caller = await serve(Behaviour())
    task = await caller.task()
    with pytest.raises(UnsupportedOperationError):
        await caller.task(task_id=task.id)
    with pytest.raises(TaskNotFoundError):
        await caller.task(task_id="unknown")


async def test_a_stream_that_was_left_can_be_taken_up_again(serve):
    network, agent, caller = await serve(Behaviour())
    agent.hold()
    events = caller.events()
    task_id = (await anext(events)).task.id
    await events.aclose()
    await network.until(lambda: agent.waiting() and not agent.counts.streams)
    stream = caller.attach(task_id)
    assert await anext(stream) == "task working"
    agent.release()
    assert [told async for told in stream] == ["chunk done .", "completed"]


async def test_a_task_that_is_over_has_no_stream(serve):
    _, _, caller = await serve(Behaviour())
    task = await caller.task()
    with pytest.raises(UnsupportedOperationError):
        await anext(caller.attach(task.id))


async def test_tasks_are_listed_in_pages_the_newest_first(serve):
    _, _, caller = await serve(Behaviour(page=2))
    ids = [(await caller.task(message_id=f"m-{number}")).id for number in range(5)]
    found, token = [], ""
    while True:
        page = await caller.listed(page_size=50, page_token=token, history_length=1)
        found += page.tasks
        assert (page.page_size, page.total_size) == (2, 5)
        token = page.next_page_token
        if not token:
            break
    assert sorted(task.id for task in found) == sorted(ids)
    assert {message.message_id for task in found for message in task.history} == {f"m-{n}" for n in range(5)}
    assert not any(task.artifacts for task in found)


async def test_tasks_can_be_listed_by_state_and_by_time(serve):
    _, _, caller = await serve([Behaviour(), Behaviour(end="failed")])
    good, bad = await caller.task(), await caller.task()
    assert [task.id for task in (await caller.listed(status=a2a.TASK_STATE_FAILED)).tasks] == [bad.id]
    assert [task.id for task in (await caller.listed(context_id=good.context_id)).tasks] == [good.id]
    after = (await caller.get(good.id)).status.timestamp
    assert len((await caller.listed(status_timestamp_after=after)).tasks) == 2
    after.FromJsonString("2100-01-01T00:00:00Z")
    assert not (await caller.listed(status_timestamp_after=after)).tasks


async def test_a_fresh_task_without_a_time_is_missed_by_a_filter_on_time(serve):
    _, agent, caller = await serve(Behaviour(stamps=False))
    agent.hold("start")
    await caller.task(at_once=True)
    query = a2a.ListTasksRequest()
    query.status_timestamp_after.FromJsonString("2000-01-01T00:00:00Z")
    assert not (await caller.client.list_tasks(query)).tasks
    assert len((await caller.listed(status=a2a.TASK_STATE_SUBMITTED)).tasks) == 1


async def test_what_an_agent_does_not_offer_it_refuses(serve):
    _, _, caller = await serve(Behaviour(), streaming=False)
    task = await caller.task()
    with pytest.raises(UnsupportedOperationError):
        await caller.told()
    with pytest.raises(PushNotificationNotSupportedError):
        await caller.client.create_task_push_notification_config(
            a2a.TaskPushNotificationConfig(task_id=task.id, url="http://127.0.0.1:9/")
        )


async def test_an_agent_that_deduplicates_gives_the_same_task_again(serve):
    _, agent, caller = await serve(Behaviour(dedupes=True))
    assert (await caller.task(message_id="m")).id == (await caller.task(message_id="m")).id
    assert (agent.counts.by_message["m"], agent.counts.tasks, agent.counts.doubled) == (2, 1, [])


async def test_canceling_ends_the_work_and_a_task_that_is_over_cannot_be_canceled(serve):
    network, agent, caller = await serve(Behaviour(never_ends=True))
    task = await caller.task(at_once=True)
    assert state(await caller.cancel(task.id)) == "canceled"
    await network.until(lambda: not agent.counts.open)
    with pytest.raises(Exception, match="is over"):
        await caller.cancel(task.id)


def test_delays_come_from_the_seed():
    first, second = ([drawn(delay, random.Random(7)) for delay in DELAYS] for _ in range(2))
    assert first == second
    assert first[0] == 0.5
    assert 1 <= first[1] <= 2
    assert drawn(LogNormal(1.0, 5.0, most=3.0), Longest()) == 3.0


DELAYS = (0.5, Uniform(1, 2), LogNormal(1.0))


class Longest(random.Random):
    def lognormvariate(self, mu, sigma):
        return 1000.0


def a_request():
    return a2a.SendMessageRequest(
        message=a2a.Message(message_id="m", role=a2a.ROLE_USER, parts=[a2a.Part(text="hello")])
    )

"""Every row of the tables in `faults.py`, seen from the client's side."""

import asyncio

import httpx
import pytest
from a2a.client.errors import A2AClientError
from a2a.utils.errors import InternalError, MethodNotFoundError, TaskNotCancelableError, TaskNotFoundError
from google.protobuf.json_format import ParseError

from coordinator.testing import Behaviour, answers
from tests.testing.caller import in_words, parts_of, state, words

GOOD = ["task submitted", "working", "chunk done .", "completed"]


async def test_the_first_send_can_fail_and_the_second_work(serve):
    _, agent, caller = await serve([Behaviour(http_error=503, retry_after=2), Behaviour()])
    with pytest.raises(A2AClientError) as caught:
        await caller.told()
    response = caught.value.__cause__.response
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert await caller.told() == GOOD
    assert (agent.counts.sends, agent.counts.tasks) == (2, 1)


async def test_an_http_error_need_not_say_when_to_come_again(serve):
    _, _, caller = await serve(Behaviour(http_error=429))
    with pytest.raises(A2AClientError) as caught:
        await caller.task()
    assert "retry-after" not in caught.value.__cause__.response.headers


async def test_a_json_rpc_error_can_carry_retry_info(serve, http):
    _, agent, caller = await serve(Behaviour(rpc_error=-32603, retry_after=1.5))
    with pytest.raises(InternalError):
        await caller.told()
    error = (await http.post(agent.url, json=A_SEND)).json()["error"]
    assert error["data"] == [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}]


@pytest.mark.parametrize(("moment", "tasks"), [("before", 0), ("after", 1)])
async def test_a_reset_comes_before_or_after_the_task_is_created(serve, moment, tasks):
    _, agent, caller = await serve([Behaviour(reset=moment), Behaviour()])
    with pytest.raises(A2AClientError) as caught:
        await caller.told()
    assert isinstance(caught.value.__cause__, httpx.TransportError)
    assert agent.counts.tasks == tasks
    assert await caller.told() == GOOD


@pytest.mark.parametrize(("moment", "tasks"), [("before", 0), ("after", 1)])
async def test_a_send_may_never_be_answered(serve, moment, tasks):
    network, agent, caller = await serve(Behaviour(hang=moment))
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(caller.task())
        await network.until(lambda: agent.counts.sends == 1 and agent.counts.tasks == tasks)
        sending.cancel()
    await network.until(lambda: not agent.connections)


async def test_other_operations_can_fail_as_often_as_wanted(serve):
    _, agent, caller = await serve(Behaviour(http_error=502, during=("get", "list"), times=2))
    task = await caller.task()
    for ask in (lambda: caller.get(task.id), caller.listed):
        for _ in range(2):
            with pytest.raises(A2AClientError, match="502"):
                await ask()
        await ask()
    assert (agent.counts.gets, agent.counts.lists) == (3, 3)


GARBLED = [
    ("broken_json", A2AClientError),
    ("html", A2AClientError),
    ("empty", A2AClientError),
    ("list", A2AClientError),
    ("no_result", A2AClientError),
    ("wrong_shape", ParseError),
]


@pytest.mark.parametrize(("garbage", "error"), GARBLED)
async def test_answers_can_be_garbage(serve, garbage, error):
    _, agent, caller = await serve(Behaviour(garbage=garbage))
    with pytest.raises(error):
        await caller.task()
    if garbage == "empty":
        assert await caller.told() == []  # an event without data is none
    else:
        with pytest.raises(error):
            await caller.told()
    assert agent.counts.tasks == 2


async def test_the_type_of_the_content_can_be_wrong(serve):
    _, _, caller = await serve(Behaviour(garbage="wrong_type"))
    assert state(await caller.task()) == "completed"  # the SDK does not look
    with pytest.raises(A2AClientError):
        await caller.told()


async def test_a_task_may_never_end(serve):
    network, agent, caller = await serve(Behaviour(never_ends=True, end_text="never told"))
    events = caller.events()
    assert [in_words(await anext(events)) for _ in range(2)] == GOOD[:2]
    task_id = next(iter(agent.tasks))
    assert state(await caller.get(task_id)) == "working"
    await caller.cancel(task_id)
    assert [in_words(event) async for event in events] == ["canceled"]
    await network.until(lambda: not agent.counts.open)


async def test_a_stream_may_be_endless(serve):
    _, _, caller = await serve(Behaviour(endless_s=0.001))
    events = caller.events()
    assert [in_words(await anext(events)) for _ in range(5)][2:] == [
        "working step 1",
        "working step 2",
        "working step 3",
    ]
    await events.aclose()


async def test_a_gap_is_only_a_gap(serve):
    _, _, caller = await serve(Behaviour(silence_s=0.05))
    assert await caller.told() == GOOD


async def test_an_answer_can_be_too_large(serve):
    _, _, caller = await serve(Behaviour(oversized=300_000))
    assert [len(part) for part in parts_of(await caller.task())] == [4, 300_000]
    assert [told[:7] for told in await caller.told()] == ["task su", "working", "chunk d", "chunk x", "complet"]


CHUNKS = Behaviour(chunk=1, artifacts=(answers.text("a", "b", "c"),))


async def test_chunks_can_come_twice_and_are_stored_once(serve):
    _, agent, caller = await serve(changed(CHUNKS, double_chunks=True))
    told = (await caller.told())[2:-1]
    assert told == ["chunk a", "chunk a", "chunk b +", "chunk b +", "chunk c +.", "chunk c +."]
    assert parts_of(await caller.get(next(iter(agent.tasks)))) == ["a", "b", "c"]


async def test_chunks_can_come_in_the_wrong_order_and_are_stored_in_the_right_one(serve):
    _, agent, caller = await serve(changed(CHUNKS, reorder_chunks=True))
    assert (await caller.told())[2:-1] == ["chunk c +.", "chunk b +", "chunk a"]
    assert parts_of(await caller.get(next(iter(agent.tasks)))) == ["a", "b", "c"]


async def test_the_state_can_go_back(serve):
    _, _, caller = await serve(Behaviour(goes_back=True))
    told = await caller.told()
    assert told == ["task submitted", "working", "submitted", "chunk done .", "completed", "working", "completed"]


async def test_events_of_another_task_can_come_in_between(serve):
    _, agent, caller = await serve(Behaviour(foreign_events=True))
    events = [event async for event in caller.events()]
    (own,) = agent.tasks
    foreign = [event for event in events[1:] if event.status_update.status.message.parts]
    assert {words(event.status_update.status.message.parts) for event in foreign} == {"this is another task"}
    assert own not in {event.status_update.task_id for event in foreign}
    assert state(await caller.get(own)) == "completed"


async def test_ids_can_change_after_the_first_answer(serve):
    _, agent, caller = await serve(Behaviour(wrong_ids=True))
    events = [event async for event in caller.events()]
    (own,) = agent.tasks
    assert events[0].task.id == own
    assert events[-1].status_update.task_id != own
    assert (await caller.get(own)).id != own


async def test_an_agent_can_restart_and_forget(serve):
    network, agent, caller = await serve([Behaviour(forgets_after=1), Behaviour()])
    events = caller.events()
    task_id = (await anext(events)).task.id
    with pytest.raises(A2AClientError):
        [event async for event in events]
    with pytest.raises(TaskNotFoundError):
        await caller.get(task_id)
    await network.until(lambda: not agent.counts.open)
    assert await caller.told() == GOOD


async def test_a_stream_can_break_while_the_task_goes_on(serve):
    network, agent, caller = await serve(Behaviour(cut_after=2, cut_by="break"))
    agent.hold()
    events = caller.events()
    assert [in_words(await anext(events)) for _ in range(2)] == GOOD[:2]
    with pytest.raises(A2AClientError):
        await anext(events)
    (task_id,) = agent.tasks
    stream = caller.attach(task_id)
    assert await anext(stream) == "task working"
    agent.release()
    assert [told async for told in stream] == GOOD[2:]
    assert not network.counts.open


async def test_a_stream_can_end_too_early_as_often_as_wanted(serve):
    _, agent, caller = await serve(Behaviour(cut_after=1, cut_streams=2))
    agent.hold()
    assert await caller.told() == ["task submitted"]
    (task_id,) = agent.tasks
    assert [told async for told in caller.attach(task_id)] == ["task working"]
    stream = caller.attach(task_id)
    assert await anext(stream) == "task working"
    agent.release()
    assert [told async for told in stream] == GOOD[2:]


async def test_a_stream_can_fall_silent_while_the_task_goes_on(serve):
    network, agent, caller = await serve(Behaviour(stall_after=1))
    events = caller.events()
    task_id = (await anext(events)).task.id
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(anext(events))
        await network.until(lambda: not agent.counts.open)
        assert state(await caller.get(task_id)) == "completed"
        assert not waiting.done()
        waiting.cancel()
    await network.until(lambda: not agent.connections)


async def test_attaching_again_can_repeat_a_chunk(serve):
    _, agent, caller = await serve(changed(CHUNKS, double_on_reattach=True, cut_after=4, end="input_required"))
    told = await caller.told()
    assert told[2:] == ["chunk a", "chunk b +"]
    again = [words async for words in caller.attach(next(iter(agent.tasks)))]
    assert again[:2] == ["task input_required", "chunk c +."]


async def test_a_stream_need_not_begin_with_the_task(serve):
    _, _, caller = await serve(Behaviour(opens_with_task=False))
    assert await caller.told() == GOOD[1:]


async def test_an_agent_may_have_no_list_and_no_history(serve):
    _, _, caller = await serve(Behaviour(lists=False, keeps_history=False))
    assert not (await caller.task()).history
    with pytest.raises(MethodNotFoundError):
        await caller.listed()


async def test_an_agent_may_not_stream_in_spite_of_its_card(serve):
    _, agent, caller = await serve(Behaviour(streams=False))
    assert agent.card()["capabilities"]["streaming"]
    with pytest.raises(Exception, match="does not stream"):
        await caller.told()
    assert not agent.tasks


async def test_a_cancel_can_be_refused(serve):
    _, _, caller = await serve(Behaviour(never_ends=True, cancel="refused"))
    task = await caller.task(at_once=True)
    with pytest.raises(TaskNotCancelableError):
        await caller.cancel(task.id)


async def test_a_cancel_can_be_ignored(serve):
    _, agent, caller = await serve(Behaviour(never_ends=True, cancel="ignored"))
    task = await caller.task(at_once=True)
    assert state(await caller.cancel(task.id)) in {"submitted", "working"}
    assert agent.counts.open == 1


async def test_an_answer_can_come_after_the_cancel_was_confirmed(serve):
    network, agent, caller = await serve(Behaviour(cancel="late"))
    agent.hold()
    task = await caller.task(at_once=True)
    await network.until(agent.waiting)
    assert state(await caller.cancel(task.id)) == "canceled"
    agent.release()
    await network.until(lambda: not agent.counts.open)
    assert state(await caller.get(task.id)) == "completed"


async def test_a_cancel_can_be_slow(serve):
    network, agent, caller = await serve(Behaviour(never_ends=True, cancel_s=0.02))
    agent.hold("cancel")
    task = await caller.task(at_once=True)
    async with asyncio.TaskGroup() as group:
        canceling = group.create_task(caller.cancel(task.id))
        await network.until(lambda: agent.waiting("cancel"))
        assert state(await caller.get(task.id)) == "working"
        agent.release()
    assert state(canceling.result()) == "canceled"


A_SEND = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "SendMessage",
    "params": {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hello"}]}},
}


def changed(behaviour, **changes):
    from dataclasses import replace

    return replace(behaviour, **changes)

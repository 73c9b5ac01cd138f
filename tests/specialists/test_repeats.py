"""A message sent again while, after, and long after its review."""

import asyncio
import sys

import pytest
from a2a.types.a2a_pb2 import GetTaskRequest, ListTasksRequest, SendMessageRequest, TaskState
from a2a.utils.errors import InvalidParamsError

from specialist_agents import app, requests
from specialist_agents.store import BoundedTaskStore
from specialist_agents.testing import connected, findings_in, message_of, running, send, task_of

FILES = {"a.py": "x = 1\n"}


@pytest.fixture
def gate(tmp_path):
    """A worker that finds nothing once the gate is open, and the gate."""
    path = tmp_path / "gate"
    code = (
        "import json, pathlib, sys, time\n"
        "print('waiting', flush=True)\n"
        f"while not pathlib.Path({str(path)!r}).exists(): time.sleep(0.01)\n"
        "place = pathlib.Path(sys.argv[1]).parent\n"
        "(place / 'findings-00000.json').write_text(json.dumps({'schema': 'findings/v1', 'findings': []}))\n"
    )
    return [sys.executable, "-I", "-c", code], path.touch


async def _started(client, message_id):
    events = client.send_message(SendMessageRequest(message=message_of(FILES, message_id)))
    first = await anext(events)
    return first.task.id, events


async def test_a_repeat_joins_the_review_that_is_under_way(gate):
    worker, open_gate = gate
    agent = running("lint", worker=worker)
    async with agent as url, connected(url) as client, connected(url, streaming=False) as blocking:
        task_id, events = await _started(client, "again")
        joined_id, joined = await _started(client, "again")
        assert joined_id == task_id
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(send(blocking, message_of(FILES, "again")))
            open_gate()
            rest = [[event async for event in stream] for stream in (events, joined)]
            answer = task_of(await waiting)
        listed = await client.list_tasks(ListTasksRequest())
    assert (answer.id, listed.total_size) == (task_id, 1)
    assert answer.status.state == TaskState.TASK_STATE_COMPLETED
    for stream in rest:
        assert stream[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


async def test_a_repeat_that_does_not_wait_returns_the_task_as_it_stands(gate):
    worker, open_gate = gate
    async with running("lint", worker=worker) as url, connected(url) as client:
        task_id, events = await _started(client, "again")
        async with connected(url, streaming=False, polling=True) as impatient:
            task = task_of(await send(impatient, message_of(FILES, "again")))
        assert task.id == task_id
        assert task.status.state in {TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING}
        open_gate()
        async for _ in events:
            pass


async def test_a_review_goes_on_when_its_client_hangs_up(gate):
    worker, open_gate = gate
    async with running("lint", worker=worker) as url:
        async with connected(url) as client:
            task_id, events = await _started(client, "hang up")
            await events.aclose()
        open_gate()
        async with connected(url, streaming=False) as client:
            task = task_of(await send(client, message_of(FILES, "hang up")))
    assert task.id == task_id
    assert findings_in(task.artifacts) == []


async def test_a_message_whose_task_is_forgotten_is_reviewed_again(monkeypatch):
    monkeypatch.setattr(app, "BoundedTaskStore", lambda: BoundedTaskStore(max_tasks=1))
    async with running("complexity") as url, connected(url) as client:
        first, _, again = [task_of(await send(client, message_of(FILES, name))) for name in ("one", "two", "one")]
        listed = await client.list_tasks(ListTasksRequest())
    assert first.id != again.id
    assert [task.id for task in listed.tasks] == [again.id]


async def test_only_the_latest_messages_are_remembered(monkeypatch):
    monkeypatch.setattr(requests, "MAX_REMEMBERED", 1)
    async with running("complexity") as url, connected(url) as client:
        first, second, again = [task_of(await send(client, message_of(FILES, name))) for name in ("one", "two", "one")]
        still = await client.get_task(GetTaskRequest(id=first.id))
    assert len({first.id, second.id, again.id}) == 3
    assert still.id == first.id


async def test_metadata_does_not_make_a_message_another_one():
    message = message_of(FILES, "same")
    message.metadata.update({"remaining": 3})
    async with running("complexity") as url, connected(url) as client:
        first = task_of(await send(client, message))
        message.metadata.update({"remaining": 2})
        again = task_of(await send(client, message))
    assert first.id == again.id


async def test_a_send_the_protocol_refuses_claims_nothing():
    request = SendMessageRequest(message=message_of(FILES, "retry"))
    request.configuration.history_length = -1
    async with running("complexity") as url, connected(url, streaming=False) as client:
        with pytest.raises(InvalidParamsError):
            [event async for event in client.send_message(request)]
        task = task_of(await send(client, message_of(FILES, "retry")))
        listed = await client.list_tasks(ListTasksRequest())
    assert [one.id for one in listed.tasks] == [task.id]

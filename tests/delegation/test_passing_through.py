"""Plain delegation: a client cannot tell the coordinator from the agent behind it, ids aside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import UnsupportedOperationError

from coordinator.app import assembled
from coordinator.config import Settings
from coordinator.testing.server import listener, serving
from coordinator.wire import as_dict
from tests.delegation.agent import Worker, serving_agent
from tests.planning.making import Document
from tests.protocol.clients import Caller, all_of, calling, message, states, texts

PLAN: Document = {
    "name": "hand-on",
    "description": "Hands everything on.",
    "stages": {"on": {"fan_out": {"to": {"agents": ["worker"]}}}},
}
IDS = frozenset({"id", "taskId", "contextId", "messageId", "timestamp"})


@dataclass
class Pair:
    """The same agent twice: asked itself, and through a coordinator."""

    direct: Caller
    through: Caller
    worker: Worker
    worker_below: Worker

    async def both(self, *words: str) -> tuple[list[Any], list[Any]]:
        """Hold the same conversation with both and return everything each of them has said, ids aside."""
        return await _conversation(self.direct, words), await _conversation(self.through, words)


@asynccontextmanager
async def coordinator_of(tmp_path, url: str, plan: Document = PLAN) -> AsyncIterator[Caller]:
    """Serve a coordinator that hands on to the agent at *url*."""
    (tmp_path / "plans").mkdir(exist_ok=True)
    (tmp_path / "plans" / "plan.yaml").write_text(yaml.safe_dump(plan))
    with listener() as opened:
        settings = Settings(
            port=opened.getsockname()[1],
            db="memory",
            plans=(str(tmp_path / "plans"),),
            default_plan="hand-on",
            agents=({"card": url, "name": "worker"},),
        )
        async with assembled(settings) as app, serving(app, opened), calling(settings.url, "JSONRPC") as caller:
            yield caller


@pytest.fixture
async def pair(tmp_path):
    async with AsyncExitStack() as stack:
        url, worker = await stack.enter_async_context(serving_agent())
        url_below, below = await stack.enter_async_context(serving_agent())
        direct = await stack.enter_async_context(calling(url, "JSONRPC"))
        through = await stack.enter_async_context(coordinator_of(tmp_path, url_below))
        yield Pair(direct, through, worker, below)


async def _conversation(caller: Caller, words: tuple[str, ...]) -> list[Any]:
    """Send each word on the same task, and read the task in the end."""
    said: list[Any] = []
    task_id = context_id = ""
    for word in words:
        async for event in caller.stream(message(word, task_id=task_id, context_id=context_id)):
            said.append(without_ids(as_dict(event)))
            holder = event.task if event.HasField("task") else event.status_update
            task_id = task_id or event.task.id or event.status_update.task_id or event.artifact_update.task_id
            context_id = context_id or holder.context_id or event.message.context_id
            if "AUTH_REQUIRED" in states([event]):
                break  # this server keeps the stream open, since an authorisation may come by itself (spec 7.6.1)
    if task_id:
        said.append(without_ids(as_dict(await caller.get(task_id))))
    return said


def without_ids(value: Any) -> Any:
    """Return JSON without what differs from server to server."""
    if isinstance(value, dict):
        return {key: without_ids(item) for key, item in value.items() if key not in IDS and item != {}}
    return [without_ids(item) for item in value] if isinstance(value, list) else value


def told(events: list[Any]) -> list[Any]:
    """Return the updates of a conversation: what a stream says before its first change may differ in what is in it."""
    return [event for event in events if "task" not in event and "status" not in event]


@pytest.mark.parametrize(
    "words",
    [("stream",), ("talk",), ("reject",), ("fail",), ("anything",), ("ask", "the red one"), ("authorise", "done")],
    ids=" ".join,
)
async def test_a_stream_says_the_same_through_the_coordinator(pair, words):
    direct, through = await pair.both(*words)
    assert told(through) == told(direct)
    if words != ("talk",):
        assert through[-1] == direct[-1], "the task in the end"


async def test_a_blocking_send_returns_the_direct_message(pair):
    for caller in (pair.direct, pair.through):
        answer = await caller.answer(message("talk"))
        assert answer.WhichOneof("payload") == "message"
        assert [part.text for part in answer.message.parts] == ["just talking", ""]
        assert as_dict(answer.message)["metadata"] == {"mood": "fine"}
        assert answer.message.message_id == "spoken-1"
        assert answer.message.context_id
    assert not (await pair.through.tasks()).tasks, "an exchange of messages is no task"


async def test_a_follow_up_goes_to_the_task_of_the_agent_under_both_its_ids(pair):
    task = await pair.through.send(message("ask", message_id="m-1"))
    assert task.status.state == a2a.TASK_STATE_INPUT_REQUIRED
    assert as_dict(task.status.message)["metadata"] == {"form": "f-1"}
    done = await pair.through.send(message("red", message_id="m-2", task_id=task.id, context_id=task.context_id))
    assert (done.id, done.context_id) == (task.id, task.context_id)
    assert texts(done) == ["the answer"]
    first, second = pair.worker_below.messages
    assert (second.task_id, second.context_id) == (first.task_id, first.context_id)
    assert first.message_id.startswith("m-1-")
    assert second.message_id.startswith("m-2-")
    assert first.task_id not in {task.id, ""}


async def test_a_message_in_the_same_context_reaches_the_agent_in_the_same_context(pair):
    first = await pair.through.send(message("anything"))
    await pair.through.send(message("anything", context_id=first.context_id, reference_task_ids=[first.id]))
    await pair.through.send(message("anything"))
    one, two, other = pair.worker_below.messages
    assert one.context_id == two.context_id != other.context_id
    assert list(two.reference_task_ids) == [one.task_id]


async def test_only_so_many_tasks_a_message_refers_to_are_handed_on(pair):
    first = await pair.through.send(message("anything"))
    await pair.through.send(message("anything", context_id=first.context_id, reference_task_ids=[first.id] * 25))
    one, two = pair.worker_below.messages
    assert list(two.reference_task_ids) == [one.task_id] * 20


async def test_after_a_direct_message_the_context_goes_on(pair):
    answer = await pair.through.answer(message("talk"))
    task = await pair.through.send(message("anything", context_id=answer.message.context_id))
    assert task.context_id == answer.message.context_id
    assert pair.worker_below.messages[0].context_id == pair.worker_below.messages[1].context_id


async def test_metadata_and_extensions_of_a_message_go_through(pair):
    sent = message("anything", metadata={"ticket": 7}, extensions=["https://example.test/ext"])
    await pair.through.send(sent)
    (received,) = pair.worker_below.messages
    assert as_dict(received)["metadata"] == {"ticket": 7}
    assert list(received.extensions) == ["https://example.test/ext"]


async def test_a_silent_agent_gets_a_submitted_task_of_ours_and_a_cancel_reaches_it(pair):
    task = await pair.through.send(message("wait"), return_immediately=True)
    assert task.status.state in {a2a.TASK_STATE_SUBMITTED, a2a.TASK_STATE_WORKING}
    assert (await pair.through.cancel(task.id)).status.state == a2a.TASK_STATE_CANCELED
    async with asyncio.timeout(20):
        below = pair.worker_below.messages[0].task_id
        events = [event async for event in pair.through.stream(message("anything"))]
    assert below
    assert states(events)[-1] == "COMPLETED"


async def test_a_finished_task_takes_no_more_messages(pair):
    task = await pair.through.send(message("anything"))
    with pytest.raises(UnsupportedOperationError):
        await pair.through.send(message("more", task_id=task.id))
    assert len(pair.worker_below.messages) == 1


async def test_a_plan_may_keep_the_message_id(tmp_path):
    plan = {**PLAN, "stages": {"on": {"fan_out": {"to": {"agents": ["worker"]}, "keep_message_id": True}}}}
    async with serving_agent() as (url, worker), coordinator_of(tmp_path, url, plan) as caller:
        await caller.send(message("anything", message_id="m-1"))
        assert [sent.message_id for sent in worker.messages] == ["m-1"]


async def test_all_events_are_seen_by_a_subscriber_too(pair):
    task = await pair.through.send(message("wait"), return_immediately=True)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(all_of(pair.through.subscribe(task.id)))
        pair.worker_below.go.set()
    assert states(watching.result())[-1] == "COMPLETED"

"""Pushes to real webhooks: what is told, in which order, how often, and to whom not."""

import asyncio
import logging
import socket
from collections import deque

import pytest
from a2a.types import a2a_pb2 as a2a
from aiohttp.abc import AbstractResolver
from google.protobuf.json_format import MessageToDict

from coordinator.core.extension import RUN
from coordinator.journal.sql_pushes import push_counts
from coordinator.journal.stored import reading
from coordinator.testing import Behaviour
from tests.protocol.clients import all_of, asking_for, calling, message, texts
from tests.protocol.receiver import BROKEN, receiving
from tests.protocol.specialists import answering, busy, held, hold, waiting
from tests.protocol.wires import send

LOOPBACK = {"push_allow": ("127.0.0.1",)}


@pytest.fixture
def plans():
    return ("gather", "alone", "growing", "hand-on")


@pytest.fixture
async def url(start):
    return await start(**LOOPBACK)


@pytest.fixture
async def client(url):
    async with calling(url, "JSONRPC") as caller:
        yield caller


@pytest.fixture
async def hook():
    async with receiving() as receiver:
        yield receiver


def to(hook, path="/hook", **fields):
    return a2a.TaskPushNotificationConfig(url=hook.url + path, **fields)


def told(push):
    """Return in a word what a push tells."""
    event = push.event
    if event.HasField("artifact_update"):
        return "artifact"
    return a2a.TaskState.Name(event.status_update.status.state).removeprefix("TASK_STATE_")


def without_repeats(pushes):
    """Return what a client keeps that knows a repeated notification by its key."""
    return list({push.headers["idempotency-key"]: push for push in pushes}.values())


async def test_what_is_pushed_is_what_a_stream_shows(client, hook):
    stream = client.stream(task_push_notification_config=to(hook))
    shown = [MessageToDict(event) for event in await all_of(stream)]
    pushed = await hook.until_over()
    assert [told(push) for push in pushed] == ["WORKING", "artifact", "COMPLETED"]
    assert [push.document for push in pushed if push.document not in shown] == []
    assert pushed[1].document["artifactUpdate"]["lastChunk"]
    assert texts(pushed[1].event.artifact_update) == ["the answer of ada", "the answer of bob"]
    assert pushed[2].document["statusUpdate"]["metadata"][RUN]["verdict"] == "complete"


async def test_progress_and_chunks_are_not_pushed_and_the_finished_artifact_is_whole(client, fleet, hook):
    hold(fleet)
    chunks = []
    async for event in client.stream(asking_for("growing"), task_push_notification_config=to(hook)):
        if event.HasField("task"):
            await busy(fleet, "ada", "bob", "eve")
            fleet["ada"].release()
            fleet["bob"].release()
        if event.HasField("artifact_update"):
            chunks.append(event.artifact_update)
            fleet["eve"].release()
    assert len(chunks) > 1
    pushed = await hook.until_over()
    [whole] = [push.event.artifact_update for push in pushed if told(push) == "artifact"]
    assert texts(whole) == [text for chunk in chunks for text in texts(chunk)]
    assert (whole.append, whole.last_chunk) == (False, True)
    assert [told(push) for push in pushed] == ["WORKING", "artifact", "COMPLETED"]


async def test_a_webhook_that_is_down_for_a_while_gets_everything_in_order(client, fleet, hook):
    hook.refusals = deque([503, BROKEN, 500, 404, 429, 302, BROKEN, 503, 408, 400, 503, 502] * 2)
    with held(fleet):
        task = await client.send(return_immediately=True, task_push_notification_config=to(hook))
        await busy(fleet, "ada", "bob")
        await hook.until(lambda: len(hook.attempts) >= 6)
    pushed = await hook.until_over()
    assert [told(push) for push in without_repeats(pushed)] == ["WORKING", "artifact", "COMPLETED"]
    assert {push.event.status_update.task_id or task.id for push in pushed} == {task.id}
    # Whatever was refused was sent again before anything else: no other came in between.
    keys = [push.headers["idempotency-key"] for push in hook.attempts]
    assert len(keys) > 24
    in_turn = [key for key, before in zip(keys, ["", *keys], strict=False) if key != before]
    assert in_turn == sorted(set(keys), key=lambda key: [int(number) for number in key.split("-")[-2:]])


async def test_the_token_and_the_credentials_are_shown_to_the_webhook_and_to_no_log(client, hook, caplog):
    caplog.set_level(logging.DEBUG)
    hook.refusals = deque([500])
    authentication = a2a.AuthenticationInfo(scheme="Bearer", credentials="the-credentials")
    config = to(hook, "/hook?key=the-query", token="the-token", authentication=authentication)
    await client.send(task_push_notification_config=config)
    pushed = await hook.until_over()
    for push in pushed:
        assert push.headers["x-a2a-notification-token"] == "the-token"
        assert push.headers["authorization"] == "Bearer the-credentials"
        assert push.headers["content-type"] == "application/json"
    assert "a webhook does not take what is pushed" in caplog.text
    everything = " ".join(str(vars(record)) for record in caplog.records if record.name.startswith("coordinator"))
    assert not any(secret in everything for secret in ("the-token", "the-credentials", "the-query"))


async def test_a_question_is_pushed_whole_and_the_answer_goes_on_from_there(client, fleet, hook):
    fleet["eve"].behave((waiting("input_required", "which colour?"), answering({"text": "blue it is"})))
    asked = await client.send(asking_for("alone"), task_push_notification_config=to(hook))
    await hook.until(lambda: any(told(push) == "INPUT_REQUIRED" for push in hook.taken))
    question = next(push for push in hook.taken if told(push) == "INPUT_REQUIRED")
    assert "which colour?" in str(question.document["statusUpdate"]["status"]["message"])
    await client.send(message("blue", task_id=asked.id), task_push_notification_config=to(hook, "/second", id="two"))
    first, second = await hook.until_over(), await hook.until_over("/second")
    assert [told(push) for push in first] == ["WORKING", "INPUT_REQUIRED", "WORKING", "artifact", "COMPLETED"]
    assert [told(push) for push in second] == ["WORKING", "artifact", "COMPLETED"]


async def test_one_that_comes_later_is_told_what_comes_after_it(client, fleet, hook):
    with held(fleet):
        task = await client.send(return_immediately=True)
        await busy(fleet, "ada", "bob")
        await client.set_push(task.id, hook.url + "/hook")
    assert [told(push) for push in await hook.until_over()] == ["artifact", "COMPLETED"]


async def test_several_configs_are_each_told_everything_and_a_deleted_one_nothing_more(client, fleet, hook):
    with held(fleet):
        task = await client.send(return_immediately=True, task_push_notification_config=to(hook, "/one"))
        await client.set_push(task.id, hook.url + "/two", "two")
        await client.set_push(task.id, hook.url + "/three", "three")
        await client.delete_push(task.id, "three")
    one, two = await hook.until_over("/one"), await hook.until_over("/two")
    assert [told(push) for push in one][-2:] == [told(push) for push in two][-2:] == ["artifact", "COMPLETED"]
    assert not hook.at("/three")


async def test_a_canceled_task_is_told_as_such(client, fleet, hook):
    with held(fleet):
        task = await client.send(return_immediately=True, task_push_notification_config=to(hook))
        await client.cancel(task.id)
        assert told((await hook.until_over())[-1]) == "CANCELED"


async def test_a_slow_webhook_does_not_hold_up_another_on_its_host_or_elsewhere(client, hook):
    hook.open_for = {"/slow": 0}
    async with receiving() as elsewhere:
        await client.send(task_push_notification_config=to(hook, "/slow"))
        await hook.until(lambda: len(hook.attempts) == 1)
        await client.send(task_push_notification_config=to(hook))
        await client.send(task_push_notification_config=to(elsewhere))
        assert len(await hook.until_over()) == 3
        assert len(await elsewhere.until_over()) == 3
    assert [push.path for push in hook.attempts].count("/slow") == 1


async def test_many_slow_tasks_of_one_host_leave_room_for_others(client, hook):
    hook.open_for = {"/slow": 0}
    async with receiving() as elsewhere:
        for _ in range(40):
            await client.send(return_immediately=True, task_push_notification_config=to(hook, "/slow"))
        await client.send(task_push_notification_config=to(elsewhere))
        assert len(await elsewhere.until_over()) == 3
    assert len(hook.attempts) == 4


async def test_a_webhook_that_fails_for_longer_than_the_setting_says_is_given_up(start, hook, caplog):
    hook.refusals = deque([500] * 1_000)
    async with calling(await start(push_give_up="1ms", **LOOPBACK), "JSONRPC") as client:
        await client.send(task_push_notification_config=to(hook))
        while "gave up pushing to a webhook" not in caplog.text:  # noqa: ASYNC110 - a log gives no event
            await asyncio.sleep(0.01)
    assert len(hook.attempts) < 1_000


async def test_a_redirect_is_not_followed(client, hook):
    async with receiving() as elsewhere:
        hook.refusals, hook.refusal_headers = deque([307, 308]), {"Location": f"{elsewhere.url}/hook"}
        await client.send(task_push_notification_config=to(hook))
        assert len(await hook.until_over()) == 3
        assert not elsewhere.attempts


async def test_what_is_passed_through_is_told_in_the_words_of_its_agent(url, fleet, hook):
    fleet["eve"].behave(answering({"text": "as it is"}))
    async with calling(f"{url}/hand-on", "JSONRPC") as client:
        task = await client.send(task_push_notification_config=to(hook))
    pushed = await hook.until_over()
    assert told(pushed[-1]) == "COMPLETED"
    assert [texts(push.event.artifact_update) for push in pushed if told(push) == "artifact"] == [["as it is"]]
    assert pushed[-1].event.status_update.task_id == task.id


async def test_a_direct_message_leaves_no_task_and_is_not_pushed(start, tmp_path, fleet, hook):
    fleet["eve"].behave((Behaviour(message="just words"), answering({"text": "a task"})))
    database = tmp_path / "pushes.db"
    async with calling(f"{await start(db=str(database), **LOOPBACK)}/hand-on", "JSONRPC") as client:
        direct = await client.answer(task_push_notification_config=to(hook, "/direct"))
        assert direct.HasField("message")
        await client.send(task_push_notification_config=to(hook))
        await hook.until_over()
        while owed_in(database):  # noqa: ASYNC110 - moving a place gives no event
            await asyncio.sleep(0.01)
    assert not hook.at("/direct")


def owed_in(database):
    with reading(database) as connection:
        return push_counts(connection).owed


class Names(AbstractResolver):
    """Resolves every name to the next of *addresses*, and the last one from then on."""

    def __init__(self, *addresses):
        self.addresses = deque(addresses)
        self.asked = 0
        self._changed = asyncio.Event()

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked += 1
        self._changed.set()
        address = self.addresses.popleft() if len(self.addresses) > 1 else self.addresses[0]
        return [{"hostname": host, "host": address, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    async def until_asked(self, times):
        while self.asked < times:
            self._changed.clear()
            await self._changed.wait()

    async def close(self):
        pass


async def test_13_2_a_name_that_leads_elsewhere_at_the_delivery_is_not_connected_to(start):
    names, connections = Names("93.184.215.14", "127.0.0.1"), []
    async with await asyncio.start_server(lambda reader, writer: connections.append(writer), "127.0.0.1") as inside:
        port = inside.sockets[0].getsockname()[1]
        async with calling(await start(names=names), "JSONRPC") as client:
            config = a2a.TaskPushNotificationConfig(url=f"https://hook.example:{port}/hook")
            task = await client.send(task_push_notification_config=config)
            assert task.status.state == a2a.TASK_STATE_COMPLETED
            await names.until_asked(4)
    assert not connections


async def test_13_2_an_allowed_host_is_reached_under_its_name_wherever_it_leads(start, hook):
    names = Names("127.0.0.1")
    port = hook.url.rpartition(":")[2]
    async with calling(await start(names=names, push_allow=(f"hook.example:{port}",)), "JSONRPC") as client:
        config = a2a.TaskPushNotificationConfig(url=f"http://hook.example:{port}/hook")
        await client.send(task_push_notification_config=config)
        pushed = await hook.until_over()
    assert {push.headers["host"] for push in pushed} == {f"hook.example:{port}"}


async def test_a_config_of_version_0_3_is_sent_the_task_of_version_0_3(http, hook):
    request = {
        "message": {"kind": "message", "messageId": "m", "role": "user", "parts": [{"kind": "text", "text": "hi"}]},
        "configuration": {"pushNotificationConfig": {"url": f"{hook.url}/hook", "token": "secret"}},
    }
    await send(http, "JSONRPC 0.3", request)
    pushed = [push.document for push in await hook.until_over()]
    assert [task["status"]["state"] for task in pushed] == ["working", "completed"]
    assert {task["kind"] for task in pushed} == {"task"}
    assert [part["text"] for part in pushed[-1]["artifacts"][0]["parts"]] == ["the answer of ada", "the answer of bob"]
    assert hook.taken[0].headers["x-a2a-notification-token"] == "secret"

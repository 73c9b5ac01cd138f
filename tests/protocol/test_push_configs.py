"""Where clients want to be told of their tasks: the operations, on every binding, and what is refused."""

import pytest
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError
from google.protobuf.json_format import MessageToDict

from tests.protocol.clients import calling, message
from tests.protocol.specialists import held
from tests.protocol.users import bearer, settings_for
from tests.protocol.wires import V1, call, rpc

HOOK = "http://127.0.0.1:9/hook"
AUTHENTICATION = a2a.AuthenticationInfo(scheme="Bearer", credentials="hidden")


@pytest.fixture
async def url(start):
    """The URL of a coordinator that pushes to loopback, and keeps two configurations of a task."""
    return await start(push_allow=("127.0.0.1",), max_pushes=2)


@pytest.fixture
def held_back(fleet):
    with held(fleet):
        yield


def fields(refusal):
    return [error["field"] for error in refusal.value.data["errors"]]


@pytest.fixture
async def task(client, held_back):
    return await client.send(return_immediately=True)


async def test_3_1_7_a_config_is_given_back_as_it_was_set(client, task):
    made = await client.set_push(task.id, HOOK, "mine", token="secret", authentication=AUTHENTICATION)
    assert MessageToDict(made) == {
        "taskId": task.id,
        "id": "mine",
        "url": HOOK,
        "token": "secret",
        "authentication": {"scheme": "Bearer", "credentials": "hidden"},
    }
    assert await client.get_push(task.id, "mine") == made
    assert await client.pushes(task.id) == [made]


async def test_3_1_7_one_without_an_id_has_the_id_of_the_task_and_replaces_itself(client, task):
    assert (await client.set_push(task.id, HOOK)).id == task.id
    again = await client.set_push(task.id, HOOK + "/new")
    assert await client.pushes(task.id) == [again]


async def test_3_1_7_a_task_has_several_but_not_any_number(client, task):
    await client.set_push(task.id, HOOK, "a")
    await client.set_push(task.id, HOOK, "b")
    with pytest.raises(InvalidParamsError, match="has 2 push configurations already") as refusal:
        await client.set_push(task.id, HOOK, "c")
    assert fields(refusal) == ["id"]
    assert [config.id for config in await client.pushes(task.id)] == ["a", "b"]


async def test_3_1_10_what_is_deleted_is_gone_and_may_be_deleted_again(client, task):
    await client.set_push(task.id, HOOK, "a")
    await client.delete_push(task.id, "a")
    await client.delete_push(task.id, "a")
    assert await client.pushes(task.id) == []
    with pytest.raises(TaskNotFoundError):
        await client.get_push(task.id, "a")


async def test_a_config_within_a_message_belongs_to_its_task(client, held_back):
    config = a2a.TaskPushNotificationConfig(url=HOOK, token="secret")
    task = await client.send(return_immediately=True, task_push_notification_config=config)
    [kept] = await client.pushes(task.id)
    assert (kept.id, kept.task_id, kept.url, kept.token) == (task.id, task.id, HOOK, "secret")


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"url": "http://127.0.0.1.nip.example:1:2/"}, "url"),
        ({"url": "ftp://127.0.0.1/hook"}, "url"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": "http://10.0.0.1/hook"}, "url"),
        ({"url": "https://name.invalid/hook"}, "url"),
        ({"url": HOOK, "token": "one\r\nX-Another: header"}, "token"),
        ({"url": HOOK, "authentication": {"scheme": "Bearer", "credentials": "a\nb"}}, "authentication.credentials"),
        ({"url": HOOK, "authentication": {"scheme": "B\n", "credentials": "a"}}, "authentication.scheme"),
        ({"url": HOOK, "id": "x" * 201}, "id"),
    ],
)
async def test_a_wrong_config_within_a_message_is_named_before_there_is_a_task(client, fleet, config, field):
    given = a2a.TaskPushNotificationConfig(**config)
    with pytest.raises(InvalidParamsError) as refusal:
        await client.send(task_push_notification_config=given)
    assert fields(refusal) == [f"configuration.task_push_notification_config.{field}"]
    assert not fleet.counts.sends
    assert (await client.tasks()).total_size == 0


async def test_a_wrong_url_is_named_when_a_config_is_set(client, task):
    with pytest.raises(InvalidParamsError, match="push_allow") as refusal:
        await client.set_push(task.id, "http://192.168.0.1/hook")
    assert fields(refusal) == ["url"]
    assert await client.pushes(task.id) == []


async def test_13_1_configs_are_shown_to_the_owner_of_the_task_only(start, monkeypatch, binding, held_back):
    url = await start(push_allow=("127.0.0.1",), **settings_for(monkeypatch, "alice", "bertha"))
    async with calling(url, binding, bearer("alice")) as alice, calling(url, binding, bearer("bertha")) as bertha:
        task = await alice.send(return_immediately=True)
        await alice.set_push(task.id, HOOK, "mine", token="secret")
        for attempt in (
            bertha.get_push(task.id, "mine"),
            bertha.pushes(task.id),
            bertha.delete_push(task.id, "mine"),
            bertha.set_push(task.id, HOOK, "mine"),
        ):
            with pytest.raises(TaskNotFoundError) as foreign:
                await attempt
            assert "secret" not in str(foreign.value)
        assert [config.token for config in await alice.pushes(task.id)] == ["secret"]


async def test_a_follow_up_with_one_config_too_many_is_not_taken(client, task):
    await client.set_push(task.id, HOOK, "a")
    await client.set_push(task.id, HOOK, "b")
    config = a2a.TaskPushNotificationConfig(url=HOOK, id="c")
    with pytest.raises(InvalidParamsError) as refusal:
        await client.send(message(task_id=task.id), task_push_notification_config=config)
    assert fields(refusal) == ["configuration.task_push_notification_config.id"]


async def test_a_config_of_version_0_3_is_read_over_both_versions(http, held_back):
    sent = await call(
        http,
        "SendMessage",
        {
            "message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]},
            "configuration": {"returnImmediately": True},
        },
    )
    task_id = sent.json()["result"]["task"]["id"]
    config = {"taskId": task_id, "pushNotificationConfig": {"url": HOOK, "token": "secret"}}
    answer = await http.post("/", json=rpc("tasks/pushNotificationConfig/set", config))
    assert answer.json()["result"] == {
        "taskId": task_id,
        "pushNotificationConfig": {
            "id": task_id,
            "url": HOOK,
            "token": "secret",
        },
    }
    got = await http.post("/", json=rpc("tasks/pushNotificationConfig/get", {"id": task_id}))
    assert got.json()["result"] == answer.json()["result"]
    listed = await http.post("/", json=rpc("tasks/pushNotificationConfig/list", {"id": task_id}))
    assert listed.json()["result"] == [answer.json()["result"]]
    over_rest = await http.get(f"/tasks/{task_id}/pushNotificationConfigs/{task_id}", headers=V1)
    assert over_rest.json()["url"] == HOOK
    named = {"id": task_id, "pushNotificationConfigId": task_id}
    await http.post("/", json=rpc("tasks/pushNotificationConfig/delete", named))
    assert (await http.get(f"/tasks/{task_id}/pushNotificationConfigs", headers=V1)).json().get("configs", []) == []

"""What is refused: the error names the field, on every binding, and no specialist hears of it."""

import json

import pytest
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import (
    ContentTypeNotSupportedError,
    InvalidParamsError,
    TaskNotFoundError,
)

from coordinator.core.extension import URI
from coordinator.wire import DEEPEST
from tests.protocol.clients import OPERATIONS, asking_for, bare_http, message
from tests.protocol.specialists import asked
from tests.protocol.wires import V1, WIRES, call, refusal_in, rpc, said, send

WRONG = [
    ({"plan": "nonsense"}, "plan"),
    ({"plan": 7}, "plan"),
    ({"plans": "gather"}, "plans"),
    ({"limits": {"deadline": "soon"}}, "limits.deadline"),
    ({"limits": {"branch_timeout": "-3s"}}, "limits.branch_timeout"),
    ({"limits": {"concurrency": 0}}, "limits.concurrency"),
    ({"limits": {"speed": 1}}, "limits.speed"),
]
READS = {
    "GetTask": {"id": "x"},
    "ListTasks": {},
    "CancelTask": {"id": "x"},
    "SubscribeToTask": {"id": "x"},
}


@pytest.fixture
def plans():
    return ("gather", "alone", "review")


def names(error):
    return [problem["field"] for problem in error.value.data["errors"]]


@pytest.mark.parametrize("streaming", [False, True], ids=["send", "stream"])
@pytest.mark.parametrize("wire", WIRES)
async def test_3_3_2_a_wrong_parameter_is_named_and_nothing_is_sent(http, fleet, wire, streaming):
    for parameters, field in WRONG:
        request = {"message": said(wire, metadata={URI: parameters})}
        refusal = refusal_in(await send(http, wire, request, streaming=streaming))
        assert refusal.fields == (f"metadata.{URI}.{field}",)
        assert refusal.code == (-32602 if wire.startswith("JSONRPC") else 400)
    assert (await call(http, "ListTasks", {})).json()["result"]["totalSize"] == 0
    assert not fleet.counts.sends


async def test_3_3_2_parameters_of_the_message_and_of_the_request_must_not_contradict(client, fleet):
    with pytest.raises(InvalidParamsError) as refusal:
        await client.send(asking_for("gather"), metadata={URI: {"plan": "alone"}})
    assert names(refusal) == [f"metadata.{URI}"]
    assert not fleet.counts.sends


async def test_3_3_2_the_parameters_of_the_request_count_like_those_of_the_message(client, fleet):
    await client.send(metadata={URI: {"plan": "alone"}})
    assert asked(fleet) == [0, 0, 1]


async def test_3_3_2_a_plan_nobody_can_carry_out_is_refused(start):
    url = await start(agents=())
    async with bare_http(base_url=url) as http:
        refusal = refusal_in(await send(http))
    assert refusal.fields == ("plan",)


async def test_5_7_missing_required_fields_are_named(client, fleet):
    with pytest.raises(InvalidParamsError) as refusal:
        await client.send(a2a.Message())
    assert names(refusal) == ["message.message_id", "message.role", "message.parts"]
    assert not fleet.counts.sends


async def test_4_1_6_a_part_without_content_is_refused(client, fleet):
    with pytest.raises(InvalidParamsError) as refusal:
        await client.send(message(parts=[a2a.Part(text="fine"), a2a.Part(media_type="text/plain")]))
    assert names(refusal) == ["message.parts[1]"]
    assert not fleet.counts.sends


async def test_a_number_that_is_none_in_json_is_refused_by_its_part(http, fleet):
    body = json.dumps(rpc("SendMessage", {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"data": 1}]}}))
    headers = {**V1, "content-type": "application/json"}
    refusal = refusal_in(await http.post("/", content=body.replace('"data": 1', '"data": NaN'), headers=headers))
    assert refusal.fields == ("message.parts[0]",)
    assert not fleet.counts.sends


async def test_what_is_nested_too_deep_to_be_read_again_is_refused_by_its_field_and_harms_nobody(http, fleet):
    deep = {"a": 1}
    for _ in range(DEEPEST):
        deep = {"a": deep}
    spoken = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
    for request, field in (
        ({"message": {**spoken, "parts": [{"data": deep}]}}, "message.parts[0]"),
        ({"message": {**spoken, "parts": [{"text": "hi", "metadata": deep}]}}, "message.parts[0]"),
        ({"message": {**spoken, "metadata": deep}}, "message.metadata"),
        ({"message": spoken, "metadata": deep}, "metadata"),
    ):
        assert refusal_in(await call(http, "SendMessage", request)).fields == (field,)
    assert (await call(http, "ListTasks", {})).json()["result"]["totalSize"] == 0
    assert not fleet.counts.sends


async def test_4_1_6_an_empty_text_is_content(client):
    assert (await client.send(message(""))).status.state == a2a.TASK_STATE_COMPLETED


async def test_3_1_1_a_media_type_the_plan_does_not_take_is_refused(client, fleet):
    parts = [a2a.Part(text="print()", media_type="text/x-python")]
    with pytest.raises(ContentTypeNotSupportedError):
        await client.send(message(parts=parts))
    with pytest.raises(ContentTypeNotSupportedError):
        [event async for event in client.stream(message(parts=parts))]
    with pytest.raises(ContentTypeNotSupportedError):
        await client.send(asking_for("review", parts=[a2a.Part(text="hi", media_type="text/plain")]))
    assert not fleet.counts.sends


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_3_1_3_an_unknown_task_is_not_found(client, operation):
    with pytest.raises(TaskNotFoundError):
        await OPERATIONS[operation](client, "nothing")


async def test_3_1_4_a_page_that_cannot_be_is_named(client):
    for fields, name in [
        ({"page_size": 0}, "page_size"),
        ({"page_size": 101}, "page_size"),
        ({"page_token": "made up"}, "page_token"),
        ({"history_length": -1}, "history_length"),
    ]:
        with pytest.raises(InvalidParamsError) as refusal:
            await client.tasks(**fields)
        assert names(refusal) == [name]


async def test_3_2_4_a_negative_history_length_is_named(client, fleet):
    with pytest.raises(InvalidParamsError) as refusal:
        await client.get("any", history_length=-1)
    assert names(refusal) == ["history_length"]
    with pytest.raises(InvalidParamsError) as refusal:
        await client.send(history_length=-1)
    assert names(refusal) == ["configuration.history_length"]
    assert not fleet.counts.sends


async def test_3_3_4_the_extended_card_is_not_supported(http):
    over_rpc = refusal_in(await call(http, "GetExtendedAgentCard", {}))
    over_rest = refusal_in(await http.get("/extendedAgentCard", headers=V1))
    assert (over_rpc.code, over_rpc.reason) == (-32004, "UNSUPPORTED_OPERATION")
    assert over_rest.reason == "UNSUPPORTED_OPERATION"


async def test_what_is_not_offered_is_refused_in_version_0_3_too(http):
    answer = await http.post("/", json=rpc("agent/getAuthenticatedExtendedCard", None))
    assert refusal_in(answer).code == -32004
    assert refusal_in(await http.get("/v1/card")).reason == "UNSUPPORTED_OPERATION"


async def test_an_unknown_tenant_is_named_whatever_the_operation(http, fleet):
    for method, params in {
        "SendMessage": {"message": said()},
        "SendStreamingMessage": {"message": said()},
        **READS,
        "CreateTaskPushNotificationConfig": {"taskId": "x", "url": "https://hook.example/"},
        "GetTaskPushNotificationConfig": {"taskId": "x", "id": "y"},
        "ListTaskPushNotificationConfigs": {"taskId": "x"},
        "DeleteTaskPushNotificationConfig": {"taskId": "x", "id": "y"},
    }.items():
        assert refusal_in(await call(http, method, params | {"tenant": "nobody"})).fields == ("tenant",)
    for verb, path in [
        ("POST", "/nobody/message:send"),
        ("POST", "/nobody/message:stream"),
        ("GET", "/nobody/tasks/x"),
        ("GET", "/nobody/tasks"),
        ("POST", "/nobody/tasks/x:cancel"),
        ("POST", "/nobody/tasks/x:subscribe"),
        ("GET", "/nobody/tasks/x/pushNotificationConfigs"),
        ("GET", "/nobody/tasks/x/pushNotificationConfigs/y"),
        ("DELETE", "/nobody/tasks/x/pushNotificationConfigs/y"),
    ]:
        answer = await http.request(verb, path, json={"message": said()}, headers=V1)
        assert refusal_in(answer).fields == ("tenant",)
    assert not fleet.counts.sends


async def test_a_tenant_within_the_body_of_a_rest_request_counts(http, fleet):
    named = {"message": said(), "tenant": "nobody"}
    assert refusal_in(await send(http, "HTTP+JSON 1.0", named)).fields == ("tenant",)
    await send(http, "HTTP+JSON 1.0", named | {"tenant": "alone"})
    assert asked(fleet) == [0, 0, 1]


async def test_a_tenant_must_not_contradict_the_endpoint(http, fleet):
    request = {"message": said(), "tenant": "alone"}
    for wire in ("JSONRPC 1.0", "HTTP+JSON 1.0"):
        assert refusal_in(await send(http, wire, request, prefix="/gather")).fields == ("tenant",)
    assert not fleet.counts.sends

"""Our extension: how it is declared, activated and answered."""

import pytest
from a2a.client import A2ACardResolver
from a2a.types import a2a_pb2 as a2a
from google.protobuf.json_format import MessageToDict

from coordinator.core.extension import URI
from tests.protocol.specialists import asked, held
from tests.protocol.wires import V1, WIRES, call, refusal_in, said, send

OTHER = "https://example.org/extensions/weather/v1"


@pytest.fixture
def plans():
    return ("gather", "alone")


async def test_4_6_1_the_card_declares_it_and_does_not_require_it(http, url):
    card = await A2ACardResolver(http, url).get_agent_card()
    (extension,) = card.capabilities.extensions
    assert (extension.uri, extension.required) == (URI, False)
    assert MessageToDict(extension.params)["plans"] == ["gather", "alone"]


ACTIVATIONS = {
    "header": {"headers": {"A2A-Extensions": URI}},
    "header with others": {"headers": {"a2a-extensions": f"{OTHER}, {URI}"}},
    "message.extensions": {"message": {"extensions": [URI]}},
    "message.metadata": {"message": {"metadata": {URI: {}}}},
    "metadata": {"request": {"metadata": {URI: {}}}},
}


@pytest.mark.parametrize("streaming", [False, True], ids=["send", "stream"])
@pytest.mark.parametrize("wire", WIRES)
async def test_an_activated_extension_is_named_in_the_answer(http, wire, streaming):
    answered = {}
    for name, how in ACTIVATIONS.items():
        request = {"message": said(wire, **how.get("message", {})), **how.get("request", {})}
        answer = await send(http, wire, request, streaming=streaming, headers=how.get("headers"))
        answered[name] = answer.headers.get_list("A2A-Extensions")
    assert answered == {name: [URI] for name in ACTIVATIONS}


@pytest.mark.parametrize("wire", ["JSONRPC 0.3", "HTTP+JSON 0.3"])
async def test_0_3s_name_of_the_header_activates_as_well_and_is_answered_with_the_same(http, wire):
    answer = await send(http, wire, headers={"X-A2A-Extensions": URI})
    assert answer.headers.get_list("X-A2A-Extensions") == [URI]
    assert "A2A-Extensions" not in answer.headers


@pytest.mark.parametrize("wire", WIRES)
async def test_an_extension_nobody_activated_is_not_named(http, wire):
    for headers in ({}, {"A2A-Extensions": OTHER}):
        answer = await send(http, wire, headers=headers)
        assert answer.status_code == 200
        assert "A2A-Extensions" not in answer.headers


async def test_4_6_3_an_unknown_version_of_it_is_ignored(http, fleet):
    newer = URI.removesuffix("v1") + "v2"
    request = {"message": said(metadata={newer: {"plan": "alone"}}, extensions=[newer])}
    answer = await send(http, request=request)
    assert "A2A-Extensions" not in answer.headers
    assert asked(fleet) == [1, 1, 0]


async def test_a_refusal_names_the_activated_extension_too(http):
    request = {"message": said(metadata={URI: {"plan": "nonsense"}})}
    for wire in ("JSONRPC 1.0", "HTTP+JSON 1.0"):
        answer = await send(http, wire, request)
        assert refusal_in(answer).fields
        assert answer.headers["A2A-Extensions"] == URI


async def test_reading_with_the_header_names_it_too(http):
    headers = {"A2A-Extensions": URI}
    assert (await call(http, "ListTasks", {}, headers=headers)).headers["A2A-Extensions"] == URI
    assert (await http.get("/tasks", headers=V1 | headers)).headers["A2A-Extensions"] == URI


@pytest.mark.parametrize("wire", WIRES)
async def test_the_parameter_chooses_the_plan(http, fleet, wire):
    await send(http, wire, {"message": said(wire, metadata={URI: {"plan": "alone"}})})
    assert asked(fleet) == [0, 0, 1]


async def test_limits_of_the_client_narrow_those_of_the_plan(client, fleet):
    metadata = {URI: {"limits": {"concurrency": 1, "deadline": "2s"}}}
    with held(fleet):
        task = await client.send(metadata=metadata)
    assert task.status.state == a2a.TASK_STATE_FAILED
    assert "deadline of 2 s" in task.status.message.parts[0].text
    assert fleet.counts.tasks == 1

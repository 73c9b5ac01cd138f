"""Which version of the protocol a request speaks, and what our card says of it."""

import pytest
from a2a.client import A2ACardResolver

from tests.protocol.wires import V1, WIRES, call, refusal_in, result_of, rpc, said, send


@pytest.mark.parametrize("version", ["2.0", "0.2", "nonsense"])
async def test_3_6_2_a_version_we_do_not_speak_is_refused(http, fleet, version):
    headers = {"A2A-Version": version}
    over_rpc = refusal_in(await call(http, "SendMessage", {"message": said()}, headers=headers))
    over_rest = refusal_in(await send(http, "HTTP+JSON 1.0", headers=headers))
    assert (over_rpc.code, over_rpc.reason) == (-32009, "VERSION_NOT_SUPPORTED")
    assert (over_rest.status, over_rest.reason) == (400, "VERSION_NOT_SUPPORTED")
    assert not fleet.counts.sends


async def test_3_6_2_a_request_without_a_version_is_one_of_0_3(http):
    body = rpc("SendMessage", {"message": said()})
    assert refusal_in(await http.post("/", json=body)).reason == "VERSION_NOT_SUPPORTED"
    assert refusal_in(await http.get("/tasks")).reason == "VERSION_NOT_SUPPORTED"
    assert result_of(await send(http, "JSONRPC 0.3"))["kind"] == "task"


async def test_3_6_1_the_version_may_be_a_parameter_of_the_url(http):
    over_rpc = await http.post("/?A2A-Version=1.0", json=rpc("SendMessage", {"message": said()}))
    over_rest = await http.post("/message:send?A2A-Version=1.0", json={"message": said()})
    listed = await http.get("/tasks?A2A-Version=1.0&pageSize=1")
    assert result_of(over_rpc)["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert result_of(over_rest)["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert (len(result_of(listed)["tasks"]), listed.json()["totalSize"]) == (1, 2)


async def test_3_6_1_the_header_counts_more_than_the_parameter(http):
    answer = await http.get("/tasks?A2A-Version=1.0", headers={"A2A-Version": "2.0"})
    assert refusal_in(answer).reason == "VERSION_NOT_SUPPORTED"


async def test_3_6_1_an_unsupported_version_in_the_url_is_refused(http):
    assert refusal_in(await http.get("/tasks?A2A-Version=3.0")).reason == "VERSION_NOT_SUPPORTED"


async def test_3_6_a_patch_number_makes_no_difference(http):
    assert result_of(await http.get("/tasks", headers={"A2A-Version": "1.0.1"}))["totalSize"] == 0


@pytest.mark.parametrize("wire", WIRES)
async def test_3_6_2_every_binding_and_version_sends(http, wire):
    answer = await send(http, wire)
    assert answer.status_code == 200
    assert answer.json().get("error") is None
    assert "the answer of ada" in answer.text


@pytest.mark.parametrize("wire", WIRES)
async def test_3_6_2_every_binding_and_version_streams(http, wire):
    answer = await send(http, wire, streaming=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "the answer of ada" in answer.text


async def test_8_2_the_card_names_every_interface_1_0_first(http, url):
    card = await A2ACardResolver(http, url).get_agent_card()
    told = [(each.protocol_version, each.protocol_binding, each.url) for each in card.supported_interfaces]
    assert told == [
        ("1.0", "JSONRPC", f"{url}/"),
        ("1.0", "HTTP+JSON", url),
        ("0.3", "JSONRPC", f"{url}/"),
        ("0.3", "HTTP+JSON", url),
    ]


async def test_8_2_the_card_is_one_for_clients_of_0_3_as_well(http, url):
    card = (await http.get("/.well-known/agent-card.json")).json()
    assert (card["protocolVersion"], card["preferredTransport"], card["url"]) == ("0.3", "JSONRPC", f"{url}/")
    assert {"transport": "HTTP+JSON", "url": url} in card["additionalInterfaces"]


async def test_8_2_the_card_promises_what_there_is(http, url):
    card = await A2ACardResolver(http, url).get_agent_card()
    assert card.capabilities.streaming
    assert card.capabilities.push_notifications
    assert (await A2ACardResolver(http, f"{url}/gather").get_agent_card()).capabilities.push_notifications
    assert not card.capabilities.extended_agent_card
    assert [skill.id for skill in card.skills] == ["gather"]
    assert not card.security_schemes


async def test_11_rest_answers_carry_the_media_type_of_the_protocol(http):
    answer = await http.get("/tasks", headers=V1)
    assert answer.headers["content-type"] in {"application/a2a+json", "application/json"}

"""What never reaches a task: bodies that are too large, broken, or meant for nobody."""

import pytest

from tests.protocol.clients import bare_http
from tests.protocol.wires import V1, call, refusal_in, result_of, rpc, said, send

LIMIT = 64 * 1024

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def http(start):
    async with bare_http(base_url=await start(max_body=LIMIT)) as bare:
        yield bare


def large(wire, size=2 * LIMIT):
    return {"message": said(wire, parts=[{"text": "x" * size}])}


@pytest.mark.parametrize("streaming", [False, True], ids=["send", "stream"])
@pytest.mark.parametrize("wire", ["JSONRPC 1.0", "HTTP+JSON 1.0", "JSONRPC 0.3", "HTTP+JSON 0.3"])
async def test_a_body_above_the_limit_is_refused_by_its_declared_length(http, fleet, wire, streaming):
    answer = await send(http, wire, large(wire), streaming=streaming)
    assert answer.status_code == 413
    assert f"larger than {LIMIT} bytes" in answer.json()["error"]["message"]
    assert not fleet.counts.sends


@pytest.mark.parametrize(
    "path", ["/", "/message:send", "/message:stream", "/v1/message:send", "/v1/message:stream", "/gather"]
)
async def test_a_body_above_the_limit_is_refused_when_it_declares_no_length(http, fleet, path):
    async def chunks():
        yield b'{"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": "'
        for _ in range(20):
            yield b"x" * 8192
        yield b'"}}'

    headers = {"A2A-Version": "0.3" if path.startswith("/v1") else "1.0", **JSON}
    answer = await http.post(path, content=chunks(), headers=headers)
    assert answer.status_code == 413
    assert f"larger than {LIMIT} bytes" in answer.json()["error"]["message"]
    assert not fleet.counts.sends


async def test_a_server_goes_on_after_it_refused_a_body(http):
    await send(http, request=large("JSONRPC 1.0"))
    assert result_of(await send(http))["task"]["status"]["state"] == "TASK_STATE_COMPLETED"


async def test_a_body_just_below_the_limit_is_read(http):
    request = large("JSONRPC 1.0", LIMIT - 1000)
    assert result_of(await send(http, request=request))["task"]["status"]["state"] == "TASK_STATE_COMPLETED"


@pytest.mark.parametrize("method", ["Nonsense", "tasks/list", "sendMessage", "agent/card"])
async def test_9_5_an_unknown_method_is_not_found(http, method):
    refusal = refusal_in(await call(http, method, {}))
    assert refusal.code == -32601


async def test_9_5_broken_json_is_a_parse_error(http):
    answer = await http.post("/", content=b'{"jsonrpc": "2.0", ', headers=V1 | JSON)
    assert refusal_in(answer).code == -32700
    assert answer.json()["id"] is None


@pytest.mark.parametrize(
    "body",
    [
        [rpc("ListTasks", {})],
        rpc("ListTasks", {}) | {"jsonrpc": "1.0"},
        {"id": 7, "method": "ListTasks", "params": {}},
        {"jsonrpc": "2.0", "id": 7, "params": {}},
        rpc("ListTasks", "all of them"),
        "ListTasks",
    ],
    ids=["a batch", "another version", "no version", "no method", "no structure", "a string"],
)
async def test_9_5_what_is_no_request_is_invalid(http, body):
    assert refusal_in(await http.post("/", json=body, headers=V1)).code == -32600


@pytest.mark.parametrize("params", [{"message": "hello"}, {"message": {"parts": 3}}, ["hello"]], ids=str)
async def test_9_5_params_of_another_shape_are_invalid(http, fleet, params):
    assert refusal_in(await call(http, "SendMessage", params)).code == -32602
    assert not fleet.counts.sends


async def test_9_5_an_answer_carries_the_id_of_its_request(http):
    for number in (7, "seven"):
        answer = await http.post("/", json=rpc("ListTasks", {}) | {"id": number}, headers=V1)
        assert answer.json()["id"] == number


@pytest.mark.parametrize("path", ["/message:send", "/message:stream", "/v1/message:send", "/v1/message:stream"])
async def test_11_6_broken_json_is_a_bad_request(http, path):
    headers = {"A2A-Version": "0.3" if path.startswith("/v1") else "1.0", **JSON}
    answer = await http.post(path, content=b'{"message": ', headers=headers)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_11_6_an_unknown_path_is_not_found(http):
    assert (await http.get("/nonsense/at/all", headers=V1)).status_code == 404
    assert (await http.post("/tasks/x:explode", headers=V1)).status_code in {404, 405}
    assert (await http.delete("/tasks/x", headers=V1)).status_code in {404, 405}


async def test_11_6_a_query_that_does_not_parse_is_a_bad_request(http):
    for query in ("pageSize=many", "statusTimestampAfter=yesterday", "historyLength=all"):
        assert (await http.get(f"/tasks?{query}", headers=V1)).status_code == 400


async def test_health_and_readiness_are_plain_answers(http):
    assert (await http.get("/healthz")).text == "ok\n"
    assert (await http.get("/readyz")).text == "ready\n"


@pytest.mark.parametrize("declared", [{}, {"Content-Type": "text/plain;charset=UTF-8"}], ids=["nothing", "text"])
@pytest.mark.parametrize("path", ["/", "/message:send", "/gather"])
async def test_a_body_that_does_not_say_it_is_json_is_refused_since_any_web_page_could_send_it(
    http, fleet, path, declared
):
    answer = await http.post(path, content=b'{"jsonrpc": "2.0"}', headers=V1 | declared)
    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["error"]["message"]
    assert not fleet.counts.sends

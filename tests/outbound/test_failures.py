"""What an error means: definite or ambiguous, of which kind, and when to come back."""

import json

import aiohttp
import httpx
import pytest
from a2a.types import a2a_pb2 as a2a
from aiohttp.client_reqrep import ConnectionKey

from coordinator.core.commands import Send
from coordinator.core.model import NOWHERE, AgentRef, FailureKind
from coordinator.outbound import AgentCalls, Patience
from coordinator.outbound.envelope import Envelope
from coordinator.outbound.failures import PEER_ERRORS, CallFailed, trouble
from coordinator.outbound.outgoing import Outgoing

AGENT = AgentRef("a", "http://agent.example/", streaming=False)
STREAMING = AgentRef("a", "http://agent.example/")


STATUSES = [
    (400, FailureKind.REFUSED, False),
    (401, FailureKind.REFUSED, False),
    (403, FailureKind.REFUSED, False),
    (404, FailureKind.REFUSED, False),
    (413, FailureKind.REFUSED, False),
    (429, FailureKind.OVERLOADED, False),
    (503, FailureKind.OVERLOADED, False),
    (500, FailureKind.IN_DOUBT, True),
    (502, FailureKind.IN_DOUBT, True),
    (504, FailureKind.IN_DOUBT, True),
]


@pytest.mark.parametrize("sender", [AGENT, STREAMING], ids=["unary", "stream"])
@pytest.mark.parametrize(("status", "kind", "is_ambiguous"), STATUSES)
async def test_each_http_status_has_one_meaning(respx_mock, sender, status, kind, is_ambiguous):
    route = respx_mock.post("http://agent.example/")
    found = await sent_through(respx_mock, route, sender, return_value=httpx.Response(status))
    assert (found.failure.kind, found.is_ambiguous) == (kind, is_ambiguous)
    assert str(status) in found.failure.message


def outgoing(agent, message_id):
    command = Send(id="a", branch="s/it", attempt=1, agent=agent, message_id=message_id, since=0.0, parts=())
    return Outgoing(command, [a2a.Part(text="hello")], Envelope(NOWHERE))


async def sent_through(router, route, sender, **answer):
    route.mock(**answer)
    async with httpx.AsyncClient(transport=httpx.MockTransport(router.async_handler)) as http:
        with pytest.raises(CallFailed) as failed:
            async for _ in AgentCalls(http, Patience()).send(sender, outgoing(sender, "m")):
                pass
    return failed.value.trouble


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT", "Date": "Wed, 21 Oct 2015 07:28:30 GMT"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2055 07:28:00 GMT", "Date": "Wed, 21 Oct 2015 07:28:30 GMT"}, 3600.0),
        ({"Retry-After": "3601"}, 3600.0),
        ({"Retry-After": "9" * 400}, 3600.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 -0000", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 +9999", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"Retry-After": b"\xb2"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
async def test_retry_after_is_read_as_seconds_or_as_a_date(respx_mock, headers, seconds):
    route = respx_mock.post("http://agent.example/")
    found = await sent_through(respx_mock, route, AGENT, return_value=httpx.Response(429, headers=headers))
    assert found.failure.retry_after_s == seconds


def rpc_error(code, message="no"):
    return httpx.Response(200, json={"jsonrpc": "2.0", "id": "1", "error": {"code": code, "message": message}})


@pytest.mark.parametrize("code", [-32603, -32602], ids=["internal", "refused"])
async def test_a_failure_holds_so_many_words_of_a_specialist_and_no_more(respx_mock, code):
    route = respx_mock.post("http://agent.example/")
    found = await sent_through(respx_mock, route, AGENT, return_value=rpc_error(code, "x" * 5000))
    assert len(found.failure.message) == 2000


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (rpc_error(-32602), FailureKind.REFUSED),
        (rpc_error(-32005), FailureKind.REFUSED),
        (rpc_error(-32603), FailureKind.FAILED),
        (rpc_error(-32001), FailureKind.LOST),
        (rpc_error(-31999), FailureKind.MALFORMED),
        (httpx.Response(200, text="<html>"), FailureKind.MALFORMED),
        (httpx.Response(200, json=["a list"]), FailureKind.MALFORMED),
        (httpx.Response(200, json={"jsonrpc": "2.0", "id": "1"}), FailureKind.MALFORMED),
        (httpx.Response(200, json={"jsonrpc": "2.0", "id": "1", "result": {}}), FailureKind.MALFORMED),
        (httpx.Response(200, json={"jsonrpc": "2.0", "id": "1", "result": {"task": 7}}), FailureKind.MALFORMED),
        (httpx.Response(200, json={"jsonrpc": "2.0", "id": "1", "result": 7}), FailureKind.MALFORMED),
        (httpx.Response(200, content=b"\xff\xfe"), FailureKind.MALFORMED),
    ],
)
async def test_a_complete_answer_is_never_ambiguous(respx_mock, answer, kind):
    route = respx_mock.post("http://agent.example/")
    found = await sent_through(respx_mock, route, AGENT, return_value=answer)
    assert (found.failure.kind, found.is_ambiguous) == (kind, False)


KEY = ConnectionKey("agent.example", 80, False, True, None, None, None)


def caused(outer, inner):
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "kind", "is_ambiguous"),
    [
        (httpx.ConnectError("refused"), FailureKind.UNREACHABLE, False),
        (
            caused(httpx.ConnectTimeout("x"), aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(111, "no"))),
            FailureKind.UNREACHABLE,
            False,
        ),
        (caused(httpx.ConnectTimeout("x"), aiohttp.ServerDisconnectedError()), FailureKind.IN_DOUBT, True),
        (caused(httpx.TimeoutException("x"), aiohttp.ConnectionTimeoutError("slow")), FailureKind.UNREACHABLE, False),
        (httpx.ReadTimeout("slow"), FailureKind.IN_DOUBT, True),
        (httpx.ReadError("reset"), FailureKind.IN_DOUBT, True),
        (httpx.RemoteProtocolError("half an answer"), FailureKind.IN_DOUBT, True),
        (aiohttp.ClientPayloadError("cut"), FailureKind.IN_DOUBT, True),
        (ConnectionResetError("reset"), FailureKind.IN_DOUBT, True),
        (httpx.UnsupportedProtocol("gopher"), FailureKind.REFUSED, False),
        (KeyError("result"), FailureKind.MALFORMED, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_a_broken_connection_is_ambiguous_and_one_never_made_is_not(error, kind, is_ambiguous):
    assert isinstance(error, PEER_ERRORS)
    found = trouble(error)
    assert (found.failure.kind, found.is_ambiguous) == (kind, is_ambiguous)
    assert found.failure.message


async def test_a_refused_connection_names_host_port_and_reason(unused_tcp_port):
    from coordinator.outbound import shared_http_client

    nobody = AgentRef("a", f"http://127.0.0.1:{unused_tcp_port}/")
    async with shared_http_client(5) as http:
        with pytest.raises(CallFailed) as failed:
            async for _ in AgentCalls(http, Patience()).send(nobody, outgoing(nobody, "m")):
                pass
    failure = failed.value.trouble.failure
    assert failure.kind is FailureKind.UNREACHABLE
    assert failure.message == f"no connection: 127.0.0.1:{unused_tcp_port}: Connection refused"


async def test_a_request_carries_what_the_agent_is_meant_to_see(respx_mock):
    route = respx_mock.post("http://agent.example/").mock(return_value=httpx.Response(503))
    knows_us = AgentRef("a", "http://agent.example/", streaming=False, understands_us=True)
    async with httpx.AsyncClient(transport=httpx.MockTransport(respx_mock.async_handler)) as http:
        calls = AgentCalls(http, Patience(), token_of={"a": "secret"}.get)
        with pytest.raises(CallFailed):
            async for _ in calls.send(knows_us, outgoing(knows_us, "m-1")):
                pass
    request = route.calls.last.request
    params = json.loads(request.content)["params"]
    assert params["message"]["messageId"] == "m-1"
    assert params["configuration"] == {"historyLength": 0, "returnImmediately": True}
    assert request.headers["authorization"] == "Bearer secret"
    assert "fan-out/v1" in request.headers["a2a-extensions"]
    assert request.headers["idempotency-key"] == "m-1"


async def test_other_agents_see_neither_token_nor_extension(respx_mock):
    route = respx_mock.post("http://agent.example/").mock(return_value=httpx.Response(503))
    async with httpx.AsyncClient(transport=httpx.MockTransport(respx_mock.async_handler)) as http:
        with pytest.raises(CallFailed):
            async for _ in AgentCalls(http, Patience(), token_of={"b": "secret"}.get).send(AGENT, outgoing(AGENT, "m")):
                pass
    headers = route.calls.last.request.headers
    assert "authorization" not in headers
    assert "a2a-extensions" not in headers


@pytest.mark.parametrize(
    ("reason", "status", "kind", "is_unsupported"),
    [
        ("TASK_NOT_FOUND", 404, FailureKind.LOST, False),
        ("UNSUPPORTED_OPERATION", 400, FailureKind.REFUSED, True),
        ("INVALID_PARAMS", 400, FailureKind.REFUSED, False),
        ("", 404, FailureKind.REFUSED, True),
    ],
)
async def test_an_error_of_the_protocol_says_more_than_the_status_it_comes_with(
    respx_mock, reason, status, kind, is_unsupported
):
    rest = AgentRef("a", "http://agent.example", binding="HTTP+JSON")
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "a2a-protocol.org"}
    body = {"error": {"code": status, "status": "X", "message": "no", "details": [info]}}
    route = respx_mock.post("http://agent.example/message:stream")
    found = await sent_through(respx_mock, route, rest, return_value=httpx.Response(status, json=body))
    assert (found.failure.kind, found.is_unsupported, found.is_ambiguous) == (kind, is_unsupported, False)


async def test_an_agent_that_always_names_a_next_page_is_not_asked_for_ever(respx_mock):
    page = {"tasks": [], "nextPageToken": "more", "pageSize": 100, "totalSize": 1}
    route = respx_mock.post("http://agent.example/")
    route.mock(return_value=httpx.Response(200, json={"jsonrpc": "2.0", "id": "1", "result": page}))
    async with httpx.AsyncClient(transport=httpx.MockTransport(respx_mock.async_handler)) as http:
        assert await AgentCalls(http, Patience()).look_up(AGENT, "m", since=1_000.0) is None
    assert route.call_count == 200, "a hundred pages for each of the two queries"

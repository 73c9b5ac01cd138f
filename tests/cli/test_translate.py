"""Every way a coordinator can fail to answer becomes one line, and only some are worth asking again."""

from __future__ import annotations

import httpx
import pytest
from a2a.types import a2a_pb2 as a2a

from coordinator.cli.client import Connection, Target
from coordinator.cli.exits import Lost, NoAnswer, Stop, UnknownTask, Unsupported

SERVER = "http://coordinator.example"
CARD = {
    "name": "c",
    "supportedInterfaces": [{"url": f"{SERVER}/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
    "capabilities": {"streaming": True},
}


def answering(answer, card=CARD):
    """A connection whose card is fine and whose every other request is met by *answer*."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("agent-card.json"):
            return httpx.Response(200, json=card)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Connection(Target(SERVER), httpx.AsyncClient(transport=httpx.MockTransport(respond)))


def rpc_error(code, message="words"):
    return httpx.Response(200, json={"jsonrpc": "2.0", "id": "1", "error": {"code": code, "message": message}})


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (httpx.ConnectError("refused"), NoAnswer, "No coordinator answers at http://coordinator.example; start one"),
        (httpx.ConnectTimeout("slow"), NoAnswer, "No coordinator answers"),
        (httpx.ReadTimeout("slow"), Lost, "does not answer in time"),
        (httpx.RemoteProtocolError("cut"), Lost, "the connection to http://coordinator.example broke: cut"),
        (httpx.ReadError(""), Lost, "broke: ReadError"),
        (httpx.Response(502), Lost, "answered with HTTP 502|refused: HTTP 502"),
        (httpx.Response(503), NoAnswer, "has too much to do now"),
        (httpx.Response(401), Stop, "asks for a token"),
        (httpx.Response(403), Stop, "does not allow this"),
        (httpx.Response(404), Stop, "is no coordinator"),
        (httpx.Response(413), Stop, "takes no request of this size"),
        (httpx.Response(400, json={"error": {"message": "said so"}}), Stop, "refused: said so"),
        (httpx.Response(500, text="oops"), Stop, "refused: HTTP 500"),
        (httpx.Response(200, text="<html>"), Stop, "not understood"),
        (httpx.Response(200, json=["odd"]), Stop, "not understood"),
        (httpx.Response(200, json={"jsonrpc": "2.0", "id": "1", "result": {"id": 7}}), Stop, "does not speak A2A"),
        (rpc_error(-32001), UnknownTask, "knows no such task"),
        (rpc_error(-32004), Unsupported, "words"),
        (rpc_error(-32601), Unsupported, "words"),
        (rpc_error(-32602, "plan: there is none"), Stop, "refused: plan: there is none"),
        (rpc_error(-32603), Lost, "could not do it: words"),
        (rpc_error(-1), Stop, "not understood"),
    ],
)
async def test_a_failure_is_told_by_its_kind(answer, kind, words):
    with pytest.raises(Stop, match=words) as stop:
        await answering(answer).task("t")
    assert type(stop.value) is kind


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"name": "c"}, "offers no usable interface"),
        (CARD | {"supportedInterfaces": [{"url": "x", "protocolBinding": "GRPC"}]}, "offers no usable interface"),
        (["odd"], "not understood"),
    ],
)
async def test_a_card_without_a_way_in_is_told(card, words):
    with pytest.raises(Stop, match=words):
        await answering(httpx.Response(200), card).task("t")


async def test_a_server_without_streams_says_so():
    with pytest.raises(Unsupported, match="does not stream"):
        await anext(answering(httpx.Response(200), CARD | {"capabilities": {}}).subscribe("t"))


async def test_a_large_request_that_is_cut_off_was_perhaps_too_large():
    part = a2a.Part(raw=b"x" * 1_500_000)
    request = a2a.SendMessageRequest(message=a2a.Message(message_id="m", role=a2a.ROLE_USER, parts=[part]))
    with pytest.raises(Lost, match=r"perhaps it takes no request of 2\.0 MB"):
        await answering(httpx.WriteError("")).hand_over(request)


async def test_what_the_helpers_answer_must_be_json():
    with pytest.raises(Stop, match="does not speak A2A"):
        await answering(httpx.Response(200, text="<html>")).agents()

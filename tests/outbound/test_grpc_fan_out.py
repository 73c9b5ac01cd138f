"""One coordinator in front of a JSON-RPC, a REST and a gRPC agent: every binding counts the same."""

import json
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest
from a2a.server.routes import create_rest_routes
from a2a.types import a2a_pb2 as a2a
from starlette.applications import Starlette

from coordinator import testing
from coordinator.app import assembled
from coordinator.config import Settings
from coordinator.outbound import Patience
from coordinator.testing import Behaviour, Script, Specialist, answers
from coordinator.testing.server import listener, serving
from tests.outbound.grpc_agents import Bridge, behind_grpc
from tests.protocol.certificates import Authority
from tests.protocol.clients import bare_http, calling, message, texts
from tests.protocol.grpc_clients import calling_over, serving_grpc
from tests.protocol.plans import PLANS
from tests.protocol.specialists import NAMES, answer_of, busy, canceled, hold, staff, waiting

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def network():
    async with testing.fleet(staff()) as running:
        yield running


@asynccontextmanager
async def behind_rest(agent):
    """Serve *agent* over REST; yields its URL."""
    with listener() as opened:
        async with bare_http() as http, serving(Starlette(routes=create_rest_routes(Bridge(agent, http))), opened):
            yield f"http://127.0.0.1:{opened.getsockname()[1]}"


@asynccontextmanager
async def coordinating(network, tmp_path, *, credentials=None, scheme="", entry=None):
    """Serve a coordinator that knows ada by JSON-RPC, bob by REST and eve by gRPC."""
    async with AsyncExitStack() as stack:
        rest = await stack.enter_async_context(behind_rest(network["bob"]))
        at_grpc, strikes = await stack.enter_async_context(behind_grpc(network["eve"], credentials))
        interfaces = {
            "ada": ("JSONRPC", network["ada"].url),
            "bob": ("HTTP+JSON", rest),
            "eve": ("GRPC", f"{scheme}{at_grpc}"),
        }
        (tmp_path / "cards").mkdir()
        for name, (binding, url) in interfaces.items():
            interface = {"protocolBinding": binding, "protocolVersion": "1.0", "url": url}
            card = {**network[name].card(), "supportedInterfaces": [interface]}
            (tmp_path / "cards" / f"{name}.json").write_text(json.dumps(card), encoding="utf-8")
        (tmp_path / "strict.yaml").write_text(PLANS["strict"], encoding="utf-8")
        opened = stack.enter_context(listener())
        settings = Settings(
            port=opened.getsockname()[1],
            db="memory",
            plans=(str(tmp_path / "strict.yaml"),),
            default_plan="strict",
            agents=tuple({"card": str(tmp_path / "cards" / f"{name}.json")} | (entry or {}) for name in interfaces),
        )
        application = await stack.enter_async_context(assembled(settings, Patience(progress_s=0.0)))
        await stack.enter_async_context(serving(application, opened))
        yield await stack.enter_async_context(calling(settings.url, "JSONRPC")), strikes


async def test_a_fan_out_over_three_bindings_comes_together(network, tmp_path):
    async with coordinating(network, tmp_path) as (client, strikes):
        task = await client.send(headers={"traceparent": TRACE})
        assert texts(task) == [answer_of(name) for name in NAMES]
        ((operation, metadata),) = strikes.received
        assert operation == "SendStreamingMessage"
        assert metadata["traceparent"].split("-")[1] == TRACE.split("-")[1]
        assert metadata["idempotency-key"]


async def test_a_cancel_reaches_the_agents_of_every_binding(network, tmp_path):
    async with coordinating(network, tmp_path) as (client, _):
        hold(network)
        task = await client.send(message(), return_immediately=True)
        await busy(network, *NAMES)
        assert (await client.cancel(task.id)).status.state == a2a.TASK_STATE_CANCELED
        await canceled(network, *NAMES)


@pytest.mark.parametrize(
    ("scheme", "entry", "state"),
    [
        ("https://", {}, "COMPLETED"),
        ("", {"grpc_tls": "on"}, "COMPLETED"),
        ("", {}, "FAILED"),  # plaintext to loopback: nobody said anything of TLS
    ],
    ids=["by URL", "by configuration", "not at all"],
)
async def test_an_agent_with_a_certificate_of_our_own_authority_is_spoken_to(
    network, tmp_path, monkeypatch, scheme, entry, state
):
    authority = Authority(tmp_path)
    pair = authority.issue("localhost")
    credentials = grpc.ssl_server_credentials([(pair.key.read_bytes(), pair.certificate.read_bytes())])
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.root))
    async with coordinating(network, tmp_path, credentials=credentials, scheme=scheme, entry=entry) as (client, _):
        task = await client.send()
        assert a2a.TaskState.Name(task.status.state) == f"TASK_STATE_{state}"
        assert texts(task)[:2] == [answer_of("ada"), answer_of("bob")]


async def test_a_coordinator_behind_a_coordinator_asks_and_is_answered_over_grpc(tmp_path):
    """The inner one is served over gRPC only, and knows ours by its extension."""
    asks = Script((waiting("input_required", "which one?"), Behaviour(artifacts=(answers.text("that one"),))))
    async with testing.fleet([Specialist("eve", asks)]) as network:
        (tmp_path / "alone.yaml").write_text(PLANS["alone"], encoding="utf-8")
        (tmp_path / "outer.yaml").write_text(PLANS["alone"].replace("[eve]", "[inner]"), encoding="utf-8")
        below = {"agents": (str(network.write_cards(tmp_path / "cards")),), "plans": (str(tmp_path / "alone.yaml"),)}
        async with serving_grpc({"db": "memory", "default_plan": "alone", "name": "inner"} | below) as inner:
            file = tmp_path / "inner.json"
            file.write_text(json.dumps(await only_grpc(inner.url)), encoding="utf-8")
            above = {"agents": (str(file),), "plans": (str(tmp_path / "outer.yaml"),)}
            async with (
                serving_grpc({"db": "memory", "default_plan": "alone"} | above) as outer,
                calling_over(outer.url, "GRPC") as client,
            ):
                asked = await client.send(message())
                assert asked.status.state == a2a.TASK_STATE_INPUT_REQUIRED
                assert "which one?" in str(asked.status.message)
                done = await client.send(message("this", task_id=asked.id))
                assert texts(done) == ["that one"]


async def only_grpc(url):
    async with bare_http() as http:
        card = (await http.get(f"{url}/.well-known/agent-card.json")).json()
    interfaces = [it for it in card["supportedInterfaces"] if it["protocolBinding"] == "GRPC"]
    return {**card, "supportedInterfaces": interfaces}

"""The port gRPC is served on: its certificates, what is wrong with them, and a process that has one."""

import asyncio
import json
import signal
import socket
import subprocess
import sys

import grpc
import pytest
from a2a.types import a2a_pb2 as a2a
from a2a.types import a2a_pb2_grpc

from coordinator import app, extras
from coordinator.cli import serving
from coordinator.cli.exits import Stop
from coordinator.config import Settings, load_settings
from coordinator.errors import ConfigurationError
from coordinator.inbound import Stopping
from coordinator.inbound.grpc_port import grpc_port
from coordinator.testing import Behaviour, Specialist, fleet_process
from tests.protocol.certificates import Authority
from tests.protocol.clients import message
from tests.protocol.grpc_clients import channels, serving_grpc

V1 = (("a2a-version", "1.0"),)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority of our own, with a certificate for localhost."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def settings(tmp_path):
    """A coordinator without agents, which answers all the same."""
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "nobody.json").write_text(NOBODY, encoding="utf-8")
    return {"db": "memory", "agents": (str(tmp_path / "cards"),)}


NOBODY = """{"name": "nobody", "description": "d", "version": "1", "skills": [], "capabilities": {},
"defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
"supportedInterfaces": [{"protocolBinding": "JSONRPC", "protocolVersion": "1.0", "url": "http://127.0.0.1:9/"}]}"""


async def listed(target, credentials):
    async with channels(credentials) as opening:
        stub = a2a_pb2_grpc.A2AServiceStub(opening(f"localhost:{target.rpartition(':')[2]}"))
        return await stub.ListTasks(a2a.ListTasksRequest(), metadata=V1, timeout=20)


async def test_with_a_certificate_it_speaks_tls_only(settings, authority):
    server = authority.issue("localhost")
    tls = {"grpc_certificate": server.certificate, "grpc_key": server.key}
    async with serving_grpc(settings | tls) as served:
        assert (await listed(served.target, authority.trusting())).total_size == 0
        for credentials in (None, grpc.ssl_channel_credentials(authority.other_root())):
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await listed(served.target, credentials)
            assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_with_a_client_ca_only_its_clients_may_connect(settings, authority):
    server, client = authority.issue("localhost"), authority.issue("client")
    tls = {"grpc_certificate": server.certificate, "grpc_key": server.key, "grpc_client_ca": authority.root}
    async with serving_grpc(settings | tls) as served:
        assert (await listed(served.target, authority.trusting(client))).total_size == 0
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await listed(served.target, authority.trusting())
        assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE


async def refused(**fields):
    with pytest.raises(ConfigurationError) as refusal:
        async with grpc_port(Settings(grpc_port=fields.pop("grpc_port", 0), **fields), Stopping()):
            pass
    return str(refusal.value)


async def test_files_that_cannot_be_used_are_named_before_anything_starts(authority, tmp_path):
    one, other = authority.issue("localhost"), authority.issue("localhost")
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("nothing", encoding="utf-8")
    missing = tmp_path / "missing.pem"
    right = {"grpc_certificate": one.certificate, "grpc_key": one.key}
    assert "grpc_key: " in await refused(**right | {"grpc_key": missing})
    assert "missing.pem cannot be read: No such file" in await refused(**right | {"grpc_certificate": missing})
    assert "grpc_client_ca: " in await refused(**right, grpc_client_ca=missing)
    locked = authority.lock(one.key)
    for wrong in ({"grpc_key": other.key}, {"grpc_key": garbage}, {"grpc_key": locked}, {"grpc_certificate": garbage}):
        assert (await refused(**right | wrong)).startswith("grpc_certificate, grpc_key: ")
    assert "holds no certificates" in await refused(**right, grpc_client_ca=garbage)


async def test_a_port_that_is_taken_is_told_before_anything_starts():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = await refused(grpc_port=taken.getsockname()[1])
    assert told.startswith("cannot listen on 127.0.0.1:")
    assert "--grpc-port" in told


async def test_a_port_that_grpc_itself_has_taken_is_not_shared():
    async with grpc_port(Settings(grpc_port=0), Stopping()) as first:
        assert "is taken" in await refused(grpc_port=first.port)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"grpc_certificate": "x"}, "belong together"),
        ({"grpc_key": "x"}, "belong together"),
        ({"grpc_client_ca": "x"}, "needs grpc_certificate"),
        ({"grpc_port": 70000}, "grpc_port"),
        ({"grpc_port": 8500, "port": 8500}, "a port of its own"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, told):
    with pytest.raises(ConfigurationError, match=told):
        load_settings(None, fields)


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        ({}, ""),
        ({"grpc_port": 1}, "127.0.0.1:1"),
        ({"grpc_port": 1, "host": "::1"}, "[::1]:1"),
        ({"grpc_port": 1, "grpc_url": "agents.example:443"}, "agents.example:443"),
        ({"grpc_url": "agents.example:443"}, ""),
    ],
)
def test_the_target_clients_use(fields, target):
    assert load_settings(None, fields).grpc_target == target


def test_without_the_extra_a_grpc_port_is_a_problem_that_names_it(monkeypatch):
    monkeypatch.setattr(extras, "speaks_grpc", lambda: False)
    (problem,) = app.check(Settings(grpc_port=0))
    assert "grpc_port" in problem
    assert extras.GRPC_EXTRA in problem
    with pytest.raises(Stop, match="a2a-coordinator"):
        serving.serve(None, {"grpc_port": 0, "port": 0, "db": "memory"})


@pytest.mark.processes
@pytest.mark.timeout(90)
async def test_ctrl_c_ends_streams_over_grpc_with_a_hint_and_the_process_in_time(tmp_path):
    async with fleet_process([Specialist("stuck", Behaviour(never_ends=True))]) as fleet:
        cards = await fleet.write_cards(tmp_path / "cards")
        (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "coordinator.cli",
            *("serve", "--port", "0", "--grpc-port", "0", "--db", str(tmp_path / "c.db"), "--log-format", "json"),
            *("--agents", str(cards), "--plans", str(tmp_path / "plan.yaml"), "--default-plan", "plan"),
            stderr=subprocess.PIPE,
        )
        try:
            target = await said(process, "listening for gRPC")
            async with channels() as opening:
                stub = a2a_pb2_grpc.A2AServiceStub(opening(target))
                stream = stub.SendStreamingMessage(a2a.SendMessageRequest(message=message()), metadata=V1)
                assert (await stream.read()).task.id
                process.send_signal(signal.SIGINT)
                with pytest.raises(grpc.aio.AioRpcError) as end:
                    await ended(stream)
            assert end.value.code() == grpc.StatusCode.UNAVAILABLE
            async with asyncio.timeout(15):
                _, rest = await process.communicate()
            assert (process.returncode, b"Traceback" in rest) == (0, False)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def ended(stream):
    while await stream.read() != grpc.aio.EOF:
        pass


PLAN = """\
name: plan
description: Waits.
stages:
  all:
    fan_out:
      to: {agents: [stuck]}
"""


async def said(process, words):
    """Return the detail of the line in the log of *process* that says *words*."""
    assert process.stderr is not None
    async with asyncio.timeout(30):
        async for line in process.stderr:
            entry = json.loads(line)
            if words in str(entry.values()):
                return entry["detail"]
    raise AssertionError(f"it ended without saying {words!r}")

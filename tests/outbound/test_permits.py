"""Nothing goes out late: a message is held back until it may go, also when it has its connection already."""

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from grpc import ChannelConnectivity

from coordinator.core.model import AgentRef, FailureKind
from coordinator.testing import Behaviour, answers
from tests.outbound.grpc_agents import grpc_rig
from tests.outbound.pursuing import rig

WAYS = pytest.mark.parametrize("streaming", [True, False], ids=["stream", "poll"])


class Gate:
    """Permits so many times, and then not before it is opened."""

    def __init__(self, times):
        self.left = times
        self.held, self.opened = asyncio.Event(), asyncio.Event()

    async def __call__(self):
        self.left -= 1
        if self.left < 0:
            self.held.set()
            await self.opened.wait()


class Tunnel:
    """Carries bytes to a port, and can drop every connection it has."""

    def __init__(self, port):
        self._port, self._ends = port, []

    def cut(self):
        for end in self._ends:
            end.transport.abort()

    async def carry(self, near_in, near_out):
        far_in, far_out = await asyncio.open_connection("127.0.0.1", self._port)
        self._ends += near_out, far_out
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pump(near_in, far_out))
            group.create_task(self._pump(far_in, near_out))

    async def _pump(self, reader, writer):
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()


@asynccontextmanager
async def tunnel_to(it):
    """Lead all calls of *it* through a tunnel."""
    tunnel = Tunnel(int(it.ref.url.rpartition(":")[2]))
    async with await asyncio.start_server(tunnel.carry, "127.0.0.1") as server:
        it.ref = replace(it.ref, url=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        yield tunnel
        server.close()
        tunnel.cut()


async def held_back(it, gate):
    """Send, and see that nothing arrives before the gate is opened."""
    it.calls.permit = gate
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(it.sent())
        await gate.held.wait()
        assert it.agent.counts.sends == 0
        gate.opened.set()
    assert sending.result().texts == ["fine"]


@WAYS
@pytest.mark.parametrize("is_connected", [False, True], ids=["new connection", "kept connection"])
async def test_a_message_that_has_its_connection_is_asked_for_once_more(streaming, is_connected):
    async with rig(Behaviour(artifacts=(answers.text("fine"),)), streaming=streaming) as it:
        if is_connected:
            await it.followed("nobody")
        await held_back(it, Gate(1))
        assert it.agent.counts.sends == 1


async def test_whoever_is_stopped_while_it_is_held_back_has_sent_nothing():
    async with rig(Behaviour(artifacts=(answers.text("fine"),))) as it:
        it.calls.permit = gate = Gate(1)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(it.sent())
            await gate.held.wait()
            sending.cancel()
        assert it.agent.counts.sends == 0


async def test_looks_are_not_held_back():
    async with rig(Behaviour(artifacts=(answers.text("fine"),)), streaming=False) as it:
        # One for the call and one for its connection; whatever is asked later needs none.
        it.calls.permit = gate = Gate(2)
        assert (await it.sent()).texts == ["fine"]
        assert it.agent.counts.gets > 0
        assert not gate.held.is_set()


@WAYS
async def test_over_grpc_a_message_is_asked_for_once_it_has_its_connection(streaming):
    async with grpc_rig(Behaviour(artifacts=(answers.text("fine"),)), streaming=streaming) as it:
        channel = it.calls.channels.to(it.ref)._channel
        states = []

        async def permit():
            states.append(channel.get_state())

        it.calls.permit = permit
        assert (await it.sent()).texts == ["fine"]
        assert states == [ChannelConnectivity.READY]


@WAYS
async def test_over_grpc_a_message_that_is_held_back_does_not_arrive(streaming):
    async with grpc_rig(Behaviour(artifacts=(answers.text("fine"),)), streaming=streaming) as it:
        await held_back(it, Gate(0))


async def test_over_grpc_an_agent_that_accepts_no_connection_is_unreachable_in_time(monkeypatch):
    monkeypatch.setattr("coordinator.outbound.grpc.CONNECT_S", 0.1)
    with socket.socket() as mute:  # it listens, and says nothing: no HTTP/2 connection comes of that
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        async with grpc_rig(Behaviour()) as it:
            it.ref = AgentRef("it", f"127.0.0.1:{mute.getsockname()[1]}", "GRPC")
            it.calls.permit = gate = Gate(0)
            failure = (await it.sent()).failure
            assert failure.kind is FailureKind.UNREACHABLE
            assert it.ref.url in failure.message
            assert not gate.held.is_set()


@WAYS
async def test_over_grpc_a_message_asks_anew_when_its_connection_was_lost_while_it_was_held_back(
    streaming,
):
    async with (
        grpc_rig(Behaviour(artifacts=(answers.text("fine"),)), streaming=streaming) as it,
        tunnel_to(it) as tunnel,
    ):
        channel = it.calls.channels.to(it.ref)._channel
        states = []

        async def permit():
            if not states:
                tunnel.cut()
                await channel.wait_for_state_change(ChannelConnectivity.READY)
            states.append(channel.get_state())

        it.calls.permit = permit
        assert (await it.sent()).texts == ["fine"]
        assert states == [ChannelConnectivity.IDLE, ChannelConnectivity.READY]


async def test_a_grpc_address_that_is_none_is_refused_and_nothing_is_sent():
    async with grpc_rig(Behaviour()) as it:
        it.ref = AgentRef("it", "127.0.0.1:99999", "GRPC")
        failure = (await it.sent()).failure
        assert failure.kind is FailureKind.REFUSED
        assert "Port out of range" in failure.message

"""Nothing goes out late: a message is held back until it may go, also when it has its connection already."""

import asyncio

import pytest

from coordinator.testing import Behaviour, answers
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


@WAYS
@pytest.mark.parametrize("is_connected", [False, True], ids=["new connection", "kept connection"])
async def test_a_message_that_has_its_connection_is_asked_for_once_more(streaming, is_connected):
    async with rig(Behaviour(artifacts=(answers.text("fine"),)), streaming=streaming) as it:
        if is_connected:
            await it.followed("nobody")
        it.calls.permit = gate = Gate(1)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(it.sent())
            await gate.held.wait()
            assert it.agent.counts.sends == 0
            gate.opened.set()
        assert sending.result().texts == ["fine"]
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

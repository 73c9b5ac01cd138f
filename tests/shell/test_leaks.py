"""The check for leaks finds them: a task that runs on, a socket that stays open, work nobody has canceled."""

import asyncio
import socket

import pytest

from coordinator import testing
from coordinator.testing import Behaviour, Specialist
from tests import leaks
from tests.testing.caller import Caller


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(leaks, "PATIENCE_S", 0.05)


async def test_a_task_that_runs_on_is_a_leak():
    async with asyncio.TaskGroup() as group:
        with pytest.raises(AssertionError, match="forgotten"):
            async with leaks.nothing_left():
                left = group.create_task(asyncio.sleep(60), name="forgotten")
        left.cancel()


async def test_a_socket_that_stays_open_is_a_leak():
    with pytest.raises(AssertionError, match="still there"):
        async with leaks.nothing_left():
            left = socket.socket()
    left.close()


async def test_work_at_a_specialist_nobody_has_canceled_is_a_leak(http):
    async with testing.fleet([Specialist("it", Behaviour(never_ends=True))]) as fleet:
        caller = await Caller.of(fleet["it"], http)
        with pytest.raises(AssertionError, match="open=1"):
            async with leaks.settled(fleet):
                await caller.task(at_once=True)
        async with leaks.settled(fleet, open_tasks=1):
            pass


@pytest.fixture
async def http():
    from coordinator.outbound import shared_http_client

    async with shared_http_client(5.0) as client:
        yield client

"""One agent behind a socket, and a client of it."""

from contextlib import AsyncExitStack

import pytest

from coordinator.outbound import shared_http_client
from coordinator.testing import Specialist, fleet
from tests.testing.caller import Caller


@pytest.fixture
async def http():
    async with shared_http_client(10.0) as client:
        yield client


@pytest.fixture
async def serve(http):
    """Return a function that serves one agent with a script: the agent, and a caller of it."""
    async with AsyncExitStack() as stack:

        async def start(script, **more):
            network = await stack.enter_async_context(fleet([Specialist("one", script, **more)]))
            return network, network["one"], await Caller.of(network["one"], http)

        yield start

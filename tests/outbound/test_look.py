"""A look at a parked task that cannot be read says so, and changes nothing."""

from coordinator.cli.story import told
from coordinator.core.commands import Look
from coordinator.core.model import AgentRef, RemoteTask
from coordinator.journal import system_time
from coordinator.outbound import AgentCalls, look, shared_http_client
from tests.outbound.pursuing import QUICK


async def test_a_task_that_cannot_be_read_is_told_as_such(unused_tcp_port):
    nobody = AgentRef("it", f"http://127.0.0.1:{unused_tcp_port}/")
    command = Look(id="a", branch="s/it", attempt=1, agent=nobody, remote=RemoteTask("t", "c"), mark="m@1")
    facts = []
    async with shared_http_client(QUICK.request_s) as http:
        await look(AgentCalls(http, QUICK), command, emit=facts.append, now=system_time)
    (fact,) = facts
    assert "Connection refused" in fact.event.detail
    assert told(fact.event).startswith("looked at, but not read: no connection")

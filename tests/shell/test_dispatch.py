"""The hands of one turn: what goes wrong in them becomes a fact, or nothing, and never the end of the turn."""

import asyncio

from coordinator.core.commands import Merge, Send
from coordinator.core.events import MergeFailed
from coordinator.core.model import AgentRef, Artifact, MergeSpec, Outcome, PartRef, Settled
from coordinator.dispatch import Dispatch
from coordinator.journal import MemoryJournal, system_time
from coordinator.outbound import AgentCalls, Allowance, shared_http_client


class Spoilt(MemoryJournal):
    """A journal whose payloads are no parts."""

    async def payloads(self, digests):
        return dict.fromkeys(digests, b"\xff")


async def test_parts_that_cannot_be_read_fail_their_merge_and_not_the_turn():
    facts = []
    artifact = Artifact("a", (PartRef("digest", 1),))
    outcome = Outcome("s/it", "it", Settled.SUCCEEDED, artifacts=(artifact,))
    merge = Merge(id="m", stage="s", spec=MergeSpec("concat", {}), outcomes=(outcome,))
    async with shared_http_client(1.0) as http, asyncio.TaskGroup() as group:
        dispatch = Dispatch(group, AgentCalls(http), Spoilt(), facts.append, system_time, Allowance(1))
        dispatch.perform([merge])
    (fact,) = facts
    assert isinstance(fact.event, MergeFailed)


async def test_an_attempt_that_unwinds_after_the_one_in_its_place_has_ended_harms_nothing(monkeypatch):
    first, second, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def pursued(*_, **__):
        if first.is_set():
            second.set()
            return
        first.set()
        try:
            await asyncio.Event().wait()
        finally:
            await go_on.wait()

    monkeypatch.setattr("coordinator.dispatch.pursue", pursued)
    send = Send(
        id="a",
        branch="s/it",
        attempt=1,
        agent=AgentRef("it", "http://it.example/"),
        message_id="m",
        since=0.0,
        parts=(),
    )
    async with shared_http_client(1.0) as http, asyncio.timeout(10), asyncio.TaskGroup() as group:
        dispatch = Dispatch(group, AgentCalls(http), MemoryJournal(), [].append, system_time, Allowance(1))
        dispatch.perform([send])
        await first.wait()
        dispatch.perform([send])
        await second.wait()
        go_on.set()

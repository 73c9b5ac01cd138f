"""The hands of one turn: what goes wrong in them becomes a fact, or nothing, and never the end of the turn."""

import asyncio

from coordinator.core.commands import Merge
from coordinator.core.events import MergeFailed
from coordinator.core.model import Artifact, MergeSpec, Outcome, PartRef, Settled
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

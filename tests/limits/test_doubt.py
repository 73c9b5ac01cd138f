"""Sends that may have gone out before a restart, while they wait for a place or are refused one."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

from a2a.types import a2a_pb2 as a2a

from coordinator.core.commands import Cancel
from coordinator.core.events import AttemptFailed, CancelSettled
from coordinator.core.model import Failure, FailureKind
from coordinator.dispatch import Dispatch
from coordinator.journal import MemoryJournal, system_time
from coordinator.outbound import Allowance, Caps, Places
from coordinator.testing import Behaviour
from coordinator.wire import parts_in
from tests.outbound.pursuing import rig

HELLO, BODIES = parts_in([a2a.Part(text="hello")])


class Written(MemoryJournal):
    """A journal that has the parts of one message."""

    async def payloads(self, digests):
        return {payload.digest: payload.body for payload in BODIES}


@asynccontextmanager
async def after_a_crash(**caps):
    """Yield what sees a task at work of which no journal knows, and the hands of the turn that comes after."""
    async with rig(Behaviour(never_ends=True)) as one, asyncio.TaskGroup() as group:
        lost = group.create_task(one.sent())
        await one.fleet.until(lambda: one.fleet.counts.open == 1)
        lost.cancel()
        one.calls.places = Places(Caps(**caps))
        one.facts = []
        yield (
            one,
            Dispatch(
                group, one.calls, MemoryJournal(), one.facts.append, system_time, Allowance(one.calls.bounds.results)
            ),
        )


def cancel_of(send):
    return Cancel(
        id="c", branch=send.branch, attempt=1, agent=send.agent, message_id="m-1", since=send.since, remote=None
    )


def told(one, kind):
    return [fact.event for fact in one.facts if isinstance(fact.event, kind)]


async def test_one_that_is_canceled_while_it_waits_is_looked_up_and_its_task_canceled():
    async with after_a_crash(process=1) as (one, dispatch):
        somebody = one.calls.places.occupy("somebody")
        send = one.send()
        dispatch.perform([send], in_doubt=True)
        await asyncio.sleep(0)
        assert one.calls.places.waiting == 1
        dispatch.perform([cancel_of(send)])
        await one.fleet.until(lambda: not one.fleet.counts.open)
        somebody.leave()
    (settled,) = told(one, CancelSettled)
    assert settled.result == "confirmed"
    assert (one.calls.places.in_use, one.calls.places.waiting) == (0, 0)


async def test_one_that_a_circuit_refuses_leaves_a_task_to_be_canceled():
    async with after_a_crash(failures=1) as (one, dispatch):
        place = await one.calls.places.enter("it")
        failure = Failure(FailureKind.UNREACHABLE, "no")
        place.note(AttemptFailed(at=0.0, branch="b", attempt=1, failure=failure))
        place.leave()
        dispatch.perform([one.send()], in_doubt=True)
    (failed,) = told(one, AttemptFailed)
    assert (failed.failure.kind, failed.is_open) == (FailureKind.CIRCUIT_OPEN, True)
    dispatch.let_go()
    assert one.calls.places.in_use == 0


async def test_an_attempt_that_fails_while_its_task_may_go_on_keeps_its_place_until_that_is_canceled():
    facts = []
    async with rig(Behaviour(oversized=100_000)) as one:
        one.calls.bounds = replace(one.calls.bounds, artifact=10_000)
        async with asyncio.TaskGroup() as group:
            dispatch = Dispatch(
                group, one.calls, Written(), facts.append, system_time, Allowance(one.calls.bounds.results)
            )
            dispatch.perform([replace(one.send(), parts=HELLO)])
        (failed,) = [fact.event for fact in facts if isinstance(fact.event, AttemptFailed)]
        assert (failed.failure.kind, failed.is_open, one.calls.places.in_use) == (FailureKind.TOO_LARGE, True, 1)
        async with asyncio.TaskGroup() as group:
            dispatch.group = group
            dispatch.perform([cancel_of(one.send())])
        assert one.calls.places.in_use == 0

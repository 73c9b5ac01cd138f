"""Turns of either driver, on a journal whose clock the test holds: timers, claims that count, journals that mislead."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pytest

from coordinator import testing
from coordinator.core.events import Merged, StageExpanded
from coordinator.core.model import AgentRef, Need, Payload, Retry, SubTask
from coordinator.drivers.dbos import DbosDriver, executor_name
from coordinator.drivers.local import LocalDriver
from coordinator.drivers.turns import Turns
from coordinator.engine import Engine
from coordinator.journal import HeadChange, Journal, MemoryJournal, NewTask, Record, Scope, SqlJournal, Status
from coordinator.journal.codec import encode
from coordinator.outbound import AgentCalls, Patience, shared_http_client
from coordinator.testing import Behaviour, Specialist
from coordinator.wire import content_out, parts_in
from tests.core.building import accepted, planned
from tests.planning.making import text

TASK = "task"
BUSY = (Behaviour(http_error=503, retry_after=600), Behaviour())
PATIENT = Retry(attempts=2, backoff_min_s=1, backoff_max_s=2)


@dataclass
class Clock:
    """The time, as the database has it."""

    now: float = 1_000_000.0

    def __call__(self):
        return self.now


@dataclass
class Rig:
    """One coordination with one specialist."""

    journal: Journal
    engine: Engine
    clock: Clock
    fleet: testing.Fleet
    driver: Turns

    @property
    async def head(self):
        return await self.journal.head(TASK)

    async def until(self, status):
        async with self.journal.subscribe(TASK) as hints, asyncio.timeout(10):
            while (await self.head).status is not status:
                await hints.wait(1.0)

    async def types(self):
        return [entry.record.type for entry in await self.journal.read(TASK)]

    async def write(self, *records):
        """Append what some earlier process may have written."""
        claim = await self.journal.claim(TASK, "earlier")
        await self.journal.append(claim, records, HeadChange("submitted", Status.DUE, self.clock.now))

    @asynccontextmanager
    async def driving(self):
        async with asyncio.TaskGroup() as group:
            driving = group.create_task(self.driver.run())
            try:
                yield
            finally:
                driving.cancel()


@asynccontextmanager
async def locally(clock, calls, **engine):
    journal = MemoryJournal(now=clock)
    yield LocalDriver(Engine(journal, calls, "here", **engine), journal, sweep_s=0.01)


@asynccontextmanager
async def as_a_replica(url, clock, calls, **engine):
    journal = await SqlJournal.open(url, now=clock)
    driver = DbosDriver(
        Engine(journal, calls, executor_name("here"), **engine), journal, sweep_s=0.01, url=url, heed=journal.heed
    )
    async with driver.opened():
        yield driver
    await journal.close()


@pytest.fixture(params=["local", "dbos"])
def rig(request):
    """Returns what makes a rig; everything that is asked of a driver is asked of each."""
    if request.param == "local":
        return partial(rigged, locally)
    return partial(rigged, partial(as_a_replica, request.getfixturevalue("postgres_url")))


@asynccontextmanager
async def rigged(made, script, **engine):
    async with testing.fleet([Specialist("it", script)]) as fleet, shared_http_client(5.0) as http:
        clock = Clock()
        async with made(clock, AgentCalls(http, Patience()), **engine) as driver:
            refs, payloads = parts_in([content_out(text("hello"))])
            agent = AgentRef("it", fleet["it"].url, streaming=True)
            stage = planned(SubTask("it", agent, parts=refs), retry=PATIENT, need=Need("all"))
            fact = accepted(stage)
            new = NewTask(TASK, fact.context_id, Scope(""), "plan", "submitted", clock.now)
            await driver.journal.accept(new, encode(fact), payloads=[*payloads, *_message(fact)])
            yield Rig(driver.journal, driver.engine, clock, fleet, driver)


def _message(fact):
    return [Payload(ref.digest, b"") for ref in fact.message.parts]


async def test_a_parked_coordination_is_woken_when_its_time_has_come(rig):
    async with rig(BUSY) as it, it.driving():
        await it.until(Status.IDLE)
        assert it.fleet["it"].counts.sends == 1
        it.clock.now += 599
        assert await it.journal.due(it.clock.now) == ()
        it.clock.now += 2
        await it.until(Status.CLOSED)
        head = await it.head
        assert (head.state, head.epoch) == ("TASK_STATE_COMPLETED", 2)  # however often it was looked at meanwhile
        assert it.fleet["it"].counts.sends == 2


async def test_a_parked_coordination_may_be_woken_for_nothing_any_number_of_times():
    async with rigged(locally, BUSY) as it, it.driving():
        await it.until(Status.IDLE)
        for turns in range(1, 9):
            async with it.journal.subscribe(TASK) as hints, asyncio.timeout(10):
                while (await it.head).epoch < turns or it.driver.load().running:
                    await hints.wait(0.01)
            it.driver.wake(TASK)
        await it.driver.release()
        head = await it.head
        assert (head.status, head.idle_claims) == (Status.IDLE, 0)


async def test_a_turn_that_has_lived_long_enough_is_not_what_ends_the_process(rig):
    async with rig(Behaviour(never_ends=True), proven_s=0.1) as it:
        for _ in range(3):
            await it.journal.claim(TASK, "one that died")
        async with it.driving():
            await it.fleet.until(lambda: it.fleet["it"].counts.tasks)
            async with it.journal.subscribe(TASK) as hints, asyncio.timeout(10):
                while (await it.head).idle_claims:
                    await hints.wait(1.0)


async def test_what_a_specialist_says_again_after_a_restart_is_no_progress(rig):
    async with rig(Behaviour(never_ends=True)) as it:
        for _ in range(2):
            async with it.driving():
                seen = len(await it.types())
                async with it.journal.subscribe(TASK) as hints, asyncio.timeout(10):
                    while "Progressed" not in (await it.types())[seen:]:
                        await hints.wait(1.0)
        assert (await it.head).idle_claims == 1
        assert (await it.types()).count("TaskOpened") == 1


async def test_a_journal_that_cannot_be_replayed_fails_the_task_after_five_claims(rig):
    wrong = encode(StageExpanded(at=1.0, stage="nowhere", sub_tasks=()))
    lost = encode(Merged(at=1.0, stage="nowhere", artifacts=()))
    async with rig(Behaviour()) as it:
        await it.write(wrong, lost)
        async with it.driving():
            await it.until(Status.CLOSED)
        head = await it.head
        assert (head.state, head.epoch) == ("TASK_STATE_FAILED", 7)
        assert b"given up after 5 attempts" in await it.journal.final(TASK)


async def test_a_journal_of_a_newer_program_is_left_alone_for_as_long_as_it_takes():
    async with rigged(locally, Behaviour()) as it:
        await it.write(Record("FromTheFuture", 1, "{}"))
        async with it.driving(), it.journal.subscribe(TASK) as hints, asyncio.timeout(10):
            while (await it.head).epoch < 10:
                await hints.wait(1.0)
        head = await it.head
        assert (head.state, head.status) == ("submitted", Status.DUE)
        assert head.idle_claims <= 1
        assert it.fleet["it"].counts.sends == 0


async def test_a_journal_of_a_newer_program_is_nobodys_after_one_look(rig):
    async with rig(Behaviour()) as it:
        await it.write(Record("FromTheFuture", 1, "{}"))
        async with it.driving(), it.journal.subscribe(TASK) as hints, asyncio.timeout(10):
            while (await it.head).epoch < 3:
                await hints.wait(1.0)
        head = await it.head
        assert (head.driver, head.status) == ("", Status.DUE)


async def test_nothing_is_sent_before_it_is_known_that_the_turn_is_still_ours(rig):
    async with rig(Behaviour()) as it:
        asked, permitted = asyncio.Event(), asyncio.Event()

        async def permit():
            asked.set()
            await permitted.wait()

        it.engine.calls.permit = permit
        async with it.driving():
            await asked.wait()
            assert it.fleet["it"].counts.sends == 0
            permitted.set()
            await it.until(Status.CLOSED)
        assert it.fleet["it"].counts.sends == 1


@pytest.mark.parametrize("script", [Behaviour(never_ends=True)])
async def test_a_released_turn_leaves_its_task_where_it_is(rig, script):
    async with rig(script) as it, it.driving():
        await it.fleet.until(lambda: it.fleet["it"].counts.tasks)
        await it.driver.release()
        assert it.engine.live == {}
        head = await it.head
        assert (head.status, head.idle_claims) == (Status.DUE, 0)
        assert (it.fleet["it"].counts.cancels, it.fleet["it"].counts.open) == (0, 1)


async def test_a_turn_that_is_released_during_a_commit_forgives_its_claim_all_the_same():
    async with rigged(locally, Behaviour(never_ends=True)) as it:
        inner = it.journal.append

        async def append(*about, **more):
            claim = await inner(*about, **more)
            it.engine.release()
            return claim

        it.journal.append = append
        async with it.driving(), it.journal.subscribe(TASK) as hints, asyncio.timeout(10):
            while not (await it.head).epoch or it.driver.load().running:
                await hints.wait(0.01)
        assert ((await it.head).epoch, (await it.head).idle_claims) == (1, 0)
        assert it.fleet["it"].counts.sends == 0

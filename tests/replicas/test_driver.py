"""One replica in this process, and what others did or do in the same database."""

import asyncio
from contextlib import asynccontextmanager

import psycopg
import pytest

from coordinator import testing
from coordinator.core.events import CancelRequested
from coordinator.core.model import AgentRef, Need, Payload, SubTask
from coordinator.drivers.dbos import DbosDriver, executor_name
from coordinator.drivers.dbos.guard import Guard
from coordinator.engine import Engine
from coordinator.journal import NewTask, Scope, SqlJournal, Status
from coordinator.journal.codec import encode
from coordinator.outbound import AgentCalls, Patience, shared_http_client
from coordinator.testing import Behaviour, Specialist
from coordinator.wire import content_out, parts_in
from tests.core.building import accepted, planned
from tests.planning.making import text
from tests.replicas.test_guard import held

pytestmark = pytest.mark.timeout(60)

OTHER = "other:1:abc"
STUCK = Behaviour(never_ends=True)


class Rig:
    """A driver, the journal it shares, and a second connection to that as another replica has it."""

    def __init__(self, url, driver, elsewhere, fleet):
        self.url, self.driver, self.journal, self.elsewhere, self.fleet = url, driver, driver.journal, elsewhere, fleet

    async def accept(self, task_id, by=None):
        refs, payloads = parts_in([content_out(text("hello"))])
        agent = AgentRef("it", self.fleet["it"].url, streaming=True)
        fact = accepted(planned(SubTask("it", agent, parts=refs), need=Need("all")))
        now = await self.journal.now()
        new = NewTask(task_id, fact.context_id, Scope(""), "plan", "submitted", now)
        bodies = [*payloads, *(Payload(ref.digest, b"") for ref in fact.message.parts)]
        await (by or self.elsewhere).accept(new, encode(fact), payloads=bodies)

    async def head(self, task_id):
        return await self.journal.head(task_id)

    async def until(self, task_id, condition):
        async with self.journal.subscribe(task_id) as hints, asyncio.timeout(10):
            while not condition(head := await self.journal.head(task_id)):
                await hints.wait(0.05)
        return head

    async def sweeps(self, times=3):
        """Wait until the driver has looked around so many times."""
        for _ in range(times):
            self.driver.swept.clear()
            await self.driver.swept.wait()

    @asynccontextmanager
    async def driving(self):
        async with asyncio.TaskGroup() as group:
            driving = group.create_task(self.driver.run())
            yield
            driving.cancel()


class Watched(DbosDriver):
    """Tells when it has looked around."""

    swept: asyncio.Event

    async def _due(self):
        due = await DbosDriver._due(self)
        self.swept.set()
        return due


@pytest.fixture
async def rig(postgres_url):
    async with testing.fleet([Specialist("it", STUCK)]) as fleet, shared_http_client(5.0) as http:
        journal, elsewhere = await SqlJournal.open(postgres_url), await SqlJournal.open(postgres_url)
        engine = Engine(journal, AgentCalls(http, Patience()), executor_name("here"))
        driver = Watched(engine, journal, sweep_s=0.05, url=postgres_url, heed=journal.heed)
        driver.swept = asyncio.Event()
        async with driver.opened():
            yield Rig(postgres_url, driver, elsewhere, fleet)
        await elsewhere.close()
        await journal.close()


async def test_what_a_living_replica_drives_is_left_alone_until_that_dies(rig):
    await rig.accept("t")
    async with held(Guard(rig.url, OTHER)):
        await rig.elsewhere.claim("t", OTHER)
        async with rig.driving():
            await rig.sweeps()
            head = await rig.head("t")
            assert (head.epoch, head.driver) == (1, OTHER)
    async with rig.driving():
        head = await rig.until("t", lambda head: head.epoch > 1)
        assert (head.epoch, head.driver) == (2, rig.driver.executor)


async def test_what_was_accepted_elsewhere_and_waits_there_is_begun_where_there_is_room(rig):
    await rig.accept("t")
    async with held(Guard(rig.url, OTHER)), rig.driving():
        await rig.until("t", lambda head: head.driver == rig.driver.executor)


async def test_a_task_that_waits_here_and_was_begun_elsewhere_waits_here_no_more(rig):
    rig.driver.most_running = 0
    async with held(Guard(rig.url, OTHER)), rig.driving():
        await rig.accept("t", by=rig.journal)
        rig.driver.admit("t")
        await rig.sweeps()
        assert rig.driver.is_waiting("t")
        await rig.elsewhere.claim("t", OTHER)
        async with asyncio.timeout(10):
            while rig.driver.is_waiting("t"):
                await rig.sweeps(1)


async def test_a_message_put_elsewhere_reaches_the_turn_that_lives_here(rig):
    async with rig.driving():
        await rig.accept("t", by=rig.journal)
        rig.driver.admit("t")
        await rig.fleet.until(lambda: rig.fleet["it"].counts.tasks)
        await rig.elsewhere.put("t", encode(CancelRequested(at=await rig.journal.now())))
        head = await rig.until("t", lambda head: head.status is Status.CLOSED)
        assert (head.epoch, head.state) == (1, "TASK_STATE_CANCELED")


async def test_a_turn_whose_claim_was_taken_writes_nothing_more_and_the_driver_lives_on(rig):
    async with rig.driving():
        await rig.accept("t", by=rig.journal)
        rig.driver.admit("t")
        await rig.fleet.until(lambda: rig.fleet["it"].counts.tasks)
        async with held(Guard(rig.url, OTHER)):
            stolen = await rig.elsewhere.claim("t", OTHER)
            await rig.elsewhere.put("t", encode(CancelRequested(at=await rig.journal.now())))
            async with asyncio.timeout(10):
                while rig.driver.load().running:
                    await rig.sweeps(1)
            assert (await rig.head("t")).epoch == stolen.epoch
            assert [entry.seq for entry in await rig.journal.read("t", stolen.seq)] == []
        # And when that replica is gone, this one takes it up again.
        await rig.until("t", lambda head: head.status is Status.CLOSED)


async def test_a_turn_that_was_lost_while_the_guard_was_away_ends_when_it_is_back(rig):
    async with rig.driving():
        for task_id in ("lost", "kept"):
            await rig.accept(task_id, by=rig.journal)
            rig.driver.admit(task_id)
        await rig.fleet.until(lambda: rig.fleet["it"].counts.tasks == 2)
        async with held(Guard(rig.url, OTHER)):
            await rig.elsewhere.claim("lost", OTHER)
            await rig.driver._return()
            async with asyncio.timeout(10):
                while "lost" in rig.driver._turns:
                    await rig.sweeps(1)
            assert "kept" in rig.driver._turns
            assert ((await rig.head("kept")).epoch, (await rig.head("lost")).epoch) == (1, 2)


async def test_a_claim_of_ours_that_came_late_is_driven_here_and_not_left_to_whom_it_was_taken_from(rig):
    """Taken for dead while it stood still in its claim, this process claims what another one drives by now."""
    async with held(Guard(rig.url, OTHER)), rig.driving():
        await rig.accept("t", by=rig.journal)
        rig.driver.admit("t")
        await rig.fleet.until(lambda: rig.fleet["it"].counts.tasks)
        async with asyncio.timeout(10):
            while OTHER not in rig.driver.guard.alive:
                await rig.sweeps(1)
        async with await psycopg.AsyncConnection.connect(rig.url, autocommit=True) as connection:
            await connection.execute("UPDATE coordinator_dbos.workflow_status SET executor_id = %s", [OTHER])
        rig.driver._hosted["t"].task.cancel()
        head = await rig.until("t", lambda head: head.epoch > 1)
        assert head.driver == rig.driver.executor


async def test_a_driver_that_let_go_takes_up_nothing_any_more(rig):
    async with rig.driving():
        await rig.driver.release()
        await rig.accept("t", by=rig.journal)
        rig.driver.wake("t")
        async with held(witness := Guard(rig.url, OTHER)):
            assert rig.driver.executor not in witness.alive
        assert (await rig.head("t")).epoch == 0
        assert rig.driver.why_not_ready() != ""


async def test_turns_that_came_to_their_end_are_forgotten_by_and_by(rig):
    async with rig.driving():
        await rig.accept("t", by=rig.journal)
        await rig.journal.put("t", encode(CancelRequested(at=await rig.journal.now())))
        rig.driver.admit("t")
        await rig.until("t", lambda head: head.status is Status.CLOSED)
        async with asyncio.timeout(10):
            while rig.driver.load().running:
                await rig.sweeps(1)
        flights = rig.driver._workflows
        assert await flights.in_flight() == []
        await flights.forget("2000-01-01T00:00:00+00:00")
        assert not await flights.start("t:1", "t", 1)  # it is known to have been
        async with asyncio.timeout(10):
            while not await flights.start("t:1", "t", 1):
                await flights.forget("2999-01-01T00:00:00+00:00")

"""One replica in this process, and what others did or do in the same database."""

import asyncio
import threading
from contextlib import asynccontextmanager

import psycopg
import pytest

from coordinator import testing
from coordinator.core.events import CancelRequested, TurnStarted
from coordinator.core.model import AgentRef, Need, Payload, SubTask
from coordinator.drivers.dbos import DbosDriver, executor_name
from coordinator.drivers.dbos.guard import Guard
from coordinator.drivers.dbos.workflows import QUEUE, Workflows
from coordinator.engine import Engine
from coordinator.errors import JournalUnavailable
from coordinator.journal import HeadChange, NewTask, Scope, SqlJournal, Status
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


async def dbos(rig, statement, *about):
    """Say something to the tables of DBOS, or ask them."""
    async with await psycopg.AsyncConnection.connect(rig.url, autocommit=True) as connection:
        await connection.execute("SET search_path TO coordinator_dbos")
        cursor = await connection.execute(statement, about)
        return await cursor.fetchall() if cursor.description else []


async def belongs_to(rig, executor):
    """Say that every turn was given to *executor*."""
    await dbos(rig, "UPDATE workflow_status SET executor_id = %s", executor)


async def parked_by(rig, executor, *, wake_in=3600.0):
    """Accept a task and park it, as *executor* does, whose turn DBOS knows as over."""
    await rig.accept("t")
    await parked_again_by(rig, executor, wake_in=wake_in)
    await rig.driver._workflows.start("t:1:0", "t", 1)
    await dbos(rig, "UPDATE workflow_status SET executor_id = %s, status = 'SUCCESS'", executor)


async def parked_again_by(rig, executor, *, wake_in):
    claim = await rig.elsewhere.claim("t", executor)
    now = await rig.journal.now()
    change = HeadChange("TASK_STATE_INPUT_REQUIRED", Status.IDLE, now, now + wake_in)
    await rig.elsewhere.append(claim, [encode(TurnStarted(at=now, epoch=claim.epoch))], change)


async def at_rest(rig):
    """Wait until nothing runs here."""
    async with asyncio.timeout(10):
        while rig.driver.load().running:
            await rig.sweeps(1)


async def all_noted(rig):
    """Wait until DBOS knows of every turn that it is over."""
    async with asyncio.timeout(10):
        while await rig.driver._workflows.in_flight():
            await rig.sweeps(1)


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
            await belongs_to(rig, OTHER)
            stolen = await rig.elsewhere.claim("t", OTHER)
            await rig.elsewhere.put("t", encode(CancelRequested(at=await rig.journal.now())))
            await at_rest(rig)
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


class Gated:
    """A journal at which claims stand still until they are let through."""

    def __init__(self, inner):
        self.inner, self.is_at_gate, self.gate = inner, asyncio.Event(), asyncio.Event()

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def claim(self, task_id, driver, **options):
        self.is_at_gate.set()
        await self.gate.wait()
        return await self.inner.claim(task_id, driver, **options)


@pytest.mark.parametrize("is_given", [False, True], ids=["started here", "given to us"])
async def test_a_claim_that_comes_late_takes_nothing_from_whoever_has_the_turn_by_now(rig, is_given):
    """Taken for dead while it stood still in its claim, a process claims what another one drives."""
    async with held(Guard(rig.url, OTHER)):
        async with rig.driving():
            await rig.accept("t", by=rig.journal)
            if is_given:
                await rig.driver._workflows.start("t:1:0", "t", 1)
                await belongs_to(rig, "dead:1:abc")
                await rig.elsewhere.claim("t", "dead:1:abc")
            before = (await rig.head("t")).epoch
            rig.driver.engine.journal = gated = Gated(rig.journal)
            rig.driver.admit("t")
            await gated.is_at_gate.wait()
            await belongs_to(rig, OTHER)
            await rig.elsewhere.claim("t", OTHER)
            gated.gate.set()
            await at_rest(rig)
        head = await rig.head("t")
        assert (head.epoch, head.driver) == (before + 1, OTHER)


async def test_a_turn_of_ours_goes_on_when_a_late_claim_of_another_came_before_our_own(rig):
    async with held(Guard(rig.url, OTHER)), rig.driving():
        await rig.accept("t", by=rig.journal)
        rig.driver.engine.journal = gated = Gated(rig.journal)
        rig.driver.admit("t")
        await gated.is_at_gate.wait()
        await rig.elsewhere.claim("t", OTHER)
        gated.gate.set()
        head = await rig.until("t", lambda head: head.driver == rig.driver.executor)
        assert head.epoch == 2
        await rig.fleet.until(lambda: rig.fleet["it"].counts.tasks)


@pytest.mark.parametrize("has_claimed", [False, True], ids=["about to claim", "before its first commit"])
async def test_a_timer_that_went_off_starts_one_turn_only_on_all_replicas(rig, has_claimed):
    """Each finds it in its own time; until its first commit a turn does not show in what is due."""
    async with held(Guard(rig.url, OTHER)):
        await parked_by(rig, OTHER, wake_in=-1)
        await rig.driver._workflows.start("t:1:1", "t", 1)
        await belongs_to(rig, OTHER)
        if has_claimed:
            await rig.elsewhere.claim("t", OTHER)
        async with rig.driving():
            await rig.sweeps()
            rig.driver.wake("t")
            await at_rest(rig)
        assert (await rig.head("t")).driver == OTHER
        assert await dbos(rig, "SELECT workflow_uuid FROM workflow_status ORDER BY 1") == [("t:1:0",), ("t:1:1",)]


async def test_a_timer_that_went_off_is_found_when_whoever_parked_the_task_is_not_there(rig):
    await parked_by(rig, "dead:1:abc", wake_in=-1)
    async with rig.driving():
        await rig.until("t", lambda head: head.driver == rig.driver.executor)


class Away:
    """A journal whose database is away at the first claim: before it is made, or when its answer is on its way."""

    def __init__(self, inner, *, is_made):
        self.inner, self.is_made, self.is_away = inner, is_made, True

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def claim(self, task_id, driver, **options):
        is_away, self.is_away = self.is_away, False
        if self.is_made or not is_away:
            claim = await self.inner.claim(task_id, driver, **options)
        if is_away:
            raise JournalUnavailable("it is being restarted")
        return claim


@pytest.mark.parametrize("is_made", [False, True], ids=["not made", "made all the same"])
async def test_a_claim_waits_for_a_database_that_is_away(rig, is_made):
    async with held(Guard(rig.url, OTHER)):
        await parked_by(rig, OTHER)
        rig.driver.engine.journal = Away(rig.journal, is_made=is_made)
        async with rig.driving():
            await rig.journal.put("t", encode(CancelRequested(at=await rig.journal.now())))
            rig.driver.wake("t")
            head = await rig.until("t", lambda head: head.status is Status.CLOSED)
        assert (head.epoch, head.driver) == (2, rig.driver.executor)


async def test_a_turn_of_ours_that_does_not_run_here_is_given_to_whoever_takes_it(rig):
    """DBOS took it from the queue and could not start it; all others see that a living replica has it."""
    async with held(Guard(rig.url, OTHER)):
        await parked_by(rig, OTHER)
        await rig.driver._workflows.start("t:2:1", "t", 2)  # nothing can run yet: it is left as it is
        async with rig.driving():
            await rig.elsewhere.put("t", encode(CancelRequested(at=await rig.journal.now())))
            head = await rig.until("t", lambda head: head.status is Status.CLOSED)
            assert head.driver == rig.driver.executor


async def test_a_turn_that_ended_before_is_not_begun_while_a_later_one_runs_here(rig):
    await parked_by(rig, "dead:1:abc")
    rig.driver.engine.journal = gated = Gated(rig.journal)
    async with rig.driving():
        await rig.journal.put("t", encode(CancelRequested(at=await rig.journal.now())))
        rig.driver.wake("t")
        await gated.is_at_gate.wait()
        assert await rig.driver._host("t:1:0", "t", 1)
        gated.gate.set()
        head = await rig.until("t", lambda head: head.status is Status.CLOSED)
        assert head.epoch == 2


async def driven_by_other(rig):
    """OTHER drives since a timer went off; the workflow of the time before that is forgotten by now."""
    await parked_by(rig, OTHER, wake_in=-1)
    await dbos(rig, "DELETE FROM workflow_status")
    await rig.driver._workflows.start("t:1:1", "t", 1)
    await belongs_to(rig, OTHER)
    claim = await rig.elsewhere.claim("t", OTHER)
    now = await rig.journal.now()
    change = HeadChange("TASK_STATE_WORKING", Status.DUE, now)
    await rig.elsewhere.append(claim, [encode(TurnStarted(at=now, epoch=claim.epoch))], change)


async def test_a_message_takes_no_turn_from_whoever_drives_it_however_long_that_goes_on(rig):
    async with held(Guard(rig.url, OTHER)):
        await driven_by_other(rig)
        async with rig.driving():
            await rig.sweeps()
            rig.driver.wake("t")
            await at_rest(rig)
        head = await rig.head("t")
        assert (head.epoch, head.driver) == (2, OTHER)
        assert await dbos(rig, "SELECT workflow_uuid FROM workflow_status") == [("t:1:1",)]


async def test_of_two_workflows_of_one_turn_the_one_that_drives_is_left_alone(rig):
    """Programs before this one named them differently."""
    async with held(Guard(rig.url, OTHER)):
        await driven_by_other(rig)
        await rig.driver._workflows.start("t:1", "t", 1)
        async with rig.driving(), asyncio.timeout(10):
            while len(await rig.driver._workflows.of_turn("t:1")) > 1:
                await rig.sweeps(1)
        head = await rig.head("t")
        assert (head.epoch, head.driver) == (2, OTHER)


async def test_a_driver_that_lets_go_while_a_turn_is_being_started_comes_to_its_end(rig, monkeypatch):
    start, begun = Workflows.start, asyncio.Event()

    async def starting(self, *about):
        rig.driver.engine.release()
        begun.set()
        return await start(self, *about)

    monkeypatch.setattr(Workflows, "start", starting)
    async with rig.driving(), asyncio.timeout(10):
        await rig.accept("t", by=rig.journal)
        rig.driver.admit("t")
        await begun.wait()
        await rig.driver.release()
    assert (await rig.head("t")).epoch == 0


async def test_a_turn_that_waits_for_its_claim_is_kept_when_the_guard_session_is_back(rig):
    async with rig.driving():
        await rig.accept("t", by=rig.journal)
        rig.driver.engine.journal = gated = Gated(rig.journal)
        rig.driver.admit("t")
        await gated.is_at_gate.wait()
        task = rig.driver._hosted["t"].task
        await rig.driver._return()
        gated.gate.set()
        await rig.fleet.until(lambda: rig.fleet["it"].counts.tasks)
        assert rig.driver._hosted["t"].task is task
        assert (await rig.head("t")).epoch == 1


async def test_a_turn_that_does_not_run_here_is_not_given_away_at_first_sight(rig):
    """It may be about to begin."""

    async def queue():
        [(name,)] = await dbos(rig, "SELECT queue_name FROM workflow_status")
        return name

    await rig.accept("t")
    await rig.driver._workflows.start("t:1:0", "t", 1)
    await rig.driver._give_back()
    assert await queue() is None
    await rig.driver._give_back()
    assert await queue() == QUEUE


async def test_a_turn_that_was_taken_from_the_queue_and_is_another_ones_by_now_is_not_begun(rig):
    """This process stood still between taking it and beginning it."""
    async with held(Guard(rig.url, OTHER)):
        await rig.accept("t")
        await rig.driver._workflows.start("t:1:0", "t", 1)
        await belongs_to(rig, OTHER)
        await rig.elsewhere.claim("t", OTHER)
        async with rig.driving():
            await rig.sweeps()
            assert not await rig.driver._host("t:1:0", "t", 1)
        head = await rig.head("t")
        assert (head.epoch, head.driver) == (1, OTHER)


async def test_a_turn_that_ended_before_takes_nothing_from_whoever_drives_the_next_one(rig):
    """Its end could not be noted, so it is given away."""
    async with held(Guard(rig.url, OTHER)):
        await parked_by(rig, OTHER)
        await rig.elsewhere.put("t", encode(CancelRequested(at=await rig.journal.now())))
        await rig.elsewhere.claim("t", OTHER)
        await dbos(rig, "UPDATE workflow_status SET status = 'PENDING', executor_id = %s", rig.driver.executor)
        async with rig.driving():
            await all_noted(rig)
        head = await rig.head("t")
        assert (head.epoch, head.driver) == (2, OTHER)


async def test_a_driver_that_lets_go_takes_no_more_from_the_queue(rig):
    def listening():
        return [thread for thread in threading.enumerate() if thread.name == f"queue-worker-{QUEUE}"]

    async with rig.driving(), asyncio.timeout(10), asyncio.TaskGroup() as group:
        while not listening():
            await rig.sweeps(1)
        rig.driver._turns.add("t")  # something that takes its time to end
        group.create_task(rig.driver.release())
        while listening():  # noqa: ASYNC110 - a thread, which tells nobody
            await asyncio.sleep(0.01)
        rig.driver._over("t")


async def test_work_in_threads_goes_on_while_a_driver_ends(rig):
    async with rig.driving(), asyncio.TaskGroup() as group:
        await rig.sweeps()
        letting_go = group.create_task(rig.driver.release())
        while not letting_go.done():
            assert await asyncio.to_thread(lambda: "done") == "done"


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
        await all_noted(rig)
        flights = rig.driver._workflows
        await flights.forget("2000-01-01T00:00:00+00:00")
        assert not await flights.start("t:1:0", "t", 1)  # it is known to have been
        async with asyncio.timeout(10):
            while not await flights.start("t:1:0", "t", 1):
                await flights.forget("2999-01-01T00:00:00+00:00")

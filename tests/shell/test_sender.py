"""Who delivers what is owed, when, and how often: tasks of a stored journal, a courier that does as it is told."""

import asyncio
import itertools
import logging
import random
import sqlite3
from contextlib import asynccontextmanager, closing

import pytest

from coordinator.journal import PushConfig, PushCounts, SqlJournal
from coordinator.journal.codec import decode_all
from coordinator.notifying import Sender
from coordinator.notifying.courier import DeliveryFailed
from coordinator.outbound import Patience
from coordinator.projection import Projection, Renderer
from tests.journal.builders import SetClock
from tests.journal.stored.loading import STORED, load

HOOK = PushConfig("c1", "https://one.example/hook")


class Deliveries:
    """Takes every notification, or fails as *failing* says for it."""

    def __init__(self, failing=lambda config, key: None):
        self.failing = failing
        self.tried, self.taken = [], []
        self.slow_hosts = {}  #: events that are waited for before a host answers
        self._changed = asyncio.Event()

    async def deliver(self, config, key, body):
        self.tried.append((config.config_id, key))
        self._changed.set()
        if slow := self.slow_hosts.get(config.origin):
            await slow.wait()
        if failure := self.failing(config, key):
            raise failure
        self.taken.append((config.config_id, key))

    async def until(self, condition):
        while not condition():
            self._changed.clear()
            await self._changed.wait()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "coordinator.db"


@pytest.fixture
def clock():
    clock = SetClock()
    clock.time = 4_000_000_000.0  # later than everything in the stored journal
    return clock


@pytest.fixture
async def tasks(path):
    return list(load(STORED[-1], path))


@pytest.fixture
async def journal(path, tasks, clock):
    journal = await SqlJournal.open(path, now=clock)
    await journal.delete_push(tasks[-1], "down")
    yield journal
    await journal.close()


async def owe(journal, path, task_id, *configs, seq=1, sent=0):
    """Make everything after entry *seq* of a task owed."""
    for config in configs or (HOOK,):
        await journal.set_push(task_id, config, most=10)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE push SET seq = ?, sent = ? WHERE task_id = ?", (seq, sent, task_id))


def sender_on(journal, courier, holder="me", **options):
    projection, renderer = Projection(journal), Renderer(journal)
    known = {"patience": Patience(push_retry_min_s=0.0, push_retry_max_s=0.0), "give_up_s": 3600.0} | options
    return Sender(journal, projection, renderer, courier, holder=holder, **known)


@asynccontextmanager
async def running(*senders):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(sender.run()) for sender in senders]
        yield
        for task in tasks:
            task.cancel()


async def settled(journal):
    """Return once nothing is owed; who waits for hints of writes looks again after each."""
    while (await journal.push_counts()).owed:  # noqa: ASYNC110 - moving a place gives no hint
        await asyncio.sleep(0.01)


async def keys_of(journal, path, tmp_path, task_id):
    """Return the keys of everything there is to tell of a task."""
    courier = Deliveries()
    await owe(journal, path, task_id, PushConfig("probe", "https://probe.example/"))
    async with running(sender_on(journal, courier)):
        await settled(journal)
    await journal.delete_push(task_id, "probe")
    return [key for _, key in courier.taken]


async def test_two_senders_share_the_work_and_tell_everything_once(journal, path, tasks):
    configs = [PushConfig(f"c{number}", f"https://host{number}.example/") for number in range(3)]
    closed = [task_id for task_id in tasks if await journal.final(task_id)][:6]
    for task_id in closed:
        await owe(journal, path, task_id, *configs)
    courier = Deliveries()
    async with running(sender_on(journal, courier, "one"), sender_on(journal, courier, "two")):
        await settled(journal)
    assert len(courier.tried) == len(set(courier.tried)) > 3 * 6
    told = {config.config_id: [key for name, key in courier.taken if name == config.config_id] for config in configs}
    assert sorted(told["c0"]) == sorted(told["c1"]) == sorted(told["c2"])
    assert {key.rpartition("-")[0].rpartition("-")[0] for key in told["c0"]} == set(closed)


async def test_one_host_with_more_than_there_is_room_for_leaves_room_for_others(journal, path, tasks):
    closed = sorted([task_id for task_id in tasks if await journal.final(task_id)])
    slow = [PushConfig(f"c{number}", "https://slow.example/") for number in range(5)]
    for task_id in closed[:-1]:
        await owe(journal, path, task_id, *slow)
    await owe(journal, path, closed[-1], PushConfig("z", "https://last.example/"))
    assert "z" not in {owed.config.config_id for owed in await journal.owed(limit=40)}
    courier = Deliveries()
    courier.slow_hosts["slow.example"] = asyncio.Event()
    async with running(sender_on(journal, courier)):
        await courier.until(lambda: [name for name, _ in courier.taken] and slow_ones(courier) >= 4)
        assert slow_ones(courier) == 4
    assert {name for name, _ in courier.taken} == {"z"}


def slow_ones(courier):
    return sum(name != "z" for name, _ in courier.tried)


async def test_a_sender_goes_on_in_the_middle_of_what_one_entry_brought(journal, path, tmp_path, tasks):
    keys = await keys_of(journal, path, tmp_path, tasks[0])
    last = [key for key in keys if key.startswith(keys[-1].rpartition("-")[0] + "-")]
    assert len(last) == 2  # the artifact and the end came with one fact
    before = max((int(key.split("-")[-2]) for key in keys if key not in last), default=1)
    await owe(journal, path, tasks[0], seq=before, sent=1)
    courier = Deliveries()
    async with running(sender_on(journal, courier)):
        await settled(journal)
    assert [key for _, key in courier.taken] == last[1:]


async def test_what_was_told_of_one_change_takes_nothing_from_the_next(journal, path, tmp_path, tasks):
    keys = await keys_of(journal, path, tmp_path, tasks[0])
    first = [key for key in keys if key.split("-")[-2] == keys[0].split("-")[-2]]
    await owe(journal, path, tasks[0], seq=1, sent=7)
    courier = Deliveries()
    async with running(sender_on(journal, courier)):
        await settled(journal)
    assert [key for _, key in courier.taken] == keys[len(first) :] != []


async def test_a_dead_senders_lease_passes_on_when_it_runs_out(journal, path, tasks, clock):
    await owe(journal, path, tasks[0])
    [owed] = await journal.owed(limit=10)
    assert await journal.lease_push(owed, "dead", 30.0)
    await owe(journal, path, tasks[1], PushConfig("other", "https://other.example/"))
    courier = Deliveries()
    sender = sender_on(journal, courier)
    async with running(sender):
        await courier.until(lambda: courier.taken)
        assert {name for name, _ in courier.tried} == {"other"}
        clock.time += 30.0
        sender._stir.hint()
        await settled(journal)
    assert {name for name, _ in courier.taken} == {"c1", "other"}


async def test_what_fails_for_too_long_is_given_up_and_goes_on_once_it_is_set_anew(journal, path, tasks, clock, caplog):
    await owe(journal, path, tasks[0])
    courier = Deliveries(lambda config, key: DeliveryFailed("HTTP 500"))
    sender = sender_on(journal, courier, give_up_s=3600.0)
    async with running(sender):
        await courier.until(lambda: len(courier.tried) > 3)
        assert (await journal.push_counts()) == PushCounts(owed=1)
        clock.time += 3600.0
        sender._stir.hint()
        await settled(journal)
        assert (await journal.push_counts()) == PushCounts(given_up=1)
        assert len(set(courier.tried)) == 1  # nothing else was tried before the first was taken
        first = courier.tried[0]
        courier.failing = lambda config, key: None
        await journal.set_push(tasks[0], HOOK, most=10)
        await settled(journal)
    assert courier.taken[0] == first
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "a webhook does not take what is pushed",
        "gave up pushing to a webhook",
    ]


async def test_a_task_that_cannot_be_read_does_not_keep_others_from_being_told(journal, path, tasks):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE journal SET version = 99 WHERE task_id = ? AND seq = 1", (tasks[0],))
    await owe(journal, path, tasks[0])
    await owe(journal, path, tasks[1])
    courier = Deliveries()
    async with running(sender_on(journal, courier, patience=Patience())):
        await courier.until(lambda: courier.taken)
        while (await journal.push_counts()).owed > 1:  # noqa: ASYNC110 - moving a place gives no hint
            await asyncio.sleep(0.01)
    assert {key.startswith(tasks[1]) for _, key in courier.taken} == {True}


async def test_what_cannot_be_written_as_asked_keeps_nobody_else_from_being_told(journal, path, tasks, monkeypatch):
    def refusing(_task):
        raise ValueError("no such thing in version 0.3")

    monkeypatch.setattr("coordinator.notifying.payloads.to_compat_task", refusing)
    await owe(journal, path, tasks[0], PushConfig("old", "https://old.example/", version="0.3"), HOOK)
    courier = Deliveries()
    async with running(sender_on(journal, courier, patience=Patience())):
        while (await journal.push_counts()).owed > 1:  # noqa: ASYNC110 - moving a place gives no hint
            await asyncio.sleep(0.01)
    assert {name for name, _ in courier.tried} == {"c1"}


@pytest.mark.parametrize(
    ("failures", "failure", "least", "most"),
    [
        (0, DeliveryFailed("x"), 0.5, 1.0),
        (1, DeliveryFailed("x"), 1.0, 2.0),
        (5, DeliveryFailed("x"), 16.0, 32.0),
        (6, DeliveryFailed("x"), 30.0, 60.0),
        (10_000, DeliveryFailed("x"), 30.0, 60.0),
        (0, DeliveryFailed("x", is_definite=True), 30.0, 60.0),
        (0, DeliveryFailed("x", retry_after_s=7.0), 7.0, 7.0),
        (9, DeliveryFailed("x", retry_after_s=7.0), 30.0, 60.0),
    ],
)
def test_a_failed_delivery_waits_longer_each_time_and_as_long_as_it_was_told(failures, failure, least, most):
    waits = [
        sender_on(None, None, patience=Patience(), rng=random.Random(seed))._wait_s(failures, failure)
        for seed in range(50)
    ]
    assert least <= min(waits) <= max(waits) <= most
    assert least == most or max(waits) - min(waits) > (most - least) / 2


async def test_what_was_told_long_ago_is_told_from_the_beginning_again(journal, tasks, monkeypatch):
    fresh = [await Projection(journal).changes(task_id, 1) for task_id in tasks]
    monkeypatch.setattr("coordinator.projection.MOST_TOLD", 1)
    few = Projection(journal)
    for task_id, known in zip(tasks, fresh, strict=True):
        assert await few.changes(task_id, 1) == known
        assert await few.changes(task_id, known.seq) == type(known)(known.seq, [], known.is_over)
    assert max(len(known.changes) for known in fresh) > 2


async def test_every_change_begins_where_the_one_before_it_ended(journal, tasks):
    for task_id in tasks:
        entries = await journal.read(task_id)
        assert decode_all(entries)
        told = (await Projection(journal).changes(task_id, 0)).changes
        assert [change.seq for change in told] == sorted({change.seq for change in told})
        for before, after in itertools.pairwise(told):
            assert after.before == (before.after if before.after.is_shown else None)

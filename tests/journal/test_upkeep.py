"""A server forgets by itself what is older than its retention, in small steps."""

import asyncio
import math

from coordinator.journal import Pruned, TaskFilter, upkeep
from coordinator.journal.upkeep import prune_all
from tests.journal.away import AwayJournal
from tests.journal.builders import ALICE, CLOSED, accepted, claimed, new_task, record


async def closed(journal, count):
    for number in range(count):
        await journal.append(await claimed(journal, f"t{number:02}"), [record("end")], CLOSED)


async def left(journal):
    return (await journal.tasks(ALICE, TaskFilter())).total_size


async def test_everything_old_is_forgotten_step_by_step(journal, clock):
    await closed(journal, 45)
    await accepted(journal, "open")
    clock.time += 10.0
    pruned = await prune_all(journal, retention_s=5.0, window_s=600.0)
    assert pruned == Pruned(coordinations=45)
    assert await left(journal) == 1


async def test_what_is_younger_than_the_retention_stays(journal, clock):
    await closed(journal, 2)
    clock.time += 10.0
    assert await prune_all(journal, retention_s=10.5, window_s=600.0) == Pruned()
    assert await left(journal) == 2


async def test_without_a_retention_tasks_are_kept_for_ever_and_only_keys_go(journal, clock):
    await journal.accept(new_task("t1"), record("accepted"), key="k")
    await closed(journal, 2)
    clock.time += 1e9
    assert await prune_all(journal, retention_s=None, window_s=600.0) == Pruned(keys=1)
    assert await left(journal) == 3


async def test_a_step_is_bounded_and_others_write_between_two(sqlite, clock):
    await closed(sqlite, 45)
    clock.time += 10.0
    steps = []
    prune = sqlite.prune

    async def watched(**asked):
        pruned = await prune(**asked)
        steps.append(pruned.coordinations)
        await sqlite.accept(new_task(f"new{len(steps)}"), record("accepted"))
        return pruned

    sqlite.prune = watched
    await prune_all(sqlite, retention_s=5.0, window_s=600.0, step=20)
    assert steps == [20, 20, 5, 0]
    assert await left(sqlite) == 4


async def test_a_database_that_is_away_is_pruned_later(journal, clock, monkeypatch):
    monkeypatch.setattr(upkeep, "EVERY_S", 0.0)
    await closed(journal, 3)
    clock.time += 10.0
    watched, forgotten, prune = AwayJournal(journal), asyncio.Event(), journal.prune

    async def noting(**asked):
        if (pruned := await prune(**asked)).coordinations:
            forgotten.set()
        return pruned

    journal.prune = noting
    async with asyncio.TaskGroup() as group:
        with watched.away("prune"):
            running = group.create_task(upkeep.upkeep(watched, retention_s=5.0, window_s=math.inf))
            await watched.until_refused("prune")
        await forgotten.wait()
        running.cancel()
    assert await left(journal) == 0

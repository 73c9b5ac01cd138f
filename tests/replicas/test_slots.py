"""Slots that all tasks share: of one process, and of all replicas on a database."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from coordinator.core.model import Shared
from coordinator.drivers.dbos.guard import Guard
from coordinator.drivers.dbos.slots import SharedSlots
from coordinator.outbound.slots import LocalSlots
from tests.replicas.test_guard import cut, held

TWO = Shared("plan/stage", 2)


@asynccontextmanager
async def shared(url, name):
    slots = SharedSlots(Guard(url, name))
    async with held(slots.guard), asyncio.TaskGroup() as group:
        giving = group.create_task(slots.give_back())
        yield slots
        giving.cancel()


@pytest.fixture(params=["local", "shared"])
async def slots(request):
    if request.param == "local":
        yield LocalSlots()
        return
    async with shared(request.getfixturevalue("postgres_url"), "a:1:x") as made:
        yield made


async def taken(slots, shared=TWO, *, is_known=False):
    async with asyncio.timeout(10):
        return await slots.take(shared, is_known=is_known)


async def waits(task):
    """Whether it still does after everybody else had several turns."""
    for _ in range(20):
        await asyncio.sleep(0.005)
    return not task.done()


async def test_who_finds_all_slots_taken_waits_for_the_first_that_is_given_back(slots):
    first, _ = await taken(slots), await taken(slots)
    async with asyncio.TaskGroup() as group:
        third = group.create_task(taken(slots))
        assert await waits(third)
        first.leave()
        first.leave()  # once is enough
        await third
        fourth = group.create_task(taken(slots))
        assert await waits(fourth)
        fourth.cancel()
    third.result().leave()
    await taken(slots)


async def test_what_is_under_way_already_goes_on_whether_there_is_room_or_not(slots):
    held = [await taken(slots) for _ in range(2)]
    known = await taken(slots, is_known=True)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(taken(slots))
        known.leave()
        assert await waits(waiting)
        held[0].leave()
        await waiting


async def test_who_gives_up_waiting_takes_nothing_along(slots):
    held = [await taken(slots) for _ in range(2)]
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(taken(slots))
        assert await waits(waiting)
        waiting.cancel()
    for slot in held:
        slot.leave()
    assert len([await taken(slots) for _ in range(2)]) == 2


async def test_stages_of_different_names_share_nothing(slots):
    for name in ("a", "b"):
        for _ in range(2):
            await taken(slots, Shared(name, 2))


async def test_replicas_share_and_what_a_dead_one_had_is_free(postgres_url):
    async with shared(postgres_url, "b:2:y") as b:
        async with shared(postgres_url, "a:1:x") as a:
            await taken(a)
            await taken(b)
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(taken(b))
                assert await waits(waiting)
                waiting.cancel()
        await taken(b)


async def test_slots_are_held_again_after_the_guard_session_was_cut(postgres_url):
    async with shared(postgres_url, "b:2:y") as b, shared(postgres_url, "a:1:x") as a:
        slots, returned = [await taken(a) for _ in range(2)], asyncio.Event()

        async def on_return():
            await a.hold_again()
            returned.set()

        a.guard.on_return = on_return
        await cut(postgres_url, "a:1:x")
        async with asyncio.timeout(10):
            await returned.wait()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(taken(b))
            assert await waits(waiting)
            slots[0].leave()
            await waiting

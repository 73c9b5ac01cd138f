"""What every journal promises about push notifications, whoever stores it."""

import asyncio
from dataclasses import replace

import pytest

from coordinator.errors import TaskClosed, TooManyPushes, UnknownTask
from coordinator.journal import ANY_TASK, OwedPush, Payload, Place, Pruned, PushConfig, PushCounts, SqlJournal
from tests.journal.builders import CLOSED, PARKED, WORKING, accepted, claimed, inbox_bodies, new_task, record

HOOK = PushConfig("c1", "https://one.example/hook?k=1", "1.0", token="secret", scheme="Bearer", credentials="hidden")
OTHER = PushConfig("c2", "https://two.example/hook", "0.3")


async def pushed(journal, *configs, task_id="t1", entries=1):
    """Return the claim of a task with *configs* that lie behind by *entries*."""
    claim = await claimed(journal, task_id)
    for config in configs or (HOOK,):
        await journal.set_push(task_id, config, most=10)
    return await journal.append(claim, [record(str(number)) for number in range(entries)], WORKING)


async def the_owed(journal):
    [owed] = await journal.owed(limit=10)
    return owed


async def test_a_config_is_kept_as_it_was_given(journal):
    await accepted(journal)
    await journal.set_push("t1", OTHER, most=2)
    await journal.set_push("t1", HOOK, most=2)
    assert await journal.pushes("t1") == (HOOK, OTHER)
    assert await journal.pushes("unknown") == ()


async def test_secrets_do_not_show():
    assert "secret" not in repr(OwedPush("t1", HOOK, Place(1)))
    assert "hidden" not in repr(HOOK)


async def test_the_same_id_replaces_and_one_too_many_is_refused(journal):
    await accepted(journal)
    await journal.set_push("t1", HOOK, most=1)
    moved = replace(HOOK, url="https://new.example/")
    await journal.set_push("t1", moved, most=1)
    with pytest.raises(TooManyPushes):
        await journal.set_push("t1", OTHER, most=1)
    assert await journal.pushes("t1") == (moved,)


async def test_a_config_needs_a_task(journal):
    with pytest.raises(UnknownTask):
        await journal.set_push("nobody", HOOK, most=1)


async def test_a_config_that_is_deleted_is_owed_nothing(journal):
    await pushed(journal)
    await journal.delete_push("t1", "c1")
    await journal.delete_push("t1", "c1")
    await journal.delete_push("nobody", "c1")
    assert await journal.pushes("t1") == ()
    assert await journal.owed(limit=10) == ()


async def test_one_accepted_with_its_task_is_owed_everything_that_follows(journal):
    await journal.accept(new_task(), record(), push=HOOK)
    assert await journal.pushes("t1") == (HOOK,)
    assert await journal.owed(limit=10) == ()
    claim = await journal.claim("t1", "driver")
    await journal.append(claim, [record()], WORKING)
    assert await the_owed(journal) == OwedPush("t1", HOOK, Place(1))


async def test_a_repeated_message_does_not_bring_a_config(journal):
    await journal.accept(new_task(), record(), key="k")
    await journal.accept(new_task("t2"), record(), key="k", push=HOOK)
    await journal.put("t1", record(), key="k", push=HOOK)
    assert await journal.pushes("t1") == ()


async def test_one_that_is_put_with_a_message_is_told_what_comes_after_it(journal):
    claim = await claimed(journal)
    claim = await journal.append(claim, [record()], PARKED)
    await journal.put("t1", record(), push=HOOK, most_pushes=1)
    assert await journal.owed(limit=10) == ()
    await journal.append(claim, [record()], WORKING)
    assert (await the_owed(journal)).place == Place(2)


async def test_a_message_whose_config_is_one_too_many_is_not_put(journal):
    await accepted(journal)
    await journal.set_push("t1", HOOK, most=1)
    with pytest.raises(TooManyPushes):
        await journal.put("t1", record(), push=OTHER, most_pushes=1, payloads=[Payload("d", b"x")])
    assert await inbox_bodies(journal) == []
    assert await journal.payloads(["d"]) == {}


async def test_a_message_to_a_closed_task_brings_no_config(journal):
    await journal.append(await claimed(journal), [], CLOSED)
    with pytest.raises(TaskClosed):
        await journal.put("t1", record(), push=HOOK)
    assert await journal.pushes("t1") == ()


async def test_what_was_told_is_not_owed_any_more(journal):
    claim = await pushed(journal, entries=2)
    owed = await the_owed(journal)
    assert owed.place == Place(1)
    assert await journal.move_push(owed, Place(2, 1), "me")
    assert (await the_owed(journal)).place == Place(2, 1)
    assert await journal.move_push(replace(owed, place=Place(2, 1)), Place(3), "me")
    assert await journal.owed(limit=10) == ()
    await journal.append(claim, [record()], WORKING)
    assert (await the_owed(journal)).place == Place(3)


async def test_who_does_not_know_the_place_does_not_move_it(journal):
    await pushed(journal, entries=2)
    owed = await the_owed(journal)
    await journal.move_push(owed, Place(2), "me")
    assert not await journal.move_push(owed, Place(3), "me")
    assert not await journal.lease_push(owed, "me", 10.0)
    assert (await the_owed(journal)).place == Place(2)


async def test_of_two_senders_one_has_the_lease_until_it_runs_out(journal, clock):
    await pushed(journal, entries=2)
    owed = await the_owed(journal)
    assert await journal.lease_push(owed, "one", 30.0)
    assert not await journal.lease_push(owed, "two", 30.0)
    assert not await journal.move_push(owed, Place(2), "two")
    assert await journal.owed(limit=10) == ()
    clock.time += 30.0
    assert await the_owed(journal) == owed
    assert await journal.lease_push(owed, "two", 30.0)
    assert not await journal.move_push(owed, Place(2), "one")
    await journal.fail_push(owed, "one", wait_s=99.0)
    assert await journal.move_push(owed, Place(2), "two", keep_s=30.0)
    assert await journal.owed(limit=10) == ()
    clock.time += 30.0
    assert (await the_owed(journal)).place == Place(2)


async def test_concurrent_leases_go_to_one_sender(journal):
    await pushed(journal)
    owed = await the_owed(journal)
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(journal.lease_push(owed, f"s{number}", 30.0)) for number in range(10)]
    assert sum(call.result() for call in calls) == 1


async def test_a_failed_delivery_is_left_alone_for_a_while(journal, clock):
    await pushed(journal)
    owed = await the_owed(journal)
    await journal.lease_push(owed, "me", 30.0)
    await journal.fail_push(owed, "me", wait_s=5.0)
    assert await journal.owed(limit=10) == ()
    clock.time += 5.0
    again = await the_owed(journal)
    assert (again.failures, again.failing_since) == (1, 1_000.0)
    await journal.lease_push(again, "me", 30.0)
    await journal.fail_push(again, "me", wait_s=5.0)
    clock.time += 5.0
    third = await the_owed(journal)
    assert (third.failures, third.failing_since) == (2, 1_000.0)
    await journal.move_push(third, Place(1, 1), "me")
    assert await the_owed(journal) == replace(owed, place=Place(1, 1))


async def test_who_looked_before_a_delivery_failed_does_not_try_again_at_once(journal, clock):
    await pushed(journal)
    seen_by_two = await the_owed(journal)
    await journal.lease_push(seen_by_two, "one", 30.0)
    await journal.fail_push(seen_by_two, "one", wait_s=5.0)
    assert not await journal.lease_push(seen_by_two, "two", 30.0)
    assert not await journal.lease_push(replace(seen_by_two, failures=1), "two", 30.0)  # it is not time yet
    clock.time += 5.0
    assert not await journal.lease_push(seen_by_two, "two", 30.0)  # it would begin to double anew
    assert await journal.lease_push(await the_owed(journal), "two", 30.0)


async def test_what_was_given_up_is_owed_again_once_it_is_set_anew_and_misses_nothing(journal, clock):
    await pushed(journal, entries=3)
    owed = await the_owed(journal)
    await journal.lease_push(owed, "me", 30.0)
    await journal.fail_push(owed, "me", wait_s=5.0, gives_up=True)
    clock.time += 1_000_000.0
    assert await journal.owed(limit=10) == ()
    assert await journal.push_counts() == PushCounts(owed=0, given_up=1)
    moved = replace(HOOK, url="https://new.example/")
    await journal.set_push("t1", moved, most=1)
    assert await the_owed(journal) == OwedPush("t1", moved, Place(1))


async def test_the_owed_come_in_the_order_they_fell_due_without_those_of_full_hosts(journal, clock):
    await pushed(journal, HOOK, OTHER)
    await pushed(journal, HOOK, task_id="t0")
    first = (await journal.owed(limit=10))[0]
    assert first.task_id == "t0"
    await journal.lease_push(first, "me", 30.0)
    await journal.fail_push(first, "me", wait_s=1.0)
    clock.time += 2.0
    told = [(owed.task_id, owed.config.config_id) for owed in await journal.owed(limit=10)]
    assert told == [("t1", "c1"), ("t1", "c2"), ("t0", "c1")]
    assert len(await journal.owed(limit=2)) == 2
    assert [owed.config for owed in await journal.owed(limit=10, without=["one.example"])] == [OTHER]


async def test_a_closed_task_is_looked_at_until_its_end_was_told(journal):
    claim = await claimed(journal)
    await journal.append(claim, [], CLOSED)
    await journal.set_push("t1", HOOK, most=1)
    owed = await the_owed(journal)
    assert owed.place == Place(1)
    assert await journal.push_counts() == PushCounts(owed=1)
    assert await journal.move_push(owed, Place(1), "me", is_over=True)
    assert await journal.owed(limit=10) == ()
    assert await journal.push_counts() == PushCounts()


async def test_a_task_that_owes_a_push_is_not_forgotten_and_then_goes_with_its_configs(journal):
    claim = await pushed(journal)
    await journal.append(claim, [record()], CLOSED)
    assert await journal.prune(closed_before=2_000.0, keys_before=0.0) == Pruned()
    await journal.move_push(await the_owed(journal), Place(3), "me", is_over=True)
    assert (await journal.prune(closed_before=2_000.0, keys_before=0.0)).coordinations == 1
    assert await journal.pushes("t1") == ()


async def test_a_task_whose_push_was_given_up_is_forgotten(journal):
    claim = await pushed(journal)
    await journal.append(claim, [record()], CLOSED)
    owed = await the_owed(journal)
    await journal.lease_push(owed, "me", 30.0)
    await journal.fail_push(owed, "me", wait_s=5.0, gives_up=True)
    assert (await journal.prune(closed_before=2_000.0, keys_before=0.0)).coordinations == 1


async def test_whoever_listens_to_all_tasks_hears_of_each(journal):
    async with journal.subscribe(ANY_TASK) as hints:
        for task_id in ("t1", "t2"):
            await accepted(journal, task_id)
            async with asyncio.timeout(5):
                await hints.wait(60.0)


async def test_whoever_listens_to_all_tasks_does_not_hear_of_leases_and_claims(journal):
    await pushed(journal)
    owed = await the_owed(journal)
    async with journal.subscribe(ANY_TASK) as hints:
        await journal.lease_push(owed, "me", 30.0)
        await journal.move_push(owed, Place(2), "me")
        await journal.claim("t1", "driver")
        assert not hints._changed.is_set()
        await journal.set_push("t1", OTHER, most=2)
        assert hints._changed.is_set()


async def test_a_lease_of_a_process_that_died_does_not_outlive_it_in_a_file_of_our_own(path, clock):
    dead = await SqlJournal.open(path, now=clock)
    await pushed(dead)
    await dead.lease_push(await the_owed(dead), "dead", 1_000.0)
    await dead.close()
    journal = await SqlJournal.open(path, now=clock)
    assert (await the_owed(journal)).place == Place(1)
    await journal.close()

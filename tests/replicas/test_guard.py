"""The guard session: who is taken for dead, and when a process may no longer be sure of its work."""

import asyncio
from contextlib import asynccontextmanager

import psycopg
import pytest

from coordinator.drivers.dbos.guard import Guard, conninfo, executor_name, executor_of, lock_of, presented
from coordinator.errors import JournalUnavailable


@asynccontextmanager
async def held(guard):
    async with asyncio.TaskGroup() as group:
        holding = group.create_task(guard.hold())
        async with asyncio.timeout(10):
            await guard.fresh()
        yield
        holding.cancel()


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what PostgreSQL does to a session is told to nobody
            await asyncio.sleep(0.01)


async def cut(url, executor):
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", (presented(executor),)
        )


def test_each_start_has_a_name_of_its_own_that_postgresql_keeps_whole():
    names = {executor_name("büro 7 " + "x" * 80) for _ in range(20)}
    assert len(names) == 20
    for name in names:
        assert name.startswith("b-ro-7-xxx")
        assert len(presented(name).encode()) <= 63
        assert executor_of(presented(name))[0] == name


def test_the_session_of_another_program_is_nobodys():
    assert executor_of("psql") == ("", "")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_whatever_driver_a_url_names_libpq_understands_it(scheme):
    assert conninfo(f"{scheme}://me@db/x") == "postgresql://me@db/x"


def test_locks_are_two_numbers_of_32_bits():
    for number in range(200):
        _, key = lock_of(f"executor {number}")
        assert -(2**31) <= key < 2**31


async def test_who_holds_its_lock_is_alive_and_nobody_stands_in_for_it(postgres_url):
    a, b = Guard(postgres_url, "a:1:x"), Guard(postgres_url, "b:2:y")
    async with held(b):
        async with held(a):
            await until(lambda: b.alive == {"a:1:x", "b:2:y"})
            async with b.standing_in_for("a:1:x") as is_dead:
                assert not is_dead
        await until(lambda: b.alive == {"b:2:y"})
        async with b.standing_in_for("a:1:x") as is_dead:
            assert is_dead
        async with b.standing_in_for("a:1:x") as is_dead:
            assert is_dead  # it was given back


async def test_only_one_at_a_time_stands_in_for_a_dead_one(postgres_url):
    a, b = Guard(postgres_url, "a:1:x"), Guard(postgres_url, "b:2:y")
    async with held(a), held(b), a.standing_in_for("c:3:z") as a_does, b.standing_in_for("c:3:z") as b_does:
        assert (a_does, b_does) == (True, False)


async def test_a_session_that_was_cut_comes_back_and_what_was_lost_is_looked_at_before_work_goes_on(postgres_url):
    returned, may_go_on = asyncio.Event(), asyncio.Event()

    async def on_return():
        assert not guard.is_fresh
        returned.set()
        await may_go_on.wait()

    guard = Guard(postgres_url, "a:1:x", on_return)
    async with held(guard):
        assert guard.may_judge
        await cut(postgres_url, "a:1:x")
        async with asyncio.timeout(10):
            await returned.wait()
            assert not guard.is_fresh
            may_go_on.set()
            await guard.fresh()
        # The others may have lost theirs by the same cause, and need a moment as well.
        assert not guard.may_judge


async def test_without_a_session_nobody_can_be_taken_for_dead(postgres_url):
    guard = Guard(postgres_url, "a:1:x")
    assert not guard.may_judge
    with pytest.raises(JournalUnavailable):
        async with guard.standing_in_for("b:2:y"):
            pass


async def test_a_process_that_stood_still_is_not_sure_of_its_work_until_it_has_asked(postgres_url, monkeypatch):
    guard = Guard(postgres_url, "a:1:x")
    async with held(guard):
        later = guard._fresh_until + 0.1
        monkeypatch.setattr("coordinator.drivers.dbos.guard.time.monotonic", lambda: later)
        assert not guard.is_fresh
        async with asyncio.timeout(10):
            await guard.fresh()

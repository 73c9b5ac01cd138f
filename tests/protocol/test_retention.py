"""How long a task is kept after its end."""

import asyncio

import pytest
from a2a.utils.errors import TaskNotFoundError

from coordinator.journal import upkeep
from tests.protocol.clients import calling, message
from tests.protocol.specialists import busy, held

on_both_journals = pytest.mark.parametrize("db", ["memory", "sqlite"], indirect=True)


async def gone(client, task_id):
    """Return when the task is no longer known."""
    async with asyncio.timeout(10):
        while True:
            try:
                await client.get(task_id)
            except TaskNotFoundError:
                return


@on_both_journals
async def test_a_task_is_forgotten_by_a_server_that_was_told_how_long_to_keep_it(start, fleet, monkeypatch):
    monkeypatch.setattr(upkeep, "EVERY_S", 0.01)
    url = await start(retention="1ms", deduplication_window="1ms")
    async with calling(url, "JSONRPC") as client:
        ended = await client.send()
        with held(fleet):
            working = await client.send(message("stay"), return_immediately=True)
            await busy(fleet, "ada", "bob")
            await gone(client, ended.id)
            assert (await client.get(working.id)).id == working.id
            assert [task.id for task in (await client.tasks()).tasks] == [working.id]


async def test_a_server_that_was_told_nothing_keeps_its_tasks(start, monkeypatch):
    rounds = []
    prune_all = upkeep.prune_all

    async def counted(*args, **asked):
        rounds.append(await prune_all(*args, **asked))

    monkeypatch.setattr(upkeep, "EVERY_S", 0.0)
    monkeypatch.setattr(upkeep, "prune_all", counted)
    url = await start(deduplication_window="1ms")
    async with calling(url, "JSONRPC") as client:
        ended = await client.send()
        before = len(rounds)
        while len(rounds) < before + 3:
            assert (await client.get(ended.id)).id == ended.id

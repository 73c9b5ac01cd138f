"""`coordinator replicas`, and what is said where replicas cannot be."""

import asyncio
import json
import os
import sys

import httpx
import psycopg
import pytest
from typer.testing import CliRunner

from coordinator.app import Wrapping, assembled
from coordinator.cli.program import program
from coordinator.config import Settings
from coordinator.drivers.dbos.guard import Guard, executor_name
from coordinator.errors import ConfigurationError
from coordinator.journal import SqlJournal
from tests.journal.builders import accepted
from tests.replicas.test_guard import held


async def called(*arguments):
    return await asyncio.to_thread(CliRunner().invoke, program(), ["replicas", *arguments])


@pytest.fixture
async def journal(postgres_url):
    journal = await SqlJournal.open(postgres_url)
    yield journal
    await journal.close()


async def test_who_is_there_who_drives_what_and_what_nobody_drives(postgres_url, journal):
    here, idle = executor_name("host-a"), executor_name("host-b")
    for task_id, driver in (("t1", here), ("t2", "gone:1:abc"), ("t3", "")):
        await accepted(journal, task_id)
        if driver:
            await journal.claim(task_id, driver)
    async with held(Guard(postgres_url, here)), held(Guard(postgres_url, idle)):
        document = json.loads((await called("--db", postgres_url, "--json")).stdout)
        shown = (await called("--db", postgres_url)).stdout
    members = {each["executor"]: each for each in document["replicas"]}
    assert set(members) == {here, idle}
    assert members[here]["drives"] == [{"taskId": "t1", "plan": "review", "state": "submitted"}]
    assert members[idle]["drives"] == []
    assert (members[here]["name"], members[here]["pid"], members[here]["version"]) == ("host-a", os.getpid(), "0.1.0")
    assert [task["taskId"] for task in document["waiting"]] == ["t2", "t3"]
    lines = shown.splitlines()
    assert lines[1].split()[:4] == ["host-a", str(os.getpid()), "127.0.0.1", "0.1.0"]
    assert [line.split()[-1] for line in lines if line.startswith(("t1", "t2"))] == [str(os.getpid()), "nobody"]
    assert lines[-1] == "2 tasks due that nobody drives"


async def test_nobody_is_there_is_told_as_well(postgres_url):
    assert (await called("--db", postgres_url)).stdout.splitlines()[0] == "no replica is there"


@pytest.mark.parametrize(("db", "told"), [("some.db", "not shared"), ("memory", "in memory")])
async def test_a_database_that_is_not_shared_is_refused(db, told):
    result = await called("--db", db)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


async def test_without_the_extra_a_coordinator_on_postgresql_says_what_to_install(postgres_url, monkeypatch):
    monkeypatch.setitem(sys.modules, "coordinator.drivers.dbos", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'a2a-coordinator\[postgres\]'"):
        async with assembled(Settings(db=postgres_url)):
            pass


async def test_a_replica_that_starts_takes_nothing_from_the_queue_before_it_has_asked_its_agents(postgres_url):
    """An agent that does not answer takes its time; what was given away meanwhile is for others."""
    seen = []

    async def card(request):
        async with await psycopg.AsyncConnection.connect(postgres_url) as connection:
            seen.append(await (await connection.execute("SELECT to_regclass('coordinator_dbos.queues')")).fetchone())
        return httpx.Response(404)

    settings = Settings(db=postgres_url, agents=("http://it.example",))
    async with httpx.AsyncClient(transport=httpx.MockTransport(card)) as http:
        async with assembled(settings, wrapping=Wrapping(http=lambda _: http)):
            pass
        assert set(seen) == {(None,)}
        async with assembled(settings, wrapping=Wrapping(http=lambda _: http)):
            pass
    assert seen[-1] == ("coordinator_dbos.queues",)


async def test_a_replica_is_ready_once_it_has_its_guard_session_and_says_who_it_is(postgres_url):
    settings = Settings(db=postgres_url, replica="host-a", port=1)
    async with assembled(settings) as application:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://it") as http, asyncio.timeout(10):
            while (await http.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - as a balancer does
                await asyncio.sleep(0.01)
            load = (await http.get("/agents")).json()["load"]
    assert load["executor"].startswith(f"host-a:{os.getpid()}:")

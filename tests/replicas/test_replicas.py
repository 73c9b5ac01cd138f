"""Replicas as real processes on one database: killed, frozen, stopped, and asked whichever comes to hand."""

import asyncio
import json
import sys
from contextlib import aclosing

import httpx
import pytest

from coordinator.testing import Behaviour, Specialist, answers
from tests.chaos.client import message_for
from tests.replicas.rig import replicas, stream

pytestmark = [pytest.mark.processes, pytest.mark.timeout(120)]


def stage(*agents, **options):
    return {"fan_out": {"to": {"agents": list(agents)}}, "merge": "concat", **options}


SPECIALISTS = (
    Specialist("quick", Behaviour(artifacts=(answers.text("quickly"),))),
    Specialist("asker", (Behaviour(end="input_required", end_text="which one?"), Behaviour())),
    Specialist("stuck", Behaviour(never_ends=True, steps=("starting",))),
    Specialist("narrow", Behaviour(work_s=0.3)),
    Specialist("busy", (Behaviour(http_error=503, retry_after=4), Behaviour(artifacts=(answers.text("at last"),)))),
)
PLANS = {
    "asked": {"all": stage("asker", "quick")},
    "asked-soon": {"stages": {"all": stage("asker", "stuck")}, "ask": "soon"},
    "stuck": {"all": stage("stuck")},
    "quick": {"all": stage("quick")},
    "one-by-one": {"all": stage("narrow", limits={"concurrency": 1, "scope": "global"})},
    "later": {"all": stage("busy", on_failure={"retry": {"attempts": 3, "backoff": "0.1s..1s"}})},
}


@pytest.fixture
async def rig(tmp_path, postgres_url):
    async with replicas(tmp_path, postgres_url, SPECIALISTS, PLANS) as it:
        yield it


async def states(events):
    """The states a stream shows, each once in a row."""
    shown = ""
    async for event in events:
        status = event.get("task", {}).get("status") or event.get("statusUpdate", {}).get("status") or {}
        if status.get("state", shown) != shown:
            yield (shown := status["state"])


async def test_a_conversation_goes_on_with_whichever_replica_is_left(rig):
    a, b, c = await rig.start("a", "b", "c")
    await rig.fleet.hold("asker", "end")
    begun = stream(a, rig.http, "SendStreamingMessage", {"message": message_for("asked")})
    task_id = (await anext(begun))["task"]["id"]
    await rig.fleet.until("tasks", agent="asker")
    await rig.driven_by(task_id, "a")
    await a.kill()
    with pytest.raises(httpx.TransportError):
        async for _ in begun:
            pass
    async with (
        aclosing(stream(b, rig.http, "SubscribeToTask", {"id": task_id})) as rest,
        aclosing(states(rest)) as seen,
    ):
        assert await anext(seen) == "TASK_STATE_WORKING"
        await rig.fleet.release("asker", "end")
        assert await anext(seen) == "TASK_STATE_INPUT_REQUIRED"
        await b.client.answer(task_id, "this one")
        assert [state async for state in seen][-1] == "TASK_STATE_COMPLETED"
    task = await c.client.task(task_id)
    assert [part["text"] for artifact in task["artifacts"] for part in artifact["parts"]][-1] == "quickly"
    other = (await b.client.send("stuck"))["id"]
    await c.client.cancel(other)
    assert await rig.over(other) == "TASK_STATE_CANCELED"
    assert (await rig.fleet.counts())["doubled"] == []
    assert [await each.stop() for each in (b, c)] == [0, 0]


async def test_a_frozen_replica_is_replaced_and_writes_nothing_when_it_is_back(rig):
    a, _ = await rig.start("a", "b")
    task_id = (await a.client.send("stuck"))["id"]
    await rig.fleet.until("tasks", agent="stuck")
    a.freeze()
    await rig.driven_by(task_id, "b")
    a.thaw()
    await rig.until(lambda: a.is_ready(rig.http), "a is ready again")
    quick = (await a.client.send("quick"))["id"]
    assert await rig.over(quick) == "TASK_STATE_COMPLETED"
    assert await rig.driver(task_id) == "b"
    await a.client.cancel(task_id)
    assert await rig.over(task_id) == "TASK_STATE_CANCELED"
    [(epochs, starts)] = await rig.query(
        "SELECT count(DISTINCT epoch), count(*) FILTER (WHERE type = 'TurnStarted') FROM journal "
        "WHERE task_id = %s AND epoch > 0",
        task_id,
    )
    assert (epochs, starts) == (2, 2)
    assert (await rig.fleet.counts("stuck"))["sends"] == 1


async def test_what_dbos_knew_is_not_needed_and_a_stopped_replica_hands_over_at_once(rig):
    a, b = await rig.start("a", "b")
    stuck = (await a.client.send("stuck"))["id"]
    asked = (await a.client.send("asked"))["id"]
    await rig.fleet.until("tasks", agent="stuck")
    assert await a.stop() == 0
    await rig.driven_by(stuck, "b")
    assert await b.stop() == 0
    await rig.query("DROP SCHEMA coordinator_dbos CASCADE")
    (c,) = await rig.start("c")
    await rig.driven_by(stuck, "c")
    await c.client.answer(asked, "this one")
    assert await rig.over(asked) == "TASK_STATE_COMPLETED"
    await c.client.cancel(stuck)
    assert await rig.over(stuck) == "TASK_STATE_CANCELED"
    counts = await rig.fleet.counts()
    assert (counts["doubled"], counts["open"]) == ([], 0)


async def test_what_one_replica_drives_stays_with_it_whoever_is_asked(rig):
    a, b = await rig.start("a", "b")
    task_id = (await a.client.send("asked-soon"))["id"]
    await rig.driven_by(task_id, "a")
    await b.client.answer(task_id, "this one")
    await rig.fleet.until("sends", 3)
    later = (await b.client.send("later"))["id"]
    assert await rig.over(later) == "TASK_STATE_COMPLETED"
    listed = await told(rig, "replicas", "--json")
    drives = {each["name"]: [task["taskId"] for task in each["drives"]] for each in listed["replicas"]}
    assert drives == {"a": [task_id], "b": []}
    assert {each["pid"] for each in listed["replicas"]} == {a.pid, b.pid}
    assert listed["waiting"] == []
    epochs = dict(await rig.query("SELECT task_id, epoch FROM head"))
    assert epochs == {task_id: 1, later: 1}
    await b.client.cancel(task_id)
    assert await rig.over(task_id) == "TASK_STATE_CANCELED"
    narrow = [(await each.client.send("one-by-one"))["id"] for each in (a, b, a, b)]
    assert {await rig.over(each) for each in narrow} == {"TASK_STATE_COMPLETED"}
    counts = await rig.fleet.counts("narrow")
    assert (counts["tasks"], counts["most_open"]) == (4, 1)


async def told(rig, *arguments):
    """What a command of the program prints, as JSON."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "coordinator.cli", *arguments, "--db", rig.url), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(out)

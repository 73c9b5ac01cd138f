"""A process that is asked to stop: what clients see, what specialists see, and what the next process finds."""

import asyncio
import signal
import subprocess
import sys

import httpx
import pytest

from coordinator.testing import Behaviour, Specialist
from tests.chaos.client import message_for
from tests.chaos.home import at_home
from tests.chaos.process import free_port

pytestmark = [pytest.mark.processes, pytest.mark.timeout(90)]

STUCK = Specialist("stuck", Behaviour(never_ends=True))
PLAN = {"plan": {"all": {"fan_out": {"to": {"agents": ["stuck"]}}}}}


def stuck_at_home(tmp_path, **settings):
    return at_home(tmp_path, [STUCK], PLAN, **settings)


async def streamed(home, method, params, begun):
    """Return the lines of a stream that ended as a response should; *begun* is set by the first one."""
    lines = []
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with home.http.stream("POST", home.place.url, json=body, headers={"A2A-Version": "1.0"}) as answer:
        async for line in answer.aiter_lines():
            lines.append(line)
            begun.set()
    return lines


async def test_streams_end_without_an_error_and_waiting_sends_get_the_task_as_it_is(tmp_path):
    async with stuck_at_home(tmp_path) as home, asyncio.TaskGroup() as group:
        life, begun = await home.start(), asyncio.Event()
        stream = group.create_task(streamed(home, "SendStreamingMessage", {"message": message_for("plan")}, begun))
        waiting = group.create_task(home.client.send("plan", returnImmediately=False))
        await begun.wait()
        await home.fleet.until("tasks", 2)
        assert await life.stop() == 0
        told = "".join(await stream)
        assert '"task"' in told
        assert "error" not in told
        assert (await waiting)["status"]["state"] == "TASK_STATE_WORKING"
        assert home.client.repeated == 0


async def test_nothing_is_canceled_below_and_the_next_process_goes_on_with_the_same_tasks(tmp_path):
    async with stuck_at_home(tmp_path) as home:
        life = await home.start()
        task = await home.client.send("plan")
        await home.fleet.until("tasks")
        assert await life.stop() == 0
        counts = await home.fleet.counts("stuck")
        assert (counts["cancels"], counts["open"]) == (0, 1)
        life = await home.start()
        await home.fleet.until("subscribes")
        await home.client.cancel(task["id"])
        assert await home.is_closed()
        counts = await home.fleet.counts("stuck")
        assert (counts["tasks"], counts["sends"], counts["cancels"], counts["open"]) == (1, 1, 1, 0)
        assert await life.stop() == 0


async def test_any_number_of_stops_is_not_held_against_a_task(tmp_path):
    async with stuck_at_home(tmp_path) as home:
        life = await home.start()
        task = await home.client.send("plan")
        await home.fleet.until("tasks")
        for restarts in range(1, 8):
            assert await life.stop() == 0
            life = await home.start()
            await home.fleet.until("subscribes", restarts)
        assert (await home.client.task(task["id"]))["status"]["state"] == "TASK_STATE_WORKING"


async def forgetful(home):
    """Start a coordinator in memory, let it begin a task and ask it to stop while its cancel is not answered."""
    await home.fleet.hold("stuck", "cancel")
    life = await home.start()
    await home.client.send("plan")
    await home.fleet.until("tasks")
    life.signal(signal.SIGTERM)
    await home.fleet.until("cancels")
    return life


async def test_without_a_database_everything_is_canceled_and_meanwhile_new_work_is_refused(tmp_path):
    async with stuck_at_home(tmp_path, db="memory") as home:
        life = await forgetful(home)
        ready = await home.http.get(f"{home.place.url}/readyz")
        assert (ready.status_code, ready.text) == (503, "stopping\n")
        body = {"message": {**message_for("plan")}}
        refused = await home.http.post(f"{home.place.url}/message:send", json=body, headers={"A2A-Version": "1.0"})
        assert (refused.status_code, refused.json()["error"]["status"]) == (503, "UNAVAILABLE")
        assert refused.headers["retry-after"]
        await home.fleet.release("stuck", "cancel")
        assert await life.ended == 0
        counts = await home.fleet.counts("stuck")
        assert (counts["sends"], counts["cancels"], counts["open"]) == (1, 1, 0)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_second_signal_ends_it_at_once(tmp_path, number, code):
    async with stuck_at_home(tmp_path, db="memory") as home:
        life = await forgetful(home)
        life.signal(number)
        assert await life.ended == code
        assert (await home.fleet.counts("stuck"))["open"] == 1


async def test_a_stop_takes_no_longer_than_the_grace_period(tmp_path):
    async with stuck_at_home(tmp_path, db="memory", grace="300ms") as home:
        life = await forgetful(home)
        assert await life.ended == 0
        assert "not everything came to its end within the grace period" in home.place.log.read_text()
        assert (await home.fleet.counts("stuck"))["open"] == 1


async def test_a_second_process_on_the_same_database_says_so_and_ends(tmp_path):
    async with stuck_at_home(tmp_path) as home:
        life = await home.start()
        command = ("-m", "coordinator.cli", "serve", "--db", str(home.place.database), "--port", str(free_port()))
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert f"{home.place.database}" in done.stderr
        assert "another" in done.stderr
        with pytest.raises(httpx.TransportError):
            await home.http.get(f"http://127.0.0.1:{command[-1]}/readyz")
        assert await life.ready(home.http)

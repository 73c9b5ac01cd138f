"""What a restart takes up again: sends in doubt, timers, deadlines, and what ends the process every time."""

import asyncio
import signal

import pytest

from coordinator.core.model import TaskState
from coordinator.testing import Behaviour, Specialist
from tests.chaos.home import at_home

pytestmark = [pytest.mark.processes, pytest.mark.timeout(90)]

STUCK = Specialist("stuck", Behaviour(never_ends=True))


def stage(*agents, **options):
    return {"fan_out": {"to": {"agents": list(agents)}}, "merge": "concat", **options}


async def killed(life):
    assert await life.ended == -signal.SIGKILL
    assert not life.is_killed


async def test_a_cancel_that_comes_while_a_send_is_looked_up_reaches_the_task_it_created(tmp_path):
    async with at_home(tmp_path, [STUCK], {"plan": {"all": stage("stuck")}}) as home:
        life = await home.start(fault="send/after")
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(home.client.send("plan"))
            await killed(life)
            await home.fleet.hold("stuck", "list")
            life = await home.start()
        await home.fleet.until("lists")
        await home.client.cancel(sending.result()["id"])
        await home.fleet.release("stuck", "list")
        assert await home.is_closed()
        assert await home.count("open", 0)
        assert (await home.fleet.counts("stuck"))["tasks"] == 1
        assert await life.stop() == 0


async def test_a_message_whose_answer_never_came_is_the_same_task_when_it_comes_again(tmp_path):
    async with at_home(tmp_path, [Specialist("quick")], {"plan": {"all": stage("quick")}}) as home:
        life = await home.start(fault="accept/after")
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(home.client.send("plan"))
            await killed(life)
            life = await home.start()
        assert home.client.repeated
        assert (await home.client.over(sending.result()["id"]))["status"]["state"] == "TASK_STATE_COMPLETED"
        assert await home.is_closed()  # and it is the only one
        assert (await home.fleet.counts("quick"))["tasks"] == 1


async def test_a_deadline_that_passed_between_two_processes_has_passed(tmp_path):
    plan = {"stages": {"all": stage("stuck", barrier={"need": 1})}, "deadline": "10m"}
    async with at_home(tmp_path, [STUCK], {"plan": plan}) as home:
        life = await home.start()
        task = await home.client.send("plan")
        await home.fleet.until("tasks")
        await life.kill()
        life = await home.start(ahead_s=660)
        over = await home.client.over(task["id"])
        assert over["status"]["state"] == "TASK_STATE_FAILED"
        assert await home.is_closed()
        assert "deadline of 600 s" in home.journaled()[1].branches()[0].failure.message
        assert await home.count("open", 0)


async def test_a_parked_coordination_sleeps_through_a_restart_and_wakes_when_its_time_has_come(tmp_path):
    busy = Specialist("busy", (Behaviour(http_error=503, retry_after=300), Behaviour()))
    plan = {"all": stage("busy", on_failure={"retry": {"attempts": 2, "backoff": "1s..2s"}})}
    async with at_home(tmp_path, [busy], {"plan": plan}) as home:
        await home.start()
        task = await home.client.send("plan")
        await home.parked()
        before = home.epoch()
        for ahead_s in (0, 200):
            await home.nursery.lives[-1].kill()
            await home.start(ahead_s=ahead_s)
        # Who asks after the sweep of the start gets an answer that was given after it.
        await home.client.task(task["id"])
        assert (home.journaled()[0], home.epoch()) == ("idle", before)
        assert (await home.fleet.counts("busy"))["sends"] == 1
        await home.nursery.lives[-1].kill()
        await home.start(ahead_s=310)
        assert (await home.client.over(task["id"]))["status"]["state"] == "TASK_STATE_COMPLETED"


async def test_what_ends_the_process_every_time_fails_after_five_claims_and_is_canceled_below(tmp_path):
    """The merge of one stage is deadly, while a branch of another stage is under way."""
    plan = {"stages": {"deadly": stage("quick"), "other": stage("stuck")}, "answer": "deadly"}
    async with at_home(tmp_path, [Specialist("quick"), STUCK], {"plan": plan}) as home:
        async with asyncio.TaskGroup() as group:
            await home.fleet.hold("quick", "end")
            life = await home.start(fault="append:Merged/before")
            sending = group.create_task(home.client.send("plan"))
            await home.fleet.until("tasks", 2)
            await home.fleet.release("quick", "end")
            deaths = 0
            while not await home.survives(life):
                await killed(life)
                deaths += 1
                life = await home.start(fault="append:Merged/before")
        task = await home.client.over(sending.result()["id"])
        assert task["status"]["state"] == "TASK_STATE_FAILED"
        (words,) = task["status"]["message"]["parts"]
        assert words["text"] == "given up after 5 attempts to go on without any progress"
        # The first process had made progress; after it five more were given a chance.
        assert deaths in {5, 6}
        assert await home.is_closed()
        assert await home.count("open", 0)
        assert (await home.fleet.counts("stuck"))["cancels"] == 1


async def test_a_cancel_that_ends_the_process_every_time_is_given_up_behind_the_answer(tmp_path):
    plan = {"all": stage("stuck", "quick", barrier={"release": "first"})}
    async with at_home(tmp_path, [Specialist("quick"), STUCK], {"plan": plan}) as home:
        life = await home.start(fault="append:CancelSettled/before")
        await home.fleet.hold("stuck", "cancel")
        task = await home.client.over((await home.client.send("plan"))["id"])
        assert task["status"]["state"] == "TASK_STATE_COMPLETED"
        await home.fleet.release("stuck", "cancel")
        while not await home.survives(life):
            await killed(life)
            life = await home.start(fault="append:CancelSettled/before")
        status, coordination = home.journaled()
        assert (status, coordination.state) == ("closed", TaskState.COMPLETED)

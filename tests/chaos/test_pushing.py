"""What clients are owed outlives the process: kill -9 anywhere loses no notification and changes no order."""

import asyncio
import signal

import pytest

from coordinator.testing import Behaviour, Specialist
from tests.chaos.home import at_home
from tests.chaos.webhook import EVERYTHING as ASKED
from tests.chaos.webhook import missed, outage
from tests.protocol.receiver import Push, Receiver, receiving

pytestmark = [pytest.mark.processes, pytest.mark.timeout(90)]

PLAN = {"plan": {"all": {"fan_out": {"to": {"agents": ["quick", "other"]}}, "merge": "concat"}}}
STAFF = [Specialist("quick", Behaviour()), Specialist("other", Behaviour())]


def states(pushes):
    """Return what was told, an artifact as such, without what came twice."""
    told = {push.headers["idempotency-key"]: push.document for push in pushes}.values()
    return [document.get("statusUpdate", {}).get("status", {}).get("state", "artifact") for document in told]


EVERYTHING = ["TASK_STATE_WORKING", "artifact", "TASK_STATE_COMPLETED"]


async def test_the_end_of_a_task_is_told_by_the_next_process_when_this_one_dies_before_it_can(tmp_path):
    async with receiving() as hook, at_home(tmp_path, STAFF, PLAN, push_allow=["127.0.0.1"]) as home:
        life = await home.start(fault="append:Merged/after")
        config = {"url": f"{hook.url}/hook", "token": "secret"}
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(home.client.send("plan", taskPushNotificationConfig=config))
            assert await life.ended == -signal.SIGKILL
            assert states(hook.taken)[-1:] in ([], ["TASK_STATE_WORKING"])
            await home.start()
        pushed = await hook.until_over()
        assert states(pushed) == EVERYTHING
        assert {push.document["statusUpdate"]["taskId"] for push in pushed[-1:]} == {sending.result()["id"]}
        assert {push.headers["x-a2a-notification-token"] for push in pushed} == {"secret"}


async def test_a_kill_in_the_middle_of_a_delivery_repeats_that_one_and_misses_none(tmp_path):
    async with receiving() as hook, at_home(tmp_path, STAFF, PLAN, push_allow=["127.0.0.1"]) as home:
        await home.start()
        hook.refusals.extend([503] * 3)
        hook.open_for["/hook"] = 3  # then it does not even answer
        task = await home.client.send("plan", taskPushNotificationConfig={"url": f"{hook.url}/hook"})
        await home.client.over(task["id"])
        await hook.until(lambda: len(hook.attempts) == 4)
        await home.nursery.lives[-1].kill()
        assert not hook.taken
        del hook.open_for["/hook"]
        await home.start()
        assert states(await hook.until_over()) == EVERYTHING
        keys = [push.headers["idempotency-key"] for push in hook.attempts]
        assert len(set(keys[:5])) == 1
        assert len(keys[4:]) == len(set(keys[4:])) == 3


async def test_a_webhook_that_nobody_listened_at_is_told_everything_in_order_once_it_is_up(tmp_path):
    told = await outage(tmp_path, down_s=0.0, tasks=3)
    assert told.complaints == ()
    assert told.notifications == 3 * len(ASKED)


@pytest.mark.parametrize(
    ("states", "seen"),
    [
        ([], ("nothing",)),
        (["WORKING", "COMPLETED"], ("WORKING", "COMPLETED")),
        ([*ASKED], ()),
        ([*ASKED, ASKED[-1]], ()),  # the same once more, under the same key
        ([*reversed(ASKED)], tuple(reversed(ASKED))),
    ],
)
def test_what_a_webhook_missed_is_told_and_what_came_twice_is_not(states, seen):
    hook = Receiver("")
    for number, state in enumerate(states):
        told = {} if state == "artifact" else {"statusUpdate": {"status": {"state": f"TASK_STATE_{state}"}}}
        hook.taken.append(Push("/0", {"idempotency-key": str(min(number, len(ASKED) - 1))}, told))
    assert missed(hook, 0) == seen

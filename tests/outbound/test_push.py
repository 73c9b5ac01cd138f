"""Waiting by push: the webhook, its token, and what happens when pushes are forged, repeated, lost or refused."""

import asyncio
from dataclasses import replace

import pytest

from coordinator.core.events import AttemptSucceeded
from coordinator.core.model import FailureKind
from coordinator.outbound import Attempt, Pushes
from coordinator.outbound.pushes import WEBHOOK
from coordinator.testing import Behaviour, answers
from tests.outbound.pursuing import QUICK, rig
from tests.protocol.clients import bare_http

FINE = (answers.text("fine"),)

PATIENT = replace(QUICK, poll_max_s=3600.0, push_check_s=3600.0)
"""Whoever gets a result with it was pushed: the next look of its own would come in an hour."""


def pushing(script, *, patience=PATIENT, **more):
    return rig(script, streaming=False, pushing=True, patience=patience, **more)


def hooks_of(it):
    """Return whether each send had a webhook."""
    sends = [received.params["configuration"] for received in it.agent.received if received.operation == "send"]
    return ["taskPushNotificationConfig" in configuration for configuration in sends]


async def test_a_push_is_the_hint_to_read_the_result():
    async with pushing(Behaviour(steps=("reading",), artifacts=FINE, holds=("end",))) as it:
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(it.sent())
            await it.fleet.until(lambda: it.agent.waiting("end") and it.agent.counts.gets)
            it.agent.release("end")
        assert sending.result().texts == ["fine"]
        assert it.agent.counts.by_message == {"m-1": 1}
        (send,) = [received for received in it.agent.received if received.operation == "send"]
        hook = send.params["configuration"]["taskPushNotificationConfig"]
        assert hook["token"] == hook["authentication"]["credentials"]
        assert len(hook["token"]) >= 32


async def test_a_task_that_is_over_before_its_send_is_answered_needs_no_push():
    async with pushing(Behaviour(artifacts=FINE, push="never", holds=("created",))) as it:
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(it.sent())
            await it.fleet.until(lambda: it.agent.waiting("created") and not it.agent.counts.open)
            it.agent.release("created")
        assert sending.result().texts == ["fine"]


@pytest.mark.parametrize("push", ["doubled", "reordered"])
async def test_pushes_twice_or_in_disorder_bring_one_result(push):
    async with pushing(Behaviour(steps=("a", "b", "c"), artifacts=FINE, push=push)) as it:
        ends = await it.sent()
        assert ends.texts == ["fine"]
        assert len(ends.of(AttemptSucceeded)) == len(ends.opened) == 1


@pytest.mark.parametrize("push", ["never", "wrong_token"])
async def test_where_no_push_arrives_a_slow_look_of_our_own_finds_the_result(push):
    soon = replace(PATIENT, poll_max_s=0.05, push_check_s=0.05)
    async with pushing(Behaviour(steps=("a",), work_s=0.05, artifacts=FINE, push=push), patience=soon) as it:
        assert (await it.sent()).texts == ["fine"]
        await it.fleet.until(lambda: not it.agent.counts.pushing)
        assert it.agent.counts.pushes == 0


@pytest.mark.parametrize("broken", [{"push": "refused"}, {}], ids=["its URL is refused", "it does not push"])
async def test_a_send_refused_because_of_the_webhook_goes_again_without_it_and_the_agent_is_remembered(broken):
    does_push = bool(broken)
    async with pushing(Behaviour(artifacts=FINE, **broken), patience=QUICK) as it:
        it.agent.specialist = replace(it.agent.specialist, pushing=does_push)
        assert (await it.sent()).texts == ["fine"]
        assert hooks_of(it) == [True, False]
        assert it.agent.counts.by_message == {"m-1": 2}
        assert it.agent.counts.tasks == 1
        await it.sent()
        assert it.agent.counts.by_message == {"m-1": 3}


async def test_a_send_refused_with_and_without_the_webhook_fails_in_the_agents_words_and_nothing_is_remembered():
    async with pushing([Behaviour(http_error=403), Behaviour(http_error=403), Behaviour(artifacts=FINE)]) as it:
        assert (await it.sent()).failure.kind is FailureKind.REFUSED
        assert (await it.sent()).texts == ["fine"]
        assert hooks_of(it) == [True, False, True]


async def test_without_a_webhook_an_agent_that_pushes_is_polled():
    async with pushing(Behaviour(steps=("a",), artifacts=FINE), patience=QUICK, webhook=False) as it:
        assert (await it.sent()).texts == ["fine"]
        assert it.agent.counts.sends == 1


async def test_a_task_taken_up_after_a_restart_is_polled_since_its_webhook_is_gone():
    async with pushing(Behaviour(never_ends=True), patience=QUICK) as it:
        attempt = Attempt()
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(it.sent(attempt=attempt))
            await attempt.opened.wait()
            sending.cancel()
            (task,) = it.agent.tasks.values()
            following = group.create_task(it.followed(task.id))
            before = it.agent.counts.gets
            await it.fleet.until(lambda: it.agent.counts.gets > before + 2)
            following.cancel()


async def test_a_flood_of_pushes_does_not_become_a_flood_of_looks():
    async with pushing(Behaviour(updates=400, holds=("end",))) as it:
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(it.sent())
            await it.fleet.until(lambda: it.agent.counts.pushes >= 400)
            looks = it.agent.counts.gets
            it.agent.release("end")
        assert 0 < looks < 100
        assert sending.result().of(AttemptSucceeded)


async def test_the_webhook_tells_who_knows_the_token_from_who_does_not_and_who_comes_late():
    async with pushing(Behaviour(never_ends=True)) as it, bare_http() as http:
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(it.sent())
            await it.fleet.until(lambda: it.agent.counts.gets)
            (send,) = [received for received in it.agent.received if received.operation == "send"]
            hook = send.params["configuration"]["taskPushNotificationConfig"]
            url, token = hook["url"], hook["token"]
            shown = [{}, {"X-A2A-Notification-Token": "x"}, {"Authorization": "Bearer é".encode("latin-1")}]
            assert [(await http.post(url, headers=headers)).status_code for headers in shown] == [401] * 3
            right = [{"X-A2A-Notification-Token": token}, {"Authorization": f"Bearer {token}"}]
            assert [(await http.post(url, headers=headers)).status_code for headers in right] == [204] * 2
            sending.cancel()
        assert (await http.post(url, headers=right[0])).status_code == 404


def test_each_attempt_has_an_address_and_a_token_of_its_own():
    pushes = Pushes("https://us.example/")
    with pushes.expecting() as one, pushes.expecting() as other:
        assert one.url != other.url
        assert one.token != other.token
        assert one.url.startswith(f"https://us.example{WEBHOOK}/")
        assert pushes.take(one.url.rpartition("/")[2], iter([other.token])) is False

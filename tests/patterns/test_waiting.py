"""How long a pattern waits and for whom, and what it makes of failures."""

import asyncio
from collections import Counter

import pytest

from coordinator.testing import Behaviour, Script, Specialist
from tests.escalation.rig import numbers, reply, results, state, words
from tests.patterns.rig import FAILED, FIVE, STUCK, held, pattern, says
from tests.planning.making import text
from tests.policies.rig import echo, given, release
from tests.protocol.clients import message, texts

LOST = Behaviour(end="rejected", end_text="not my job")


async def test_all_or_nothing_cancels_the_others_at_their_agents_when_one_fails(tmp_path):
    failing = Specialist("worker-5", Behaviour(end="failed", end_text="out of ideas", holds=("end",)))
    staff = [*(Specialist(name, STUCK) for name in FIVE[:4]), failing]
    async with pattern(tmp_path, "all-or-nothing", staff) as (fleet, coordinator), asyncio.TaskGroup() as group:
        asking = group.create_task(coordinator.ask())
        await fleet.until(lambda: fleet.counts.tasks == len(FIVE))
        release(fleet)
    answer = asking.result()
    assert answer.state == "FAILED"
    assert "worker-5" in answer.reason
    assert Counter(answer.outcomes.values()) == {"canceled": 4, "failed": 1}
    assert [fleet[name].counts.cancels for name in FIVE] == [1, 1, 1, 1, 0]
    assert not fleet.counts.open


async def test_best_effort_goes_on_with_four_of_five_and_says_who_is_missing(tmp_path):
    staff = [*map(says, FIVE[:4]), Specialist("worker-5", FAILED)]
    async with pattern(tmp_path, "best-effort", staff) as (_, coordinator):
        answer = await coordinator.ask()
    assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "partial")
    assert set(answer.parts[0]["answers"]) == set(FIVE[:4])
    assert answer.branches["work/worker-5"]["error"]["kind"] == "failed"


async def test_best_effort_fails_with_two_of_five_and_keeps_what_they_brought(tmp_path):
    staff = [*map(says, FIVE[:2]), *(Specialist(name, FAILED) for name in FIVE[2:])]
    async with pattern(tmp_path, "best-effort", staff) as (_, coordinator):
        answer = await coordinator.ask()
    assert answer.state == "FAILED"
    assert Counter(answer.outcomes.values()) == {"succeeded": 2, "failed": 3}
    assert answer.parts == ["worker-1", "worker-2"]


@pytest.mark.parametrize("limit", ["branch_timeout", "deadline"])
async def test_stragglers_are_left_behind_and_canceled(tmp_path, limit):
    staff = [*map(says, FIVE[:4]), Specialist("worker-5", STUCK)]
    async with pattern(tmp_path, "stragglers", staff) as (fleet, coordinator):
        answer = await coordinator.ask(asked={"limits": {limit: "500ms"}})
    assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "partial")
    assert answer.outcomes["work/worker-5"] == "timed_out"
    assert set(answer.parts[0]["answers"]) == set(FIVE[:4])
    assert fleet["worker-5"].counts.cancels == 1


async def test_a_quorum_of_three_in_five_cancels_the_other_two(tmp_path):
    staff = [*held(FIVE[:3]), *(Specialist(name, STUCK) for name in FIVE[3:])]
    async with pattern(tmp_path, "quorum", staff) as (fleet, coordinator), asyncio.TaskGroup() as group:
        asking = group.create_task(coordinator.ask())
        await fleet.until(lambda: fleet.counts.tasks == len(FIVE))
        release(fleet)
    answer = asking.result()
    assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "complete")
    assert Counter(answer.outcomes.values()) == {"succeeded": 3, "canceled": 2}
    assert [fleet[name].counts.cancels for name in FIVE] == [0, 0, 0, 1, 1]


async def test_a_quorum_out_of_reach_is_given_up_at_once(tmp_path):
    staff = [*(Specialist(name, FAILED) for name in FIVE[:3]), *(Specialist(name, STUCK) for name in FIVE[3:])]
    async with pattern(tmp_path, "quorum", staff) as (fleet, coordinator):
        assert (await coordinator.ask()).state == "FAILED"
    assert not fleet.counts.open


async def test_in_a_race_the_first_success_wins_and_a_failure_does_not(tmp_path):
    staff = [Specialist("a", FAILED), *held("b"), Specialist("c", STUCK)]
    async with pattern(tmp_path, "race", staff) as (fleet, coordinator), asyncio.TaskGroup() as group:
        asking = group.create_task(coordinator.ask())
        await fleet.until(lambda: fleet.counts.tasks == 3 and not fleet["a"].counts.open)
        release(fleet)
    answer = asking.result()
    assert (answer.state, answer.parts) == ("COMPLETED", ["b"])
    assert [fleet[name].counts.cancels for name in "abc"] == [0, 0, 1]


async def test_an_early_answer_is_followed_by_what_the_others_bring(tmp_path):
    async with pattern(tmp_path, "early-answer", [says("quick"), *held(["slow"])]) as (fleet, coordinator):
        told = []
        async for event in coordinator.caller.stream(message()):
            if event.HasField("artifact_update"):
                told.append((event.artifact_update.artifact.artifact_id, *texts(event.artifact_update)))
                release(fleet)  # only when the first one has arrived
    assert told == [("work/merged", "quick"), ("work/late", "slow")]
    assert fleet.counts.cancels == 0


async def test_a_hedge_asks_a_second_agent_when_the_first_one_is_slow_and_cancels_who_loses(tmp_path):
    async with pattern(tmp_path, "hedge", [Specialist("a", STUCK), says("b")]) as (fleet, coordinator):
        answer = await coordinator.ask()
    assert (answer.state, answer.parts) == ("COMPLETED", ["b"])
    assert (fleet["a"].counts.cancels, fleet["b"].counts.tasks) == (1, 1)


async def test_without_need_a_hedge_asks_nobody_else(tmp_path):
    async with pattern(tmp_path, "hedge", [says("a"), says("b")]) as (fleet, coordinator):
        assert (await coordinator.ask()).parts == ["a"]
        assert fleet["b"].counts.sends == 0


async def test_retry_asks_an_overloaded_agent_again_and_one_that_refuses_not(tmp_path):
    busy = Specialist(
        "busy", Script((Behaviour(http_error=503), Behaviour(http_error=429, retry_after=0.1), Behaviour()))
    )
    async with pattern(tmp_path, "retry", [busy, Specialist("refusing", LOST)]) as (fleet, coordinator):
        answer = await coordinator.ask()
    assert answer.state == "FAILED"
    assert {name: branch["attempts"] for name, branch in answer.branches.items()} == {
        "work/busy": 3,
        "work/refusing": 1,
    }
    assert answer.outcomes == {"work/busy": "succeeded", "work/refusing": "failed"}
    assert (fleet["busy"].counts.tasks, fleet["busy"].counts.sends, fleet["refusing"].counts.sends) == (1, 3, 1)


async def test_fallback_gives_the_request_to_another_agent_until_one_can_do_it(tmp_path):
    staff = [Specialist("a", LOST), Specialist("b", FAILED), says("c"), says("d")]
    async with pattern(tmp_path, "fallback", staff) as (fleet, coordinator):
        answer = await coordinator.ask()
    assert (answer.state, answer.parts) == ("COMPLETED", ["c"])
    assert answer.branches["work/a"]["agents"] == ["a", "b", "c"]
    assert fleet["d"].counts.sends == 0


async def test_escalation_asks_the_client_and_keeps_what_has_finished(tmp_path):
    failing = Specialist("worker-2", Script((FAILED, Behaviour())))
    async with pattern(tmp_path, "escalate", [says("worker-1"), failing]) as (fleet, coordinator):
        task = await coordinator.caller.send(message("go"))
        assert (state(task), numbers(task)) == ("INPUT_REQUIRED", [1])
        assert "out of ideas" in words(task)
        task = await coordinator.caller.send(reply(task, "retry"))
    assert state(task) == "COMPLETED"
    assert set(results(task)[0]["answers"]) == {"worker-1", "worker-2"}
    assert (fleet["worker-1"].counts.tasks, fleet["worker-2"].counts.tasks) == (1, 2)


async def test_waves_never_have_more_than_five_at_work_and_leave_nothing_out(tmp_path):
    lines = [f"line {number}" for number in range(23)]
    async with pattern(tmp_path, "waves", held(FIVE)) as (fleet, coordinator), asyncio.TaskGroup() as group:
        echo(fleet.agents.values())
        asking = group.create_task(coordinator.ask(text("\n".join(lines))))
        most = await _in_waves(fleet, len(lines))
    assert most == 5
    assert asking.result().parts == lines


async def _in_waves(fleet, count):
    """Release the agents whenever a wave is full; return how many tasks were ever open."""
    most = done = 0
    while done < count:
        wave = min(5, count - done)
        await fleet.until(lambda: fleet.counts.tasks == done + wave)  # noqa: B023 - it is over before they change
        most = max(most, fleet.counts.open)
        release(fleet)
        await fleet.until(lambda: not fleet.counts.open or fleet.counts.tasks > done + wave)  # noqa: B023
        done += wave
    return most


async def test_batches_hold_each_item_once_and_a_short_list_is_one_sub_task(tmp_path):
    lines = [f"mail {number}" for number in range(45)]
    async with pattern(tmp_path, "batches", FIVE[:3]) as (fleet, coordinator):
        echo(fleet.agents.values())
        answer = await coordinator.ask(text("\n".join(lines)))
        assert Counter(line for (part,) in given(fleet) for line in part.splitlines()) == Counter(lines)
        assert [len(part.splitlines()) for part in answer.parts] == [5] * 9
        assert "\n".join(answer.parts).splitlines() == lines
        fleet.reset()
        await coordinator.ask(text("\n".join(lines[:9])))
        assert fleet.counts.tasks == 1

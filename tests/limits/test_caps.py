"""How many branches are under way at once, counted at the specialists."""

import asyncio

from coordinator import testing
from coordinator.testing import Behaviour, Specialist, crowd
from tests.limits.seeing import LINES, agent, highest, hold, letting_go, plan, told
from tests.planning.making import text
from tests.policies.rig import coordinating
from tests.protocol.clients import message


def lines(count):
    return text("\n".join(f"item {number}" for number in range(count)))


async def test_a_thousand_branches_over_a_hundred_agents_never_exceed_50_at_once_or_5_at_one_agent(tmp_path):
    slow = [f"worker-{number:02}" for number in range(10)]
    wide = plan(fan_out={"split": LINES})
    caps = {"max_branches": 50, "agent_concurrency": 5}
    async with (
        testing.fleet(crowd(100, Specialist("worker"))) as fleet,
        coordinating(tmp_path, fleet, wide, **caps) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        hold(fleet)
        asked = group.create_task(coordinator.ask(lines(1000)))
        await fleet.until(lambda: fleet.counts.open == 50)
        assert (await told(coordinator))["load"]["branches"] == {"most": 50, "inUse": 50, "waiting": 950}
        letting_go(fleet, *(name for name in fleet.agents if name not in slow))
        # The quick ones go on until the slow ones hold every place there is: five each, fifty in all.
        await fleet.until(lambda: all(fleet[name].counts.open == 5 for name in slow), timeout_s=30)
        letting_go(fleet)
        answer = await asked
    assert answer.record["tally"] == {"total": 1000, "succeeded": 1000, "failed": 0, "canceled": 0}
    assert (fleet.counts.most_open, highest(fleet)) == (50, 5)
    assert (fleet.counts.tasks, fleet.counts.doubled, fleet.counts.open) == (1000, [], 0)


async def test_the_cap_of_the_process_holds_for_all_coordinations_together(tmp_path):
    async with (
        testing.fleet(crowd(6)) as fleet,
        coordinating(tmp_path, fleet, plan(), max_branches=7) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        hold(fleet)
        asked = [group.create_task(coordinator.ask()) for _ in range(3)]
        await fleet.until(lambda: fleet.counts.open == 7)
        letting_go(fleet)
        answers = [await one for one in asked]
    assert [answer.state for answer in answers] == ["COMPLETED"] * 3
    assert (fleet.counts.most_open, fleet.counts.tasks) == (7, 18)


async def test_an_agents_own_entry_goes_before_the_common_cap(tmp_path):
    cards = tmp_path / "own"
    async with testing.fleet(["ada", "bob"]) as fleet:
        fleet.write_cards(cards)
        entries = ({"card": str(cards / "ada.json"), "concurrency": 2}, {"card": str(cards / "bob.json")})
        split = plan(fan_out={"split": LINES})
        async with (
            coordinating(tmp_path, fleet, split, agents=entries, agent_concurrency=3) as coordinator,
            asyncio.TaskGroup() as group,
        ):
            hold(fleet)
            asked = group.create_task(coordinator.ask(lines(10)))
            await fleet.until(lambda: fleet.counts.open == 5)
            letting_go(fleet)
            answer = await asked
    assert answer.state == "COMPLETED"
    assert (fleet["ada"].counts.most_open, fleet["bob"].counts.most_open) == (2, 3)


async def test_a_branch_that_waits_for_a_place_is_shown_as_queued_and_its_wait_is_counted(tmp_path):
    seen = []
    async with (
        testing.fleet(["ada", "bob"]) as fleet,
        coordinating(tmp_path, fleet, plan(), max_branches=1) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        hold(fleet, "ada")
        asked = group.create_task(coordinator.ask(watch=seen.append))
        await fleet.until(fleet["ada"].waiting)
        async with asyncio.timeout(10):
            while not any(shown(progress)["ada"] == "working" for progress in seen):  # noqa: ASYNC110 - a list
                await asyncio.sleep(0.01)
        letting_go(fleet)
        answer = await asked
    assert {shown(progress)["bob"] for progress in seen if shown(progress)["ada"] == "working"} == {"queued"}
    first, second = answer.branches["work/ada"], answer.branches["work/bob"]
    assert second["queueSeconds"] >= first["queueSeconds"] + first["runSeconds"]


def shown(progress):
    return {branch["agent"]: branch["state"] for branch in progress["branches"]}


async def test_a_deadline_ends_the_wait_for_a_place_and_nothing_was_sent(tmp_path):
    hurried = plan(limits={"deadline": "300ms"}, barrier={"need": 0})
    async with (
        testing.fleet(["ada", "bob"]) as fleet,
        coordinating(tmp_path, fleet, hurried, max_branches=1) as coordinator,
    ):
        hold(fleet)
        answer = await coordinator.ask()
        assert answer.outcomes == {"work/ada": "timed_out", "work/bob": "timed_out"}
        await fleet.until(lambda: not fleet.counts.open)
        letting_go(fleet)
        assert (await coordinator.ask(asked={"limits": {"deadline": "20s"}})).state == "COMPLETED"
    assert (fleet["ada"].counts.cancels, fleet["bob"].counts.cancels) == (1, 0)
    assert (fleet["ada"].counts.tasks, fleet["bob"].counts.tasks) == (2, 1)


async def test_a_place_is_free_only_when_the_canceled_task_has_ended_at_the_agent(tmp_path):
    slow_to_cancel = Behaviour(holds=("end", "cancel"))
    async with (
        testing.fleet([Specialist("ada", slow_to_cancel), "bob"]) as fleet,
        coordinating(tmp_path, fleet, plan(to={"agents": ["ada"]}), plan("other"), max_branches=1) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        task = await coordinator.caller.send(message(), return_immediately=True)
        await fleet.until(fleet["ada"].waiting)
        await coordinator.caller.cancel(task.id)
        await fleet.until(lambda: fleet["ada"].waiting("cancel"))
        waiting = group.create_task(coordinator.ask(plan="other"))
        await until_waiting(coordinator, 2)
        assert not fleet["bob"].counts.sends
        fleet["ada"].behave(Behaviour())
        letting_go(fleet)
        assert (await waiting).state == "COMPLETED"
    assert fleet.counts.most_open == 1


async def until_waiting(coordinator, count):
    async with asyncio.timeout(10):
        while (await told(coordinator))["load"]["branches"]["waiting"] != count:  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.01)


async def test_an_agent_that_has_no_time_gets_half_at_once_and_more_again_as_it_accepts(tmp_path):
    retrying = {"retry": {"attempts": 2, "backoff": "10ms..20ms"}}
    split = plan(fan_out={"split": LINES}, on_failure=retrying)
    busy = [*[Behaviour(http_error=429)] * 8, Behaviour()]
    async with (
        testing.fleet([Specialist("ada", busy)]) as fleet,
        coordinating(tmp_path, fleet, split, agent_concurrency=8) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        fleet["ada"].hold("arrival")
        asked = group.create_task(coordinator.ask(lines(8)))
        await fleet.until(lambda: fleet["ada"].waiting("arrival") == 8)
        fleet["ada"].hold("end")
        fleet["ada"].release("arrival")
        await fleet.until(lambda: fleet["ada"].counts.open == 5)
        # Four of eight, and one more for the four it took.
        assert (await agent(coordinator, "ada"))["branches"] == {"cap": 5, "most": 8, "inUse": 5, "waiting": 3}
        letting_go(fleet)
        answer = await asked
        assert (await agent(coordinator, "ada"))["circuit"]["failures"] == 0
    assert (answer.state, answer.record["tally"]["succeeded"]) == ("COMPLETED", 8)
    assert {branch["attempts"] for branch in answer.branches.values()} == {2}


async def test_the_cap_of_a_coordination_holds_beside_the_others(tmp_path):
    async with (
        testing.fleet(crowd(6)) as fleet,
        coordinating(tmp_path, fleet, plan(), max_branches=5) as coordinator,
        asyncio.TaskGroup() as group,
    ):
        hold(fleet)
        narrow = group.create_task(coordinator.ask(asked={"limits": {"concurrency": 3}}))
        await fleet.until(lambda: fleet.counts.open == 3)
        wide = group.create_task(coordinator.ask())
        await fleet.until(lambda: fleet.counts.open == 5)
        letting_go(fleet)
        assert [(await one).state for one in (narrow, wide)] == ["COMPLETED"] * 2
    assert fleet.counts.most_open == 5

"""Whole patterns from plan files: batches, chains, races, quorums, hedges, stragglers, planned work."""

import asyncio
from collections import Counter

import pytest
from a2a.types import a2a_pb2 as a2a

from coordinator import testing
from coordinator.testing import Behaviour, Specialist, answers, crowd
from tests.planning.making import files, text
from tests.policies.rig import coordinating, echo, given, release, settled, told
from tests.protocol.clients import message, texts

ITEMS = [f"item-{number:03}" for number in range(200)]
FOUR = ("ada", "bob", "cleo", "dora")
BATCHES = {
    "name": "batches",
    "description": "Deals lines out in tens.",
    "stages": {
        "work": {
            "fan_out": {"to": {"agents": list(FOUR)}, "split": {"items": "lines", "batch": 10}},
            "on_failure": {"fallback": 3},
        }
    },
}
REFUSING = Behaviour(end="rejected", end_text="not my job")


def one_stage(name, to, **stage):
    """Return a plan whose one stage is named `work`."""
    fan_out = {"to": to} | stage.pop("fan_out", {})
    return {"name": name, "description": "One stage.", "stages": {"work": {"fan_out": fan_out} | stage}}


def lines(parts):
    """Return the lines of all texts."""
    return [line for part in parts for line in part.splitlines()]


async def test_200_items_in_tens_over_four_agents_are_each_done_once_and_stay_in_order(tmp_path):
    async with testing.fleet(FOUR) as fleet, coordinating(tmp_path, fleet, BATCHES) as coordinator:
        echo(fleet.agents.values())
        answer = await coordinator.ask(text("\n".join(ITEMS)))
        assert answer.state == "COMPLETED"
        assert lines(answer.parts) == ITEMS
        assert Counter(lines(part for parts in given(fleet) for part in parts)) == Counter(ITEMS)
        assert {name: fleet[name].counts.tasks for name in FOUR} == dict.fromkeys(FOUR, 5)


async def test_the_batches_of_an_agent_that_refuses_everything_move_to_the_others(tmp_path):
    staff = [Specialist("ada", REFUSING), *FOUR[1:]]
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, BATCHES) as coordinator:
        echo(fleet[name] for name in FOUR[1:])
        answer = await coordinator.ask(text("\n".join(ITEMS)))
        assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "complete")
        assert lines(answer.parts) == ITEMS
        done = [part for parts in given(fleet, *FOUR[1:]) for part in parts]
        assert Counter(lines(done)) == Counter(ITEMS)
        moved = [branch["agents"] for branch in answer.branches.values() if branch["attempts"] > 1]
        assert moved == [["ada", "bob"]] * 5


CHAIN = {
    "name": "chain",
    "description": "Parse, analyse what was found, summarise.",
    "parameters": {"language": {"default": "English"}},
    "stages": {
        "parse": {"fan_out": {"to": {"agents": ["parser"]}}},
        "analyse": {
            "fan_out": {
                "to": {"skill": "analyse"},
                "split": {"of": "parse", "items": "found.files", "batch": 1},
                "template": "Analyse $items ($index of $count).",
                "message": False,
            },
        },
        "summarise": {
            "fan_out": {
                "to": {"agents": ["writer"]},
                "uses": ["analyse"],
                "template": "Summarise in $language.",
                "message": False,
            },
        },
    },
}


async def test_a_chain_fans_out_over_what_its_first_stage_found_and_ends_in_a_summary(tmp_path):
    found = answers.data({"found": {"files": ["a.py", "b.py", "c.py"]}, "seconds": 2})
    staff = [
        Specialist("parser", Behaviour(artifacts=(found,))),
        Specialist("first", told("fine"), skills=("analyse",)),
        Specialist("second", told("fine"), skills=("analyse",)),
        Specialist("writer", told("all is fine")),
    ]
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, CHAIN) as coordinator:
        answer = await coordinator.ask(text("look"), *files("code.zip"), asked={"parameters": {"language": "Danish"}})
        assert (answer.state, answer.parts) == ("COMPLETED", ["all is fine"])
        assert given(fleet, "parser") == [["look", "code.zip"]]
        assert sorted(given(fleet, "first", "second")) == [
            [f"Analyse {name} ({number} of 3).", {"found": {"files": [name]}}]
            for number, name in enumerate(["a.py", "b.py", "c.py"], start=1)
        ]
        assert fleet["first"].counts.tasks == 2
        assert given(fleet, "writer") == [["Summarise in Danish.", "fine", "fine", "fine"]]
        assert list(answer.branches) == [
            "parse/parser",
            "analyse/1",
            "analyse/2",
            "analyse/3",
            "summarise/writer",
        ]


async def test_a_chain_whose_first_stage_finds_nothing_fails_and_says_so(tmp_path):
    staff = [
        Specialist("parser", Behaviour(artifacts=(answers.data({"found": {"files": []}}),))),
        Specialist("first", skills=("analyse",)),
        "writer",
    ]
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, CHAIN) as coordinator:
        answer = await coordinator.ask()
        assert answer.state == "FAILED"
        assert "stage analyse has no sub-tasks" in answer.reason
        assert "no found.files to split in what stage parse brought" in answer.reason
        assert fleet["first"].counts.sends == fleet["writer"].counts.sends == 0


async def test_in_a_race_the_first_answer_wins_and_the_others_are_canceled(tmp_path):
    race = one_stage("race", {"agents": ["ada", "bob", "eve"]}, barrier={"release": "first"})
    slow = Behaviour(never_ends=True)
    staff = [Specialist("ada", slow), Specialist("bob", told("me", holds=("end",))), Specialist("eve", slow)]
    async with testing.fleet(staff) as fleet:
        async with coordinating(tmp_path, fleet, race) as coordinator:

            def watch(progress):
                if all(branch["state"] == "working" for branch in progress["branches"]):
                    release(fleet)

            answer = await coordinator.ask(watch=watch)
        assert (answer.state, answer.parts, answer.record["verdict"]) == ("COMPLETED", ["me"], "complete")
        assert [fleet[name].counts.cancels for name in ("ada", "bob", "eve")] == [1, 0, 1]
        assert not fleet.counts.open


async def test_a_quorum_of_three_in_five_cancels_the_other_two_at_their_agents(tmp_path):
    quorum = one_stage("quorum", {"skill": "work"}, barrier={"release": "enough", "need": 0.6})
    quick, slow = Specialist("quick", told("yes", holds=("end",))), Specialist("slow", Behaviour(never_ends=True))
    staff = [*crowd(3, quick), *crowd(2, slow)]
    async with testing.fleet(staff) as fleet:
        async with coordinating(tmp_path, fleet, quorum) as coordinator, asyncio.TaskGroup() as group:
            asking = group.create_task(coordinator.ask())
            await fleet.until(lambda: fleet.counts.tasks == 5)
            release(fleet)
        answer = asking.result()
        assert (answer.state, answer.parts) == ("COMPLETED", ["yes", "yes", "yes"])
        assert answer.record["verdict"] == "complete"
        assert Counter(answer.outcomes.values()) == {"succeeded": 3, "canceled": 2}
        assert [fleet[f"slow-{number}"].counts.cancels for number in range(2)] == [1, 1]
        assert fleet.counts.cancels == 2
        assert not fleet.counts.open


async def test_a_hedge_beats_a_slow_agent_and_cancels_it(tmp_path):
    hedged = one_stage("hedged", {"agents": ["ada", "bob"], "most": 1}, on_failure={"hedge": "20ms"})
    staff = [Specialist("ada", Behaviour(never_ends=True)), Specialist("bob", told("mine"))]
    async with testing.fleet(staff) as fleet:
        async with coordinating(tmp_path, fleet, hedged) as coordinator:
            answer = await coordinator.ask()
        assert (answer.state, answer.parts) == ("COMPLETED", ["mine"])
        assert answer.branches["work/ada"]["agents"] == ["ada", "bob"]
        assert (fleet["ada"].counts.cancels, fleet["bob"].counts.cancels) == (1, 0)
        assert not fleet.counts.open


async def test_a_hedge_that_loses_is_canceled(tmp_path):
    hedged = one_stage("hedged", {"agents": ["ada", "bob"], "most": 1}, on_failure={"hedge": "20ms"})
    staff = [Specialist("ada", told("mine", holds=("end",))), Specialist("bob", Behaviour(never_ends=True))]
    async with testing.fleet(staff) as fleet:
        async with coordinating(tmp_path, fleet, hedged) as coordinator, asyncio.TaskGroup() as group:
            asking = group.create_task(coordinator.ask())
            await fleet.until(lambda: fleet["bob"].counts.tasks)
            release(fleet)
        answer = asking.result()
        assert (answer.state, answer.parts) == ("COMPLETED", ["mine"])
        assert (fleet["ada"].counts.cancels, fleet["bob"].counts.cancels) == (0, 1)


async def test_stragglers_that_go_on_bring_a_follow_up_artifact_after_the_first_one_was_told(tmp_path):
    barrier = {"release": "first", "stragglers": "continue"}
    going_on = one_stage("going-on", {"agents": ["ada", "bob"]}, barrier=barrier)
    staff = [Specialist("ada", told("at once")), Specialist("bob", told("later", holds=("end",)))]
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, going_on) as coordinator:
        artifacts, states = [], []
        async for event in coordinator.caller.stream(message("hi")):
            if event.HasField("artifact_update"):
                artifacts.append((event.artifact_update.artifact.artifact_id, *texts(event.artifact_update)))
                release(fleet)  # only when the first one has arrived
            if event.HasField("status_update"):
                states.append(event.status_update.status.state)
        assert artifacts == [("work/merged", "at once"), ("work/late", "later")]
        assert states[-1] == a2a.TASK_STATE_COMPLETED
        assert fleet.counts.cancels == 0


TASK_LIST = one_stage("task-list", {"skill": "work"}, fan_out={"planned_by": "client"}, on_failure={"fallback": 1})


async def test_a_list_of_the_client_runs_in_the_order_its_dependencies_ask_for(tmp_path):
    tasks = [
        {"id": "judge", "text": "Judge.", "after": ["left", "right"], "agent": "bob"},
        {"id": "left", "text": "Left.", "parts": [1], "skill": "read"},
        {"id": "right", "text": "Right.", "agent": "ada"},
    ]
    staff = [Specialist("ada", told("from ada")), Specialist("bob", told("from bob"), skills=("work", "read"))]
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, TASK_LIST) as coordinator:
        answer = await coordinator.ask(text("hello"), *files("a.py"), asked={"tasks": tasks})
        assert answer.state == "COMPLETED"
        assert given(fleet, "ada") == [["Right."]]
        assert given(fleet, "bob") == [["Left.", "a.py"], ["Judge.", "from bob", "from ada"]]
        assert answer.parts == ["from bob", "from bob", "from ada"]
        assert list(answer.branches) == ["work/judge", "work/left", "work/right"]


async def test_what_depends_on_a_task_that_failed_is_not_sent(tmp_path):
    tasks = [{"id": "one", "text": "One."}, {"id": "two", "text": "Two.", "after": ["one"]}]
    tasks += [{"id": "three", "text": "Three.", "after": ["two"]}]
    plan = one_stage("task-list", {"skill": "work"}, fan_out={"planned_by": "client"})
    async with (
        testing.fleet([Specialist("ada", REFUSING)]) as fleet,
        coordinating(tmp_path, fleet, plan) as coordinator,
    ):
        answer = await coordinator.ask(asked={"tasks": tasks})
        assert answer.state == "FAILED"
        kinds = {name: branch["error"]["kind"] for name, branch in answer.branches.items()}
        assert kinds == {"work/one": "rejected", "work/two": "dependency", "work/three": "dependency"}
        assert given(fleet) == [["One."]]


async def test_a_wrong_list_of_the_client_is_refused_before_anything_is_sent(tmp_path):
    async with testing.fleet(["ada"]) as fleet, coordinating(tmp_path, fleet, TASK_LIST) as coordinator:
        for tasks in ([{"id": "one", "text": "x", "agent": "nobody"}], [{"id": "one", "text": "x", "after": ["one"]}]):
            answer = await coordinator.ask(asked={"tasks": tasks})
            assert answer.state == "refused"
            assert "tasks" in answer.refusal
        assert fleet.counts.sends == 0


PLANNER = {
    "name": "planner",
    "description": "An agent plans, others work.",
    "stages": {
        "plan": {"fan_out": {"to": {"agents": ["planner"]}}},
        "work": {"fan_out": {"to": {"agents": ["ada", "bob"]}, "planned_by": "plan", "most_sub_tasks": 3}},
    },
}


def planning(*tasks):
    """Return the staff of a network whose planner answers with *tasks*."""
    planner = Specialist("planner", Behaviour(artifacts=(answers.data({"tasks": list(tasks)}),)))
    return [planner, Specialist("ada", told("ada")), Specialist("bob", told("bob")), "eve"]


async def test_the_sub_tasks_a_planner_answers_with_are_done(tmp_path):
    tasks = [
        {"id": "draft", "text": "Draft.", "parts": [0], "agent": "bob"},
        {"id": "polish", "text": "Polish.", "after": ["draft"], "agent": "ada"},
    ]
    async with testing.fleet(planning(*tasks)) as fleet, coordinating(tmp_path, fleet, PLANNER) as coordinator:
        answer = await coordinator.ask(text("a poem"))
        assert (answer.state, answer.parts) == ("COMPLETED", ["bob", "ada"])
        assert given(fleet, "planner") == [["a poem"]]
        assert given(fleet, "bob", "ada") == [["Draft.", "a poem"], ["Polish.", "bob"]]


@pytest.mark.parametrize(
    ("tasks", "told_"),
    [
        ([{"id": str(number), "text": "go"} for number in range(4)], "4 sub-tasks are more than the 3 allowed"),
        ([{"id": "one", "text": "go", "agent": "eve"}], "agent eve is not to be had; there are: ada, bob"),
        ([{"id": "one", "text": "go", "url": "http://x.example/"}], "the plan is wrong: tasks.0.url"),
        ([{"id": "one", "text": "go", "after": ["one"]}], "tasks wait for each other in a circle"),
        ([], "the plan is wrong: tasks"),
    ],
    ids=["too many", "a stranger", "a new field", "a circle", "nothing"],
)
async def test_a_wrong_plan_of_a_planner_fails_the_task_with_the_reason_and_nobody_else_is_asked(
    tmp_path, tasks, told_
):
    async with testing.fleet(planning(*tasks)) as fleet, coordinating(tmp_path, fleet, PLANNER) as coordinator:
        answer = await coordinator.ask()
        assert answer.state == "FAILED"
        assert "stage work has no sub-tasks" in answer.reason
        assert told_ in answer.reason
        assert fleet.counts.sends == fleet["planner"].counts.sends == 1


async def test_a_stage_for_its_own_sake_runs_beside_the_answer(tmp_path):
    plan = {
        "name": "beside",
        "description": "One answers, one is told.",
        "answer": "ask",
        "stages": {
            "ask": {"fan_out": {"to": {"agents": ["ada"]}}},
            "note": {"fan_out": {"to": {"agents": ["bob"]}, "uses": ["ask"]}},
        },
    }
    staff = [Specialist("ada", told("yes")), Specialist("bob", told("noted"))]
    async with testing.fleet(staff) as fleet, coordinating(tmp_path, fleet, plan) as coordinator:
        answer = await coordinator.ask()
        assert (answer.state, answer.parts) == ("COMPLETED", ["yes"])
        assert given(fleet, "bob") == [["hello", "yes"]]


async def test_independent_stages_are_under_way_at_once(tmp_path):
    stages = {
        "left": {"fan_out": {"to": {"agents": ["ada"]}}},
        "right": {"fan_out": {"to": {"agents": ["bob"]}}},
        "end": {"fan_out": {"to": {"agents": ["eve"]}, "uses": ["left", "right"], "message": False}},
    }
    plan = {"name": "diamond", "description": "Two sides, one end.", "stages": stages}
    staff = [Specialist(name, told(name, holds=("end",))) for name in ("ada", "bob")]
    async with testing.fleet([*staff, "eve"]) as fleet, coordinating(tmp_path, fleet, plan) as coordinator:

        def watch(progress):
            assert settled(progress) or fleet["eve"].counts.sends == 0
            if [branch["state"] for branch in progress["branches"]] == ["working", "working"]:
                release(fleet)

        answer = await coordinator.ask(watch=watch)
        assert answer.state == "COMPLETED"
        assert given(fleet, "eve") == [["ada", "bob"]]

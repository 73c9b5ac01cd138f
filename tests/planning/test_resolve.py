"""Choosing agents: by name, skill and tag, always in the same order; what a client may say about it."""

import pytest

from coordinator.core.model import Limits, Retry, Split, Stragglers
from coordinator.errors import RequestRefused
from coordinator.planning import Asked, agents_of, resolve
from tests.planning.making import a_stage, candidate, files, plan

AGENTS = [
    candidate("zoe", skills=["review"], tags=["fast"]),
    candidate("adam", skills=["review", "lint"]),
    candidate("mary", skills=["lint"], tags=["fast"]),
]


def to(**chosen):
    """Return a plan that sends to *chosen*."""
    return plan({"only": a_stage(to=chosen)})


def names(resolved, stage="only"):
    """Return the ids of the sub-tasks of a stage."""
    return [draft.id for draft in resolved.drafts[stage]]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"skill": "review"}, ["adam", "zoe"]),
        ({"tag": "fast"}, ["mary", "zoe"]),
        ({"agents": ["zoe", "adam"]}, ["zoe", "adam"]),
    ],
)
def test_agents_are_chosen_by_skill_tag_or_name(chosen, expected):
    resolved = resolve(to(**chosen), AGENTS)
    assert names(resolved) == expected
    assert [agent.name for agent in resolved.plan.stages[0].agents] == expected


def test_the_order_in_which_cards_were_read_makes_no_difference():
    assert resolve(to(skill="review"), AGENTS) == resolve(to(skill="review"), AGENTS[::-1])


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"skill": "poetry"}, "no agent has the skill poetry; known agents: adam, mary, zoe"),
        ({"tag": "slow"}, "no agent has the tag slow"),
        ({"agents": ["zoe", "bob"]}, "no agent is named bob"),
    ],
)
def test_nobody_to_do_it_is_refused_with_the_agents_there_are(chosen, told):
    with pytest.raises(RequestRefused, match=told) as refusal:
        resolve(to(**chosen), AGENTS)
    assert refusal.value.field == "plan"
    with pytest.raises(RequestRefused, match=told):
        agents_of(to(**chosen), AGENTS)


def test_an_empty_directory_says_what_to_do():
    with pytest.raises(RequestRefused, match="--agents"):
        resolve(to(skill="review"), [])


def test_most_leaves_the_others_as_stand_ins():
    resolved = resolve(
        plan({"only": a_stage(to={"skill": "lint", "most": 1}) | {"on_failure": {"fallback": 9}}}), AGENTS
    )
    stage = resolved.plan.stages[0]
    assert names(resolved) == ["adam"]
    assert [agent.name for agent in stage.stand_ins] == ["mary"]
    assert [agent.name for agent in resolved.drafts["only"][0].others] == ["mary"]


def test_everybody_else_stands_in_the_next_one_first():
    stage = a_stage(to={"agents": ["zoe", "adam", "mary"]}) | {"on_failure": {"fallback": 9}}
    drafts = resolve(plan({"only": stage}), AGENTS).drafts["only"]
    others = [[agent.name for agent in draft.others] for draft in drafts]
    assert others == [["adam", "mary"], ["mary", "zoe"], ["zoe", "adam"]]


@pytest.mark.parametrize(
    ("policy", "number"), [({}, 0), ({"fallback": 1}, 1), ({"hedge": "1s"}, 1), ({"fallback": 1, "hedge": "1s"}, 2)]
)
def test_no_more_stand_ins_are_written_down_than_the_policy_can_use(policy, number):
    stage = a_stage(to={"agents": ["zoe", "adam", "mary"]}) | {"on_failure": policy}
    drafts = resolve(plan({"only": stage}), AGENTS).drafts["only"]
    assert [len(draft.others) for draft in drafts] == [number] * 3


def test_the_agents_of_a_plan_are_known_without_a_message():
    file = plan({"read": a_stage(split={"of": "message"}), "judge": a_stage(to={"skill": "lint"}, uses=["read"])})
    chosen = {stage: [agent.name for agent in agents] for stage, agents in agents_of(file, AGENTS).items()}
    assert chosen == {"read": ["adam", "zoe"], "judge": ["adam", "mary"]}


@pytest.mark.parametrize("fan_out", [{}, {"split": {}}])
def test_more_successes_than_sub_tasks_can_never_be_met_and_are_refused(fan_out):
    file = plan({"only": a_stage(**fan_out) | {"barrier": {"need": 3}}})
    with pytest.raises(RequestRefused, match="needs 3 successes, but there are only 2 sub-tasks") as refusal:
        resolve(file, AGENTS, message=files("a", "b"))
    assert refusal.value.field == "plan"


def test_sub_tasks_take_the_parts_of_the_message_which_are_not_repeated_for_each():
    assert [draft.parts for draft in resolve(to(skill="review"), AGENTS).drafts["only"]] == [None, None]


def test_every_option_arrives_in_the_core():
    stage = a_stage(
        to={"skill": "review", "most": 1},
        split={"items": "parts", "batch": 2, "at_least": 3},
        template="$items!",
        message=False,
        most_sub_tasks=7,
    ) | {
        "limits": {"concurrency": 4, "branch_timeout": "2s", "deadline": "3s"},
        "on_failure": {"retry": {"attempts": 2, "backoff": "1s..2s"}, "fallback": 1, "hedge": "250ms"},
        "barrier": {"release": "enough", "need": 1, "stragglers": "continue"},
    }
    resolved = resolve(plan({"only": stage}, deadline="9s", retry_budget=5), AGENTS, message=files("a", "b"))
    only = resolved.plan.stages[0]
    assert (resolved.plan.deadline_s, resolved.plan.retry_budget, resolved.plan.answer) == (9.0, 5, "only")
    assert only.split == Split("message", "parts", 2, None, 3)
    assert (only.template, only.with_message, only.most_sub_tasks) == ("$items!", False, 7)
    assert only.limits == Limits(4, 2.0, 3.0)
    assert (only.retry, only.fallback, only.hedge_s) == (Retry(2, 1.0, 2.0), 1, 0.25)
    assert only.stragglers is Stragglers.CONTINUE


@pytest.mark.parametrize(
    ("asked", "applied"),
    [
        (Limits(), Limits(10, 30.0, None)),
        (Limits(3, 5.0, 7.0), Limits(3, 5.0, 7.0)),
        (Limits(50, 60.0, 99.0), Limits(10, 30.0, 99.0)),
    ],
)
def test_a_client_narrows_limits_and_never_widens_them(asked, applied):
    file = plan({"only": a_stage() | {"limits": {"concurrency": 10, "branch_timeout": "30s"}}})
    assert resolve(file, AGENTS, Asked(asked)).plan.stages[0].limits == applied


@pytest.mark.parametrize(("ours", "theirs", "applied"), [(None, 5.0, 5.0), ("9s", 5.0, 5.0), ("9s", 50.0, 9.0)])
def test_a_client_narrows_the_deadline_of_the_task_as_well(ours, theirs, applied):
    resolved = resolve(plan(deadline=ours), AGENTS, Asked(Limits(deadline_s=theirs)))
    assert resolved.plan.deadline_s == applied


def test_stages_come_after_those_they_draw_on_whatever_the_file_says():
    stages = {"last": a_stage(uses=["middle"]), "middle": a_stage(split={"of": "start", "items": "found"})}
    resolved = resolve(plan(stages | {"start": a_stage()}), AGENTS)
    assert [stage.name for stage in resolved.plan.stages] == ["start", "middle", "last"]
    assert resolved.plan.answer == "last"
    assert set(resolved.drafts) == {"start", "last"}


def test_who_a_merge_asks_has_to_be_known_as_well():
    asking = plan({"only": a_stage() | {"merge": {"strategy": "synthesize", "agent": "nobody"}}})
    with pytest.raises(RequestRefused, match="no agent is named nobody"):
        agents_of(asking, AGENTS)

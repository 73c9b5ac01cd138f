"""Choosing agents: by name, skill and tag, always in the same order."""

import pytest

from coordinator.core.model import AgentRef, Limits
from coordinator.errors import RequestRefused
from coordinator.planning import AgentCandidate, Narrowed, PlanFile, resolve


def candidate(name, *, skills=(), tags=()):
    return AgentCandidate(AgentRef(name, f"http://{name}.example/"), frozenset(skills), frozenset(tags))


AGENTS = [
    candidate("zoe", skills={"review"}, tags={"fast"}),
    candidate("adam", skills={"review", "lint"}),
    candidate("mary", skills={"lint"}, tags={"fast"}),
]


def plan(to, **stage):
    stage = {"fan_out": {"to": to}, **stage}
    return PlanFile.model_validate({"name": "p", "description": "d", "stages": {"s": stage}})


def names(resolved):
    return [sub_task.id for sub_task in resolved.stages[0].sub_tasks]


@pytest.mark.parametrize(
    ("to", "chosen"),
    [
        ({"skill": "review"}, ["adam", "zoe"]),
        ({"tag": "fast"}, ["mary", "zoe"]),
        ({"agents": ["zoe", "adam"]}, ["zoe", "adam"]),
    ],
)
def test_agents_are_chosen_by_skill_tag_or_name(to, chosen):
    assert names(resolve(plan(to), AGENTS)) == chosen


def test_the_order_in_which_cards_were_read_makes_no_difference():
    assert resolve(plan({"skill": "review"}), AGENTS) == resolve(plan({"skill": "review"}), AGENTS[::-1])


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ({"skill": "poetry"}, "no agent has the skill poetry; known agents: adam, mary, zoe"),
        ({"tag": "slow"}, "no agent has the tag slow"),
        ({"agents": ["zoe", "bob"]}, "no agent is named bob"),
    ],
)
def test_nobody_to_do_it_is_refused_with_the_agents_there_are(to, told):
    with pytest.raises(RequestRefused, match=told) as refusal:
        resolve(plan(to), AGENTS)
    assert refusal.value.field == "plan"


def test_an_empty_directory_says_what_to_do():
    with pytest.raises(RequestRefused, match="--agents"):
        resolve(plan({"skill": "review"}), [])


def test_more_successes_than_agents_can_never_be_met_and_are_refused():
    with pytest.raises(RequestRefused, match="needs 3 successes, but only 2 agents match"):
        resolve(plan({"skill": "review"}, barrier={"need": 3}), AGENTS)


def test_branches_take_the_parts_of_the_message_which_are_not_repeated_for_each():
    stage = resolve(plan({"skill": "review"}), AGENTS).stages[0]
    assert [sub_task.parts for sub_task in stage.sub_tasks] == [None, None]


@pytest.mark.parametrize(
    ("asked", "applied"),
    [
        (Limits(), Limits(10, 30.0, None)),
        (Limits(3, 5.0, 7.0), Limits(3, 5.0, 7.0)),
        (Limits(50, 60.0, 99.0), Limits(10, 30.0, 99.0)),
    ],
)
def test_a_client_narrows_limits_and_never_widens_them(asked, applied):
    file = plan({"skill": "review"}, limits={"concurrency": 10, "branch_timeout": "30s"})
    assert resolve(file, AGENTS, Narrowed(asked)).stages[0].limits == applied

"""Agents that say they are not ready: a plan they keep from its goal is refused, any other goes on."""

import pytest

from coordinator.errors import RequestRefused
from coordinator.planning import agents_of, resolve
from tests.planning.making import a_stage, candidate, plan, text

AGENTS = [
    candidate("ada", skills=["review"]),
    candidate("bob", skills=["review"], lacking="set BOB_KEY"),
    candidate("eve", skills=["write"], lacking="set EVE_KEY"),
]


def stage(*agents, most=None, **policies):
    to = {"agents": list(agents)} | ({"most": most} if most else {})
    return plan({"only": a_stage(to=to) | policies})


@pytest.mark.parametrize(
    "wanted",
    [
        stage("ada"),
        stage("ada", "bob", barrier={"need": 1}),
        stage("ada", "bob", barrier={"need": 0.5}),
        stage("ada", "bob", barrier={"release": "first"}),
        stage("ada", "bob", on_failure={"fallback": 1}),
        stage("bob", "ada", on_failure={"hedge": "1s"}, most=1),
    ],
    ids=["ready", "one needed", "half needed", "the first wins", "others take over", "another in its stead"],
)
def test_a_plan_that_can_do_without_goes_on(wanted):
    assert resolve(wanted, AGENTS, message=[text("go")])


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (stage("ada", "bob"), r"not ready: bob \(set BOB_KEY\)"),
        (stage("bob", barrier={"need": 0}), "not ready: bob"),
        (stage("bob", "eve", barrier={"release": "first"}), r"not ready: bob, eve \(set BOB_KEY\)"),
        (stage("bob", "eve", on_failure={"fallback": 1}), "not ready: bob, eve"),
        (
            stage("ada", merge={"strategy": "synthesize", "agent": "eve"}),
            r"eve, whom its merge asks, is not ready \(set EVE_KEY\)",
        ),
    ],
    ids=["all needed", "nobody left", "no first", "nobody to take over", "who writes"],
)
def test_a_plan_that_cannot_come_to_anything_is_refused_with_what_is_lacking(wanted, told):
    for look in (lambda: resolve(wanted, AGENTS, message=[text("go")]), lambda: agents_of(wanted, AGENTS)):
        with pytest.raises(RequestRefused, match=f"plan a-plan, stage only: {told}") as refusal:
            look()
        assert refusal.value.field == "plan"

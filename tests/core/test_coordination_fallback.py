"""Another agent takes over, and how much may be tried in all."""

import pytest

from coordinator.core.model import FailureKind, Limits, Need, Retry, SubTask
from coordinator.core.states import BranchState
from tests.core.building import T0, Script, agent, canceled, planned, sent

SPARES = (agent("spare-1"), agent("spare-2"), agent("spare-3"))
TWICE = Retry(attempts=2, backoff_min_s=4.0, backoff_max_s=60.0)


def backed(*, fallback=1, others=SPARES, branches="a", plan=None, **options) -> Script:
    tasks = [SubTask(name, agent(f"agent-{name}"), others=others) for name in branches]
    return Script(plan=plan, stages=(planned(*tasks, fallback=fallback, **options),))


def asked(commands):
    """Return whom *commands* send to, each with the number of the attempt."""
    return [(command.agent.name, command.attempt) for command in commands]


def test_another_agent_takes_over_at_once_when_the_attempts_have_run_out():
    script = backed(retry=TWICE)
    assert script.fails("a", FailureKind.UNREACHABLE) == []
    assert asked(script.waits(2)) == [("agent-a", 2)]
    assert asked(script.fails("a", FailureKind.UNREACHABLE)) == [("spare-1", 3)]


@pytest.mark.parametrize("kind", [FailureKind.REJECTED, FailureKind.REFUSED, FailureKind.MALFORMED])
def test_what_the_same_agent_would_only_repeat_goes_to_another_at_once(kind):
    assert asked(backed(retry=TWICE).fails("a", kind)) == [("spare-1", 2)]


@pytest.mark.parametrize("kind", [FailureKind.CANCELED, FailureKind.NEEDS_INPUT, FailureKind.TOO_LARGE])
def test_what_nobody_could_do_better_goes_to_nobody(kind):
    script = backed(need=Need("count", 0))
    script.fails("a", kind)
    assert script.branch("a").state is BranchState.FAILED
    assert len(script.branch("a").attempts) == 1


def test_the_agent_that_took_over_has_its_own_attempts():
    script = backed(retry=TWICE)
    script.fails("a", FailureKind.REJECTED)
    assert script.fails("a", FailureKind.UNREACHABLE) == []
    assert asked(script.waits(2)) == [("spare-1", 3)]


def test_no_more_agents_take_over_than_the_plan_allows():
    script = backed(fallback=2)
    assert asked(script.fails("a")) == [("spare-1", 2)]
    assert asked(script.fails("a")) == [("spare-2", 3)]
    assert sent(script.fails("a")) == []
    assert script.branch("a").state is BranchState.FAILED


def test_no_agent_is_tried_twice():
    script = backed(fallback=5, others=(*SPARES[:2], SPARES[0], agent("agent-a")))
    assert [asked(script.fails("a")) for _ in range(3)] == [[("spare-1", 2)], [("spare-2", 3)], []]


def test_without_fallback_the_others_are_left_alone():
    script = backed(fallback=0)
    assert script.fails("a") == []
    assert script.branch("a").state is BranchState.FAILED


def test_nobody_takes_over_while_the_work_may_still_go_on_elsewhere():
    script = backed()
    assert canceled(script.fails("a", FailureKind.IN_DOUBT, is_open=True)) == ["a"]
    assert script.waits(60) == []
    assert asked(script.settles_cancel("a")) == [("spare-1", 2)]


def test_whoever_takes_over_waits_for_a_free_place_like_everybody_else():
    script = backed(branches="abc", limits=Limits(concurrency=2))
    assert sent(script.fails("a")) == ["c"]
    assert asked(script.succeeds("b")) == [("spare-1", 2)]


def test_a_hedge_that_took_over_counts_as_one_of_the_agents():
    script = backed(fallback=1, hedge_s=5.0)
    script.begins("a")
    assert asked(script.waits(5)) == [("spare-1", 2)]
    script.fails("a", attempt=1)
    assert sent(script.fails("a", attempt=2)) == []
    assert script.branch("a").state is BranchState.FAILED


def test_an_agent_that_asks_for_patience_beyond_the_deadline_is_not_waited_for():
    script = backed(fallback=0, branches="ab", retry=TWICE, need=Need("count", 0), limits=Limits(deadline_s=30))
    script.fails("a", FailureKind.OVERLOADED, retry_after=30.0, message="come back later")
    assert script.branch("a").state is BranchState.FAILED
    assert script.branch("a").failure.message == "come back later"
    script.fails("b", FailureKind.OVERLOADED, retry_after=29.0)
    assert sent(script.waits(29)) == ["b#2"]


@pytest.mark.parametrize(
    "limits",
    [{"limits": Limits(branch_timeout_s=30)}, {"limits": Limits(deadline_s=30)}, {"plan": {"deadline_s": 30}}],
)
def test_another_agent_is_asked_instead_of_waiting_in_vain(limits):
    script = backed(retry=TWICE, **limits)
    script.begins("a")
    assert asked(script.fails("a", FailureKind.OVERLOADED, retry_after=60.0)) == [("spare-1", 2)]


# -- the budget -----------------------------------------------------------------------------------


def test_all_branches_share_one_budget():
    script = backed(branches="abc", fallback=0, retry=TWICE, plan={"retry_budget": 2}, need=Need("count", 0))
    for name in "abc":
        script.fails(name, FailureKind.UNREACHABLE)
    assert [branch.state for branch in script.coordination.branches()] == [
        BranchState.RETRYING,
        BranchState.RETRYING,
        BranchState.FAILED,
    ]
    assert sent(script.waits(2)) == ["a#2", "b#2"]


def test_whoever_takes_over_is_paid_for_from_the_budget():
    script = backed(fallback=2, plan={"retry_budget": 1})
    assert asked(script.fails("a")) == [("spare-1", 2)]
    assert sent(script.fails("a")) == []


def test_a_budget_of_nothing_allows_one_attempt_each():
    script = backed(branches="ab", retry=TWICE, plan={"retry_budget": 0}, hedge_s=5.0)
    assert sent(script.first) == ["a", "b"]
    script.begins("a")
    assert script.waits(5) == []
    assert script.fails("a", FailureKind.UNREACHABLE) == []
    assert script.branch("a").state is BranchState.FAILED


def test_the_budget_is_shared_by_all_stages():
    stages = [
        planned(SubTask("a", agent("agent-a"), others=SPARES), name=name, fallback=1, need=Need("count", 0))
        for name in ("one", "two")
    ]
    script = Script(stages=tuple(stages), plan={"retry_budget": 1})
    assert asked(script.fails("one/a")) == [("spare-1", 2)]
    assert sent(script.fails("two/a")) == []
    assert script.coordination.wake_at() is None
    assert script.now == T0

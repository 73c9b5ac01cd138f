"""Sub-tasks of one stage that need each other's results."""

import pytest

from coordinator.core.model import Failure, FailureKind, Limits, Message, Need, Release, Retry, SubTask, TaskState
from coordinator.core.states import BranchState
from tests.core.building import NAMES, Script, agent, artifact, canceled, merge_in, part, planned, sent

ANY = Need("count", 0)


def needing(*after: str, **options) -> Script:
    """Return a task with a sub-task for each of *after*, which names those it needs."""
    tasks = [
        SubTask(name, agent(f"agent-{name}"), after=tuple(needs)) for name, needs in zip(NAMES, after, strict=False)
    ]
    return Script(stages=(planned(*tasks, **options),))


def test_a_sub_task_starts_when_what_it_needs_has_succeeded():
    script = needing("", "", "ab")
    assert sent(script.first) == ["a", "b"]
    assert script.succeeds("b") == []
    assert sent(script.succeeds("a")) == ["c"]


def test_a_sub_task_gets_the_results_it_needs_in_the_order_it_names_them():
    script = needing("", "", "ba")
    script.succeeds("a", artifacts=(artifact("one", digit="5"), artifact("two", digit="6")))
    (send,) = script.succeeds("b", artifacts=(artifact("three", digit="7"),))
    assert send.parts == (part("0"), part("7"), part("5"), part("6"))


def test_an_answer_without_a_task_is_handed_on_too():
    script = needing("", "a")
    (send,) = script.succeeds("a", artifacts=(), message=Message("m", "agent", (part("9"),)))
    assert send.parts == (part("0"), part("9"))


def test_results_come_after_what_the_stage_uses():
    tasks = (SubTask("a", agent("agent-a")), SubTask("b", agent("agent-b"), parts=(part("8"),), after=("a",)))
    script = Script(stages=(planned(SubTask("x", agent("agent-x")), name="one"), planned(*tasks, uses=("one",))))
    script.succeeds("one/x")
    script.merges(artifact(digit="5"), stage="one")
    (send,) = script.succeeds("a", artifacts=(artifact(digit="6"),))
    assert send.parts == (part("8"), part("5"), part("6"))


def test_a_sub_task_that_became_free_queues_up_behind_those_that_wait():
    script = needing("", "a", "", limits=Limits(concurrency=1))
    assert sent(script.succeeds("a")) == ["c"]
    assert sent(script.succeeds("c")) == ["b"]


def test_a_sub_task_fails_when_what_it_needs_has_failed():
    script = needing("", "a", "", need=ANY)
    assert script.fails("a") == []
    branch = script.branch("b")
    assert branch.state is BranchState.FAILED
    assert branch.failure == Failure(FailureKind.DEPENDENCY, "it needs the result of a, which has not succeeded")
    assert (branch.attempts, branch.settled_at) == ([], script.now)


def test_what_failed_along_the_chain_names_what_it_needed_itself():
    script = needing("", "a", "b", need=ANY)
    script.fails("a")
    assert script.branch("c").failure.message == "it needs the result of b, which has not succeeded"
    script.merges()
    assert script.coordination.state is TaskState.COMPLETED


def test_a_failure_that_will_be_tried_again_fails_nobody_else():
    script = needing("", "a", retry=Retry(2, 4.0, 4.0))
    script.fails("a", FailureKind.UNREACHABLE)
    script.waits(2)
    assert sent(script.succeeds("a")) == ["b"]


def test_a_sub_task_fails_when_what_it_needs_has_timed_out():
    script = needing("", "a", need=ANY, limits=Limits(branch_timeout_s=10))
    script.begins("a")
    script.waits(10)
    assert script.branch("a").state is BranchState.TIMED_OUT
    assert script.branch("b").failure.kind is FailureKind.DEPENDENCY


@pytest.mark.parametrize("after", [("", "a", "b"), ("b", "c", "")])
@pytest.mark.parametrize("limits", [{"limits": Limits(deadline_s=10)}, {"plan": {"deadline_s": 10}}])
def test_the_deadline_settles_a_whole_chain(after, limits):
    tasks = [SubTask(name, agent(name), after=tuple(needs)) for name, needs in zip("abc", after, strict=True)]
    script = Script(stages=(planned(*tasks, need=ANY, limits=limits.get("limits", Limits())),), plan=limits.get("plan"))
    assert len(canceled(script.waits(10))) == 1
    assert script.coordination.tally().failed == 3


def test_a_quorum_cancels_those_that_were_still_waiting_for_others():
    script = needing("", "", "a", release=Release.ENOUGH, need=Need("count", 1))
    commands = script.succeeds("b")
    assert canceled(commands) == ["a"]
    merge_in(commands)
    assert [branch.state for branch in script.coordination.branches()[::2]] == [BranchState.CANCELED] * 2


def test_a_quorum_out_of_reach_counts_those_that_can_never_start():
    script = needing("", "a", "a", "", release=Release.ENOUGH, need=Need("count", 2))
    assert canceled(script.fails("a")) == ["d"]
    assert script.coordination.state is TaskState.FAILED


def test_a_client_s_cancel_reaches_those_that_never_started():
    script = needing("", "a", "b")
    assert canceled(script.cancels()) == ["a"]
    assert {branch.state for branch in script.coordination.branches()} == {BranchState.CANCELED}


def test_a_chain_of_a_thousand_fails_at_once_when_its_first_link_does():
    tasks = [SubTask(f"s{n}", agent("agent"), after=(f"s{n - 1}",) if n else ()) for n in range(1000)]
    script = Script(stages=(planned(*tasks, need=ANY),))
    assert merge_in(script.fails("s0")).outcomes == ()
    assert script.coordination.tally().failed == 1000

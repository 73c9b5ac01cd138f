"""A race, a quorum, and what becomes of those who were not waited for."""

import pytest

from coordinator.core.commands import Follow, Merge, Send
from coordinator.core.model import Exhausted, FailureKind, Limits, Need, Release, Retry, Stragglers, TaskState, Verdict
from coordinator.core.scheduling import Phase
from coordinator.core.states import BranchState
from tests.core.building import T0, Script, artifact, canceled, merge_in, sent

TWO = {"release": Release.ENOUGH, "need": Need("count", 2)}
GO_ON = {**TWO, "stragglers": Stragglers.CONTINUE}
TWICE = Retry(attempts=2, backoff_min_s=4.0, backoff_max_s=60.0)


def branches_of(merge: Merge) -> list[str]:
    return [outcome.branch for outcome in merge.outcomes]


# -- first ----------------------------------------------------------------------------------------


def test_the_first_success_wins_the_race_and_the_others_are_canceled():
    script = Script(3, release=Release.FIRST)
    commands = script.succeeds("b")
    assert canceled(commands) == ["a", "c"]
    assert branches_of(merge_in(commands)) == ["review/b"]


def test_a_race_goes_on_as_long_as_somebody_can_still_win():
    script = Script(3, release=Release.FIRST)
    script.fails("a")
    script.fails("b")
    assert script.coordination.state is TaskState.WORKING
    merge_in(script.succeeds("c"))


def test_an_answer_that_won_a_race_is_whole_whoever_failed_before():
    script = Script(3, release=Release.FIRST)
    script.fails("a")
    script.succeeds("c")
    script.merges(artifact("merged"))
    assert script.coordination.verdict is Verdict.COMPLETE
    assert script.coordination.reason == "1 of 3 branches succeeded."


def test_a_race_nobody_wins_fails_and_says_that_one_would_have_been_enough():
    script = Script(2, release=Release.FIRST)
    script.fails("a")
    script.fails("b")
    assert script.coordination.state is TaskState.FAILED
    assert script.coordination.reason.startswith("1 of 2 branches had to succeed, 0 did; missing: agent-a")


# -- enough ---------------------------------------------------------------------------------------


def test_a_quorum_of_three_among_five_cancels_the_other_two():
    script = Script(5, release=Release.ENOUGH, need=Need("ratio", 0.6))
    script.succeeds("e")
    script.succeeds("a")
    commands = script.succeeds("c")
    assert canceled(commands) == ["b", "d"]
    assert branches_of(merge_in(commands)) == ["review/a", "review/c", "review/e"]
    script.merges()
    assert script.coordination.verdict is Verdict.COMPLETE
    assert script.coordination.reason == "3 of 5 branches succeeded."


# -- stragglers -----------------------------------------------------------------------------------


def test_stragglers_that_may_go_on_are_not_canceled():
    script = Script(4, **GO_ON)
    script.succeeds("b")
    commands = script.succeeds("a")
    assert canceled(commands) == []
    merge = merge_in(commands)
    assert (merge.id, merge.is_late, branches_of(merge)) == ("merge:review", False, ["review/a", "review/b"])
    assert {send.branch for send in script.open(Send)} == {"review/c", "review/d"}


def test_the_task_shows_its_answer_while_it_waits_for_stragglers():
    script = Script(3, **GO_ON)
    script.succeeds("a")
    script.succeeds("b")
    script.merges(artifact("report"))
    assert script.coordination.state is TaskState.WORKING
    assert [one.artifact_id for one in script.coordination.artifacts] == ["report"]


def test_what_stragglers_bring_is_merged_once_all_have_settled_and_only_that():
    script = Script(4, **GO_ON)
    script.succeeds("a")
    script.succeeds("b")
    script.merges()
    assert script.succeeds("d") == []
    merge = merge_in(script.succeeds("c"))
    assert (merge.id, merge.stage, merge.is_late) == ("late:review", "review", True)
    assert branches_of(merge) == ["review/c", "review/d"]
    assert script.coordination.state is TaskState.WORKING


def test_the_task_completes_after_the_late_merge_with_both_artifacts():
    script = Script(3, **GO_ON)
    script.succeeds("a")
    script.succeeds("b")
    script.merges(artifact("report"), summary={"merged": 7})
    script.succeeds("c")
    script.merges(artifact("follow-up"), summary={"merged": 1}, is_late=True)
    assert (script.coordination.state, script.coordination.verdict) == (TaskState.COMPLETED, Verdict.COMPLETE)
    assert [one.artifact_id for one in script.coordination.artifacts] == ["report", "follow-up"]
    assert script.coordination.merge_summary == {"merged": 7}
    assert script.coordination.is_closed


def test_a_result_that_comes_while_the_others_are_merged_is_late():
    script = Script(3, **GO_ON)
    script.succeeds("a")
    script.succeeds("b")
    assert script.succeeds("c") == []
    assert branches_of(merge_in(script.merges())) == ["review/c"]


def test_stragglers_that_bring_nothing_need_no_late_merge_but_are_missing():
    script = Script(3, **GO_ON)
    script.succeeds("a")
    script.succeeds("b")
    script.merges()
    assert script.fails("c") == []
    assert script.coordination.state is TaskState.COMPLETED
    assert script.coordination.verdict is Verdict.PARTIAL


def test_when_everybody_was_waited_for_nobody_is_late():
    script = Script(2, stragglers=Stragglers.CONTINUE)
    script.succeeds("a")
    script.succeeds("b")
    assert script.merges() == []
    assert script.coordination.state is TaskState.COMPLETED


def test_a_straggler_that_still_waits_for_a_place_gets_one():
    script = Script(4, **GO_ON, limits=Limits(concurrency=2))
    script.succeeds("a")
    script.succeeds("b")
    assert sent(script.merges()) == ["d"]


def test_a_straggler_is_tried_again_like_everybody_else():
    script = Script(3, **GO_ON, retry=TWICE)
    script.succeeds("a")
    script.succeeds("b")
    script.fails("c", FailureKind.UNREACHABLE)
    assert script.waits(2) == [], "not while the others are merged"
    assert sent(script.merges()) == ["c#2"]


@pytest.mark.parametrize("limits", [{"limits": Limits(deadline_s=30)}, {"plan": {"deadline_s": 30}}])
def test_the_deadline_ends_the_wait_for_stragglers(limits):
    script = Script(4, **GO_ON, **limits)
    for name in "abc":
        script.succeeds(name)
    script.merges()
    assert script.coordination.wake_at() == T0 + 30
    commands = script.waits(30)
    assert canceled(commands) == ["d"]
    assert branches_of(merge_in(commands)) == ["review/c"]
    script.merges(artifact("follow-up"), is_late=True)
    assert script.coordination.verdict is Verdict.PARTIAL


def test_a_deadline_that_passes_while_results_are_merged_counts_afterwards():
    script = Script(3, **GO_ON, limits=Limits(deadline_s=30))
    script.succeeds("a")
    script.succeeds("b")
    assert script.coordination.wake_at() is None
    assert script.waits(31) == []
    assert canceled(script.merges()) == ["c"]
    assert script.branch("c").state is BranchState.TIMED_OUT


def test_the_losers_of_a_race_may_go_on_too():
    script = Script(2, release=Release.FIRST, stragglers=Stragglers.CONTINUE)
    script.opens("a")
    script.succeeds("b")
    script.merges()
    assert [follow.branch for follow in script.open(Follow)] == ["review/a"]
    assert branches_of(merge_in(script.succeeds("a"))) == ["review/a"]


def test_a_client_s_cancel_ends_the_wait_for_stragglers():
    script = Script(3, **GO_ON)
    script.succeeds("a")
    script.succeeds("b")
    script.merges()
    assert canceled(script.cancels()) == ["c"]
    assert script.coordination.state is TaskState.CANCELED


def test_a_client_s_cancel_stops_the_late_merge():
    script = Script(3, **GO_ON)
    for name in "abc":
        script.succeeds(name)
    script.merges()
    assert script.cancels() == []
    assert script.coordination.is_closed
    assert script.merges(is_late=True) == []


def test_a_late_merge_that_fails_fails_the_task():
    script = Script(3, **GO_ON)
    for name in "abc":
        script.succeeds(name)
    script.merges()
    script.fails_to_merge("no common schema", is_late=True)
    assert script.coordination.reason == "merging the results of stage review failed: no common schema"
    assert len(script.coordination.artifacts) == 3


def test_a_merge_is_not_answered_by_the_answer_to_the_late_one():
    script = Script(3, **GO_ON)
    script.succeeds("a")
    script.succeeds("b")
    assert script.merges(is_late=True) == []
    assert script.fails_to_merge(is_late=True) == []
    assert script.run().phase is Phase.MERGING


def test_a_straggler_whose_failure_is_final_stops_a_task_that_fails_fast():
    script = Script(4, **GO_ON, exhausted=Exhausted.FAIL_FAST)
    script.succeeds("a")
    script.succeeds("b")
    script.merges()
    assert canceled(script.fails("c")) == ["d"]
    assert script.coordination.state is TaskState.FAILED

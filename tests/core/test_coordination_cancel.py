"""What is canceled below, by whom, and what becomes of answers that come too late."""

import pytest

from coordinator.core import events as ev
from coordinator.core.commands import Cancel, Send
from coordinator.core.model import Exhausted, FailureKind, Limits, Need, Release, RemoteTask, Retry, TaskState, Verdict
from coordinator.core.states import BranchState
from tests.core.building import T0, Script, artifact, canceled, merge_in, remote_of, sent

PATIENT = Retry(attempts=3, backoff_min_s=4.0, backoff_max_s=60.0)


def test_the_first_final_failure_cancels_every_open_branch():
    script = Script(4, exhausted=Exhausted.FAIL_FAST, limits=Limits(concurrency=3))
    script.opens("b")
    commands = script.fails("a")
    assert canceled(commands) == ["b", "c"]
    assert sent(commands) == []
    assert script.coordination.state is TaskState.FAILED
    assert [branch.state for branch in script.coordination.branches()] == [
        BranchState.FAILED,
        BranchState.CANCELED,
        BranchState.CANCELED,
        BranchState.CANCELED,
    ]


def test_a_failure_that_will_be_tried_again_is_not_final():
    script = Script(2, exhausted=Exhausted.FAIL_FAST, retry=PATIENT)
    assert canceled(script.fails("a", FailureKind.UNREACHABLE)) == []
    assert script.coordination.state is TaskState.WORKING


def test_a_timeout_is_a_final_failure_too():
    script = Script(2, exhausted=Exhausted.FAIL_FAST, limits=Limits(branch_timeout_s=10))
    script.begins("a")
    assert canceled(script.waits(10)) == ["a", "b"]
    assert script.coordination.state is TaskState.FAILED


def test_enough_cancels_the_stragglers_and_merges_at_once():
    script = Script(5, release=Release.ENOUGH, need=Need("count", 2), limits=Limits(concurrency=3))
    assert sent(script.succeeds("c")) == ["d"]
    script.opens("d")
    commands = script.succeeds("a")
    assert [(cancel.branch, cancel.remote) for cancel in commands[:-1]] == [
        ("review/b", None),
        ("review/d", remote_of("d")),
    ]
    assert [outcome.branch for outcome in merge_in(commands).outcomes] == ["review/a", "review/c"]
    assert script.branch("e").state is BranchState.CANCELED


def test_enough_gives_up_as_soon_as_the_need_is_out_of_reach():
    script = Script(5, release=Release.ENOUGH, need=Need("ratio", 0.6))
    script.fails("a")
    script.fails("b")
    assert canceled(script.fails("c")) == ["d", "e"]
    assert script.coordination.state is TaskState.FAILED


def test_a_client_s_cancel_takes_effect_at_once_and_goes_on_below():
    script = Script(3, limits=Limits(concurrency=2))
    script.opens("a")
    commands = script.cancels()
    assert [(cancel.branch, cancel.remote) for cancel in commands] == [("review/a", remote_of("a")), ("review/b", None)]
    assert (script.coordination.state, script.coordination.verdict) == (TaskState.CANCELED, Verdict.CANCELED)
    assert script.coordination.reason == "canceled by the client"
    assert script.coordination.outstanding() == commands
    assert not script.coordination.is_closed


def test_a_task_can_be_canceled_before_its_first_turn():
    script = Script(3, started=False)
    assert script.cancels() == []
    assert script.coordination.state is TaskState.CANCELED
    assert script.coordination.is_closed
    assert script.starts() == []
    assert script.coordination.state is TaskState.CANCELED


def test_a_cancel_while_the_results_are_merged_wins_and_keeps_what_finished():
    script = Script(1)
    script.succeeds("a")
    assert script.cancels() == []
    assert script.coordination.is_closed
    assert script.merges() == []
    assert script.coordination.state is TaskState.CANCELED
    assert [kept.artifact_id for kept in script.coordination.artifacts] == ["review/a/findings"]


def test_a_second_cancel_changes_nothing():
    script = Script(1)
    script.cancels()
    script.now += 5
    assert script.cancels() == []
    assert script.coordination.state_at == T0


@pytest.mark.parametrize("late", ["succeeds", "fails", "begins", "merges", "fails_to_merge"])
def test_what_arrives_after_the_cancel_changes_nothing(late):
    script = Script(2)
    script.cancels()
    outstanding = script.coordination.outstanding()
    tell = getattr(script, late)
    assert (tell() if late in {"merges", "fails_to_merge"} else tell("a")) == []
    assert script.coordination.state is TaskState.CANCELED
    assert script.coordination.artifacts == ()
    assert script.branch("a").state is BranchState.CANCELED
    assert script.coordination.outstanding() == outstanding


def test_a_coordination_is_closed_only_after_all_its_cancels_are_settled():
    script = Script(2)
    script.cancels()
    script.settles_cancel("a", result="not_sent")
    assert not script.coordination.is_closed
    script.settles_cancel("b", result="unreachable")
    assert script.coordination.is_closed


def test_a_cancel_that_is_settled_is_noted_and_lets_the_others_go_on():
    script = Script(2, limits=Limits(branch_timeout_s=10), need=Need("count", 1))
    script.begins("a")
    script.waits(10)
    assert script.branch("a").last.cancel == "requested"
    assert script.settles_cancel("a", result="refused") == []
    assert script.branch("a").last.cancel == "refused"
    assert sent(script.open(Send)) == ["b"]


# -- too late -------------------------------------------------------------------------------------


def test_a_second_result_of_a_settled_branch_is_ignored():
    script = Script(2)
    script.succeeds("a")
    script.fails("a")
    script.succeeds("a", artifacts=(artifact("other"),))
    assert script.branch("a").state is BranchState.SUCCEEDED
    assert script.branch("a").artifacts == (artifact(),)


def test_a_result_after_the_timeout_is_ignored():
    script = Script(2, limits=Limits(branch_timeout_s=10))
    script.begins("a")
    script.waits(10)
    script.succeeds("a")
    assert script.branch("a").state is BranchState.TIMED_OUT
    assert script.branch("a").artifacts == ()


def test_a_result_of_an_earlier_attempt_is_ignored():
    script = Script(1, retry=PATIENT)
    script.fails("a", FailureKind.UNREACHABLE)
    script.succeeds("a", attempt=1)
    script.waits(2)
    script.succeeds("a", attempt=1)
    script.fails("a", attempt=1)
    script.progresses("a", "still here", attempt=1)
    script.begins("a", attempt=1)
    assert script.branch("a").state is BranchState.SENDING
    assert script.branch("a").text == ""
    assert script.branch("a").last.has_started is False


def test_a_task_opened_after_the_cancel_tells_the_cancel_whom_it_is_for():
    script = Script(1)
    script.cancels()
    assert script.opens("a") == []
    (cancel,) = script.open(Cancel)
    assert cancel.remote == remote_of("a")


def test_a_task_opened_after_its_branch_timed_out_is_noted_too():
    script = Script(2, limits=Limits(branch_timeout_s=10))
    script.begins("a")
    script.waits(10)
    script.opens("a")
    (cancel,) = script.open(Cancel)
    assert cancel.remote == remote_of("a")
    assert script.branch("a").last.remote == remote_of("a")
    assert script.branch("a").state is BranchState.TIMED_OUT


def test_a_task_opened_after_its_attempt_failed_tells_the_cancel_whom_it_is_for():
    script = Script(1, retry=PATIENT)
    script.fails("a", FailureKind.UNREACHABLE, is_open=True)
    script.opens("a")
    (cancel,) = script.open(Cancel)
    assert cancel.remote == remote_of("a")
    assert script.branch("a").state is BranchState.RETRYING


def test_a_task_opened_by_an_attempt_nobody_has_to_cancel_is_ignored():
    script = Script(1, retry=PATIENT)
    script.fails("a", FailureKind.OVERLOADED)
    script.waits(2)
    script.opens("a", attempt=1)
    assert script.open(Cancel) == []
    assert script.branch("a").last.remote is None
    assert script.branch("a").state is BranchState.SENDING


def test_a_task_opened_after_everything_is_closed_is_ignored():
    script = Script(1)
    script.cancels()
    script.settles_cancel("a")
    assert script.opens("a") == []
    assert script.coordination.is_closed
    assert script.branch("a").last.remote is None


def test_a_cancel_keeps_the_task_it_was_made_for():
    script = Script(1)
    script.opens("a")
    script.cancels()
    script.opens("a", remote=RemoteTask("another", "context"))
    (cancel,) = script.open(Cancel)
    assert cancel.remote == remote_of("a")


def test_what_became_of_a_cancel_is_noted_once_and_only_if_there_was_one():
    script = Script(2, limits=Limits(branch_timeout_s=10))
    script.begins("a")
    script.settles_cancel("a", result="finished")
    assert script.branch("a").last.cancel == ""
    script.waits(10)
    script.settles_cancel("a", result="confirmed")
    script.settles_cancel("a", result="not_found")
    assert script.branch("a").last.cancel == "confirmed"


def test_a_new_attempt_has_no_cancel_of_its_own_yet():
    script = Script(1, retry=PATIENT)
    script.fails("a", FailureKind.UNREACHABLE, is_open=True)
    script.settles_cancel("a")
    assert script.branch("a").last.cancel == "confirmed"
    script.waits(2)
    script.succeeds("a")
    assert script.branch("a").last.cancel == ""


# -- given up -------------------------------------------------------------------------------------


@pytest.mark.parametrize("started", [True, False])
def test_a_coordination_the_driver_gives_up_fails_and_cancels_below(started):
    script = Script(2, started=started)
    commands = script.tell(ev.CoordinationFailed(at=T0, reason="five claims without progress"))
    assert canceled(commands) == (["a", "b"] if started else [])
    assert (script.coordination.state, script.coordination.verdict) == (TaskState.FAILED, Verdict.FAILED)
    assert script.coordination.reason == "five claims without progress"


def test_a_terminal_task_cannot_be_given_up():
    script = Script(1)
    script.cancels()
    script.tell(ev.CoordinationFailed(at=T0, reason="too late"))
    assert script.coordination.state is TaskState.CANCELED

"""Branch timeouts, the deadline of a stage, and when the coordination wants to be woken."""

import pytest

from coordinator.core import events as ev
from coordinator.core.model import FailureKind, Limits, Need, Retry, SubTask, TaskState
from coordinator.core.states import BranchState
from tests.core.building import T0, Script, agent, canceled, merge_in, planned, remote_of, sent

ANY = Need("count", 0)
PATIENT = Retry(attempts=3, backoff_min_s=4.0, backoff_max_s=60.0)


def test_the_branch_timeout_counts_from_the_start_of_the_attempt_not_from_the_queue():
    script = Script(1, limits=Limits(branch_timeout_s=10))
    assert script.coordination.wake_at() is None
    script.waits(60)
    script.begins("a")
    assert script.coordination.wake_at() == T0 + 70
    assert script.waits(9.999) == []
    assert script.branch("a").state is BranchState.SENDING
    assert canceled(script.waits(0.001)) == ["a"]
    assert script.branch("a").state is BranchState.TIMED_OUT


def test_a_branch_that_timed_out_says_after_how_long():
    script = Script(2, limits=Limits(branch_timeout_s=10))
    script.begins("a")
    script.waits(10)
    failure = script.branch("a").failure
    assert (failure.kind, failure.message) == (FailureKind.TIMED_OUT, "no result within 10 s")
    assert script.branch("a").settled_at == T0 + 10


def test_a_sub_task_may_have_a_timeout_of_its_own():
    tasks = (SubTask("a", agent("agent-a"), timeout_s=3.0), SubTask("b", agent("agent-b")))
    script = Script(stages=(planned(*tasks, limits=Limits(branch_timeout_s=10), need=ANY),))
    script.begins("a")
    script.begins("b")
    assert canceled(script.waits(3)) == ["a"]
    assert script.branch("a").failure.message == "no result within 3 s"
    assert canceled(script.waits(7)) == ["b"]


@pytest.mark.parametrize(
    ("options", "until"),
    [
        ({}, None),
        ({"limits": Limits(branch_timeout_s=10)}, 10),
        ({"limits": Limits(branch_timeout_s=10, deadline_s=9)}, 9),
        ({"limits": Limits(branch_timeout_s=10, deadline_s=9), "plan": {"deadline_s": 8}}, 8),
    ],
)
def test_an_attempt_says_until_when_its_result_is_wanted(options, until):
    (send,) = Script(1, **options).first
    assert send.until == (None if until is None else T0 + until)


def test_a_later_attempt_has_only_what_is_left_of_the_branch_timeout():
    script = Script(1, limits=Limits(branch_timeout_s=10), retry=PATIENT)
    script.begins("a")
    script.fails("a", FailureKind.UNREACHABLE)
    assert [send.until for send in script.waits(2)] == [T0 + 10]


def test_a_repeated_start_does_not_move_the_timeout():
    script = Script(1, limits=Limits(branch_timeout_s=10))
    script.begins("a")
    script.now += 5
    script.begins("a")
    assert script.coordination.wake_at() == T0 + 10
    assert script.branch("a").started_at == T0


def test_the_branch_timeout_spans_all_attempts():
    script = Script(2, limits=Limits(branch_timeout_s=10), retry=PATIENT, need=ANY)
    script.begins("a")
    script.waits(6)
    script.fails("a", FailureKind.UNREACHABLE, message="connection refused")
    script.waits(2)
    script.begins("a")
    assert script.coordination.wake_at() == T0 + 10
    assert canceled(script.waits(2)) == ["a#2"]
    message = script.branch("a").failure.message
    assert message == "no result within 10 s; the last attempt failed: connection refused"


def test_a_branch_can_time_out_while_it_waits_for_its_next_attempt():
    script = Script(2, limits=Limits(branch_timeout_s=10), retry=PATIENT, need=ANY)
    script.begins("a")
    script.waits(7)
    script.fails("a", FailureKind.UNREACHABLE, is_open=True)
    assert script.waits(3) == []
    assert script.branch("a").state is BranchState.TIMED_OUT
    assert script.settles_cancel("a") == []
    assert script.waits(10) == []
    assert len(script.branch("a").attempts) == 1


@pytest.mark.parametrize(
    "limits", [{"limits": Limits(branch_timeout_s=2)}, {"limits": Limits(deadline_s=2)}, {"plan": {"deadline_s": 2}}]
)
def test_a_delay_that_ends_when_the_branch_would_time_out_is_not_waited_for(limits):
    script = Script(2, retry=PATIENT, need=ANY, **limits)
    script.begins("a")
    assert script.fails("a", FailureKind.UNREACHABLE, message="connection refused") == []
    assert script.branch("a").state is BranchState.FAILED
    assert script.branch("a").failure.message == "connection refused"


def test_a_branch_that_timed_out_in_the_queue_for_its_retry_is_not_sent():
    script = Script(3, limits=Limits(concurrency=1, branch_timeout_s=10), retry=PATIENT, need=ANY)
    script.begins("a")
    assert sent(script.fails("a", FailureKind.UNREACHABLE)) == ["b"]
    script.waits(2)
    script.waits(8)
    assert script.branch("a").state is BranchState.TIMED_OUT
    assert sent(script.succeeds("b")) == ["c"]
    assert sent(script.fails("c", FailureKind.UNREACHABLE)) == []
    assert sent(script.waits(2)) == ["c#2"]


def test_a_timeout_makes_room_for_the_next_in_the_queue():
    script = Script(2, limits=Limits(concurrency=1, branch_timeout_s=10))
    script.begins("a")
    commands = script.waits(10)
    assert (canceled(commands), sent(commands)) == (["a"], ["b"])


def test_a_result_at_the_last_instant_counts():
    script = Script(1, limits=Limits(branch_timeout_s=10, deadline_s=10))
    script.begins("a")
    script.now += 10
    merge_in(script.succeeds("a"))
    assert script.branch("a").state is BranchState.SUCCEEDED


def test_any_fact_later_than_a_timer_sets_it_off():
    script = Script(2, limits=Limits(branch_timeout_s=10))
    script.begins("a")
    script.now += 11
    assert canceled(script.succeeds("b")) == ["a"]


@pytest.mark.parametrize(
    "limits",
    [{"limits": Limits(concurrency=2, deadline_s=30)}, {"limits": Limits(concurrency=2), "plan": {"deadline_s": 30}}],
)
def test_the_deadline_ends_everything_open(limits):
    script = Script(4, need=ANY, **limits)
    script.waits(1)
    script.opens("b")
    assert script.waits(28.999) == []
    commands = script.waits(0.001)
    assert [(cancel.branch, cancel.remote) for cancel in commands[:2]] == [
        ("review/a", None),
        ("review/b", remote_of("b")),
    ]
    merge_in(commands)
    assert [branch.state for branch in script.coordination.branches()] == [BranchState.TIMED_OUT] * 4


def test_a_branch_that_never_started_says_that_the_deadline_passed():
    script = Script(2, limits=Limits(concurrency=1, deadline_s=30))
    script.waits(30)
    failure = script.branch("b").failure
    assert (failure.kind, failure.message) == (FailureKind.DEADLINE, "not settled at the deadline of 30 s")
    assert len(script.branch("b").attempts) == 0


def test_the_deadline_ends_a_branch_that_waits_for_its_next_attempt_and_keeps_its_reason():
    script = Script(1, limits=Limits(deadline_s=3), retry=PATIENT)
    script.fails("a", FailureKind.OVERLOADED, message="too many requests", is_open=True)
    assert script.waits(3) == []
    assert script.branch("a").state is BranchState.TIMED_OUT
    assert script.branch("a").failure.message.endswith("the last attempt failed: too many requests")


def test_the_deadline_of_a_stage_counts_from_its_start():
    script = Script(2, started=False, limits=Limits(deadline_s=30))
    script.now += 31
    assert sent(script.starts()) == ["a", "b"]
    assert script.coordination.wake_at() == T0 + 61


def test_a_turn_that_starts_after_the_deadline_of_the_task_sends_nothing():
    script = Script(2, started=False, plan={"deadline_s": 30})
    script.now += 30
    assert script.starts() == []
    assert script.coordination.state is TaskState.FAILED
    assert script.coordination.reason == "the deadline passed before stage review could start"


def test_a_failure_of_an_open_attempt_at_the_deadline_cancels_it_once():
    script = Script(1, limits=Limits(deadline_s=30), retry=PATIENT)
    script.opens("a")
    script.now += 30
    assert canceled(script.fails("a", FailureKind.UNREACHABLE, is_open=True)) == ["a"]
    assert script.branch("a").state is BranchState.FAILED


# -- when to wake ---------------------------------------------------------------------------------


def test_nothing_wakes_a_coordination_without_timers():
    assert Script(3).coordination.wake_at() is None


def test_the_earliest_timer_wakes():
    script = Script(3, limits=Limits(branch_timeout_s=20, deadline_s=100), retry=PATIENT)
    assert script.coordination.wake_at() == T0 + 100
    script.begins("a")
    assert script.coordination.wake_at() == T0 + 20
    script.fails("b", FailureKind.UNREACHABLE)
    assert script.coordination.wake_at() == T0 + 2


def test_a_settled_branch_wakes_nobody():
    script = Script(2, limits=Limits(branch_timeout_s=20, deadline_s=100))
    script.begins("a")
    script.succeeds("a")
    assert script.coordination.wake_at() == T0 + 100


def test_a_timer_of_a_settled_branch_goes_off_without_effect():
    script = Script(2, limits=Limits(branch_timeout_s=20))
    script.begins("a")
    script.succeeds("a")
    assert script.waits(20) == []
    assert script.branch("a").state is BranchState.SUCCEEDED


def test_a_timer_that_nobody_needs_any_more_goes_off_without_effect():
    script = Script(1)
    script.run().set_timer(T0 + 5, script.branch("a"))
    assert script.waits(5) == []
    assert script.coordination.wake_at() is None


def test_time_does_nothing_while_the_results_are_merged():
    script = Script(2, limits=Limits(deadline_s=30), need=Need("count", 1))
    script.succeeds("a")
    script.fails("b")
    assert script.coordination.wake_at() is None
    assert script.waits(60) == []
    assert script.coordination.state is TaskState.WORKING


def test_nothing_wakes_a_terminal_task():
    script = Script(2, limits=Limits(branch_timeout_s=20, deadline_s=30))
    script.begins("a")
    script.cancels()
    assert script.coordination.wake_at() is None
    assert script.waits(60) == []


@pytest.mark.parametrize("early", [0.0, 1.0, 1.999])
def test_a_wake_up_that_comes_too_early_is_asked_for_again(early):
    script = Script(1, retry=PATIENT)
    script.fails("a", FailureKind.UNREACHABLE)
    assert script.waits(early) == []
    assert script.coordination.wake_at() == T0 + 2


def test_a_fact_from_before_the_last_one_is_no_trouble():
    script = Script(2, limits=Limits(branch_timeout_s=20))
    script.waits(10)
    script.tell(ev.AttemptStarted(at=T0 - 1, branch="review/a", attempt=1))
    assert script.coordination.wake_at() == T0 + 19

"""From acceptance to the last attempt: who is sent when, and again when."""

import pytest

from coordinator.core import events as ev
from coordinator.core.commands import Cancel, Follow, Send
from coordinator.core.coordination import Coordination
from coordinator.core.model import Failure, FailureKind, Limits, PartRef, RemoteTask, Retry, Stage, SubTask, TaskState
from coordinator.core.states import BranchState
from coordinator.errors import IllegalTransition
from tests.core.building import T0, Script, accepted, agent, merge_in, remote_of, sent

PATIENT = Retry(attempts=3, backoff_min_s=4.0, backoff_max_s=60.0)
"""Without jitter the delays are 2 s, then 4 s."""


def test_an_accepted_task_is_submitted_and_sends_nothing_before_its_turn():
    script = Script(3, started=False)
    assert script.coordination.state is TaskState.SUBMITTED
    assert script.coordination.outstanding() == []
    assert script.waits(1) == []
    assert script.coordination.state is TaskState.SUBMITTED


def test_a_turn_sends_every_branch_at_once_in_plan_order():
    script = Script(4)
    assert script.coordination.state is TaskState.WORKING
    assert sent(script.first) == ["a", "b", "c", "d"]
    assert script.coordination.outstanding() == script.first


def test_no_more_branches_are_under_way_than_the_plan_allows():
    script = Script(5, limits=Limits(concurrency=2))
    assert sent(script.first) == ["a", "b"]
    assert [branch.state for branch in script.coordination.branches()[2:]] == [BranchState.QUEUED] * 3


def test_the_next_branch_in_the_queue_is_sent_when_one_settles():
    script = Script(4, limits=Limits(concurrency=2))
    script.opens("a")
    assert sent(script.succeeds("b")) == ["c"]
    assert sent(script.fails("a")) == ["d"]
    assert script.succeeds("c") == []


def test_a_branch_that_starts_working_makes_no_room():
    script = Script(3, limits=Limits(concurrency=1))
    assert script.begins("a") == []
    assert script.opens("a") == []
    assert script.progresses("a", "half way") == []


def test_a_send_says_everything_outbound_has_to_know():
    (command,) = Script(1, expect="findings").first
    assert isinstance(command, Send)
    assert (command.id, command.branch, command.attempt) == ("attempt:review/a:1", "review/a", 1)
    assert command.agent == agent("agent-a")
    assert command.parts == (PartRef("0" * 64, 3),)
    assert command.expect == "findings"
    assert len(command.message_id) == 32


def test_a_task_the_specialist_has_opened_is_followed_and_not_sent_again():
    script = Script(2, expect="findings")
    assert script.opens("a") == []
    (follow,) = script.open(Follow)
    assert (follow.id, follow.branch, follow.attempt) == ("attempt:review/a:1", "review/a", 1)
    assert (follow.agent, follow.remote, follow.expect) == (agent("agent-a"), remote_of("a"), "findings")
    assert sent(script.open(Send)) == ["b"]
    assert script.branch("a").state is BranchState.WORKING


def test_a_task_is_opened_once():
    script = Script(1)
    script.opens("a")
    script.opens("a", remote=RemoteTask("another", "context"))
    assert [follow.remote for follow in script.open(Follow)] == [remote_of("a")]
    assert script.branch("a").last.remote == remote_of("a")


def test_an_answer_without_a_task_settles_the_branch():
    script = Script(2)
    script.succeeds("a")
    assert script.branch("a").state is BranchState.SUCCEEDED
    assert script.branch("a").last.remote is None
    assert [command.branch for command in script.open()] == ["review/b"]


def test_a_later_turn_of_a_working_task_changes_nothing():
    script = Script(3)
    assert script.starts() == []
    assert script.coordination.outstanding() == script.first


# -- again ----------------------------------------------------------------------------------------


def test_a_failed_attempt_is_repeated_after_its_delay_and_not_before():
    script = Script(1, retry=PATIENT)
    assert script.fails("a", FailureKind.UNREACHABLE) == []
    assert script.branch("a").state is BranchState.RETRYING
    assert script.coordination.outstanding() == []
    assert script.coordination.wake_at() == T0 + 2
    assert script.waits(1.999) == []
    assert sent(script.waits(0.001)) == ["a#2"]


def test_the_delay_grows_with_the_jitter_that_came_with_the_failure():
    script = Script(1, retry=PATIENT)
    failure = Failure(FailureKind.UNREACHABLE, "connection refused")
    script.tell(ev.AttemptFailed(at=T0, branch="review/a", attempt=1, failure=failure, jitter=0.5))
    assert script.coordination.wake_at() == T0 + 3


def test_a_retry_after_is_waited_for():
    script = Script(1, retry=PATIENT)
    script.fails("a", FailureKind.OVERLOADED, retry_after=7.0)
    assert script.waits(6.999) == []
    assert sent(script.waits(0.001)) == ["a#2"]


def test_the_last_attempt_is_final():
    script = Script(2, retry=PATIENT)
    for delay in (2, 4):
        script.fails("a", FailureKind.FAILED)
        script.waits(delay)
    script.fails("a", FailureKind.FAILED, message="it broke")
    assert script.branch("a").state is BranchState.FAILED
    assert len(script.branch("a").attempts) == 3
    assert script.branch("a").failure.message == "it broke"


def test_a_success_forgets_the_failures_before_it():
    script = Script(1, retry=PATIENT)
    script.fails("a", FailureKind.FAILED)
    script.waits(2)
    script.succeeds("a")
    assert script.branch("a").failure is None
    assert script.branch("a").outcome().failure is None


def test_a_branch_that_waits_for_its_delay_gives_its_place_away():
    script = Script(3, limits=Limits(concurrency=1), retry=PATIENT)
    assert sent(script.fails("a", FailureKind.UNREACHABLE)) == ["b"]


def test_a_branch_whose_delay_is_over_queues_up_behind_those_that_wait():
    script = Script(3, limits=Limits(concurrency=1), retry=PATIENT)
    script.fails("a", FailureKind.UNREACHABLE)
    assert script.waits(2) == []
    assert sent(script.succeeds("b")) == ["c"]
    assert sent(script.succeeds("c")) == ["a#2"]


def test_a_branch_with_a_free_place_is_sent_again_at_once_when_there_is_no_delay():
    script = Script(1, retry=Retry(attempts=2, backoff_min_s=0.0, backoff_max_s=0.0))
    assert sent(script.fails("a", FailureKind.UNREACHABLE)) == ["a#2"]


def test_a_new_attempt_starts_from_nothing():
    script = Script(1, retry=PATIENT)
    script.opens("a")
    script.progresses("a", "half way")
    script.fails("a", FailureKind.FAILED)
    script.waits(2)
    branch = script.branch("a")
    assert (branch.state, branch.last.remote, branch.text, branch.retry_at) == (BranchState.SENDING, None, "", None)


def test_a_failed_attempt_that_may_still_run_is_canceled_before_the_next():
    script = Script(1, retry=PATIENT)
    script.opens("a")
    (cancel,) = script.fails("a", FailureKind.UNREACHABLE, is_open=True)
    assert (cancel.id, cancel.attempt, cancel.remote) == ("cancel:review/a:1", 1, remote_of("a"))
    assert script.branch("a").state is BranchState.RETRYING


def test_a_new_attempt_waits_until_the_old_one_is_closed():
    script = Script(1, retry=PATIENT)
    script.opens("a")
    script.fails("a", FailureKind.UNREACHABLE, is_open=True)
    assert script.waits(2) == []
    assert script.coordination.wake_at() is None
    script.now += 5
    assert sent(script.settles_cancel("a")) == ["a#2"]


def test_a_new_attempt_waits_for_its_delay_though_the_old_one_is_closed():
    script = Script(1, retry=PATIENT)
    script.fails("a", FailureKind.UNREACHABLE, is_open=True)
    script.now += 1
    assert script.settles_cancel("a") == []
    assert script.coordination.wake_at() == T0 + 2
    assert sent(script.waits(1)) == ["a#2"]
    assert script.waits(0) == []


def test_a_branch_that_waits_for_its_cancel_can_still_time_out():
    script = Script(2, retry=PATIENT, limits=Limits(deadline_s=10))
    script.fails("a", FailureKind.UNREACHABLE, is_open=True)
    script.waits(2)
    assert script.coordination.wake_at() == T0 + 10
    script.waits(8)
    assert script.branch("a").state is BranchState.TIMED_OUT
    assert script.settles_cancel("a") == []
    assert len(script.branch("a").attempts) == 1


# -- what is not accepted -------------------------------------------------------------------------


def test_a_coordination_is_accepted_once():
    script = Script(1)
    with pytest.raises(IllegalTransition, match="comes once"):
        script.coordination.receive(script.facts[0])
    assert script.coordination.outstanding() == script.first


@pytest.mark.parametrize("facts", [[], [ev.TurnStarted(at=T0, epoch=1)]])
def test_a_replay_starts_with_the_acceptance(facts):
    with pytest.raises(IllegalTransition, match="starts with TaskAccepted"):
        Coordination.replay(facts)


def test_what_is_no_fact_about_a_coordination_is_refused():
    with pytest.raises(IllegalTransition, match="Event is not a fact"):
        Script(1).coordination.receive(ev.Event(at=T0))


@pytest.mark.parametrize("branch", ["review/z", "other/a", "review", ""])
def test_a_fact_about_an_unknown_branch_is_refused_and_changes_nothing(branch):
    script = Script(1)
    with pytest.raises(IllegalTransition, match="there is no branch"):
        script.coordination.receive(ev.AttemptSucceeded(at=T0, branch=branch, attempt=1))
    assert script.coordination.outstanding() == script.first


def test_a_command_can_be_asked_for_as_it_is_wanted_now():
    script = Script(1)
    (send,) = script.first
    assert script.coordination.open_command(send.id) == send
    script.opens("a")
    assert isinstance(script.coordination.open_command(send.id), Follow)
    merge = merge_in(script.succeeds("a"))
    assert script.coordination.open_command(send.id) is None
    assert script.coordination.open_command(merge.id) == merge


def test_an_attempt_says_since_when_traces_of_it_can_exist():
    script = Script(1, retry=PATIENT)
    assert [send.since for send in script.first] == [T0]
    script.now += 1
    script.fails("a", FailureKind.UNREACHABLE, is_open=True)
    assert [cancel.since for cancel in script.open(Cancel)] == [T0]
    script.settles_cancel("a")
    assert [send.since for send in script.waits(2)] == [T0 + 3]
    script.waits(5)
    assert [cancel.since for cancel in script.cancels()] == [T0 + 3]
    assert [cancel.since for cancel in Coordination.replay(script.facts).outstanding()] == [T0 + 3]


def test_a_sub_task_without_parts_of_its_own_gets_those_of_the_message():
    own, shared = (PartRef("3" * 64, 9),), (PartRef("0" * 64, 3),)
    planned = Stage(
        name="review",
        sub_tasks=(SubTask("a", agent("a")), SubTask("b", agent("b"), own), SubTask("c", agent("c"), ())),
    )
    sends = Coordination.replay([accepted(planned), ev.TurnStarted(at=T0, epoch=1)]).outstanding()
    assert [send.parts for send in sends] == [shared, own, ()]

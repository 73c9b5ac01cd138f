"""Tasks that wait for an answer: clocks that stand still, looks, and going on by themselves."""

import pytest

from coordinator.core import events as ev
from coordinator.core.commands import Follow, Look, Send
from coordinator.core.model import Ask, FailureKind, Limits, Need, Retry, TaskState
from coordinator.core.questions import Why
from coordinator.core.states import BranchState
from tests.core.building import T0, Script, canceled, inquiry, remote_of, sent

DAY = 86_400.0
INPUT, WORKING = TaskState.INPUT_REQUIRED, TaskState.WORKING


# -- clocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"limits": Limits(deadline_s=60)}, {"plan": {"deadline_s": 60}}])
def test_deadlines_stand_still_while_only_answers_are_awaited_and_go_on_after(options):
    script = Script(2, **options)
    script.asks("a")
    script.now += 20
    script.asks("b")
    script.waits(DAY)
    assert script.asked == ["1 a", "2 b"]
    (send,) = script.says("1: yes")
    assert send.until == script.now + 40, "what goes down carries the time that is left"
    script.waits(39.9)
    assert script.branch("a").state is BranchState.WORKING
    assert canceled(script.waits(0.1)) == ["a", "b"]
    assert script.branch("b").state is BranchState.TIMED_OUT


def test_a_deadline_goes_on_while_anything_else_is_at_work():
    script = Script(2, plan={"ask": Ask.SOON}, limits=Limits(deadline_s=60), need=Need("count", 0))
    script.asks("a")
    script.waits(1)
    assert script.asked == ["1 a"]
    assert canceled(script.waits(59)) == ["a", "b"]


def test_a_fact_that_is_a_little_older_than_the_one_before_moves_no_deadline():
    script = Script(2, limits=Limits(deadline_s=60))
    script.asks("a")
    script.asks("b")
    script.waits(100)
    script.now -= 5
    (send,) = script.says("1: yes")
    assert send.until == T0 + 160


def test_the_timeout_of_a_branch_stands_still_while_it_asks():
    script = Script(2, plan={"ask": Ask.SOON}, limits=Limits(branch_timeout_s=30), need=Need("count", 0))
    for name in "ab":
        script.begins(name)
    script.now += 10
    script.asks("a")
    assert canceled(script.waits(20)) == ["b"]
    script.waits(DAY)
    (send,) = script.says("yes")
    assert send.until == script.now + 20
    script.waits(19.9)
    assert script.branch("a").state is BranchState.WORKING
    assert canceled(script.waits(0.1)) == ["a"]


def test_a_parked_task_that_fails_leaves_its_branch_the_time_it_had():
    script = Script(1, limits=Limits(branch_timeout_s=30), retry=Retry(2, 4.0, 8.0))
    script.begins("a")
    script.now += 10
    script.asks("a")
    script.now += DAY
    script.fails("a", FailureKind.LOST)
    (send,) = script.waits(2)
    assert send.until == script.now + 18


# -- looks ----------------------------------------------------------------------------------------


def test_looks_at_a_parked_task_become_rarer_up_to_a_bound():
    script = Script(1)
    script.asks("a", mark="m")
    pauses = []
    for _ in range(40):
        pause = script.coordination.wake_at() - script.now
        (look,) = script.waits(pause)
        assert isinstance(look, Look)
        assert (look.remote, look.mark, look.attempt) == (remote_of("a"), "m", 1)
        pauses.append(pause)
        script.looks("a")
    assert pauses[0] == 1.0
    assert pauses == sorted(pauses)
    assert pauses[-1] == 600.0
    assert script.asked == ["1 a"]


def test_a_look_is_not_repeated_while_it_goes_on():
    script = Script(1)
    script.asks("a")
    assert len(script.waits(1)) == 1
    assert script.waits(1000) == []
    assert script.coordination.outstanding()[0].id == "attempt:review/a:1"


def test_a_new_question_is_looked_at_soon_again():
    script = Script(1)
    script.asks("a", mark="m")
    script.now += DAY
    script.waits(0)
    script.asks("a", mark="n")
    assert script.coordination.wake_at() == script.now + 1


def test_a_look_that_comes_back_after_the_answer_changes_nothing():
    script = Script(1)
    script.asks("a")
    script.waits(1)
    (send,) = script.says("yes")
    for comes_back in (script.looks, script.resumes):
        assert comes_back("a") == []
        assert script.coordination.outstanding() == [send]


# -- going on by itself ---------------------------------------------------------------------------


def test_a_task_that_goes_on_by_itself_is_followed_and_its_question_dropped():
    script = Script(1)
    script.asks("a", inquiry(kind="auth"))
    assert script.coordination.state is TaskState.AUTH_REQUIRED
    script.waits(1)
    (follow,) = script.resumes("a")
    assert isinstance(follow, Follow)
    assert (follow.remote, script.coordination.state, script.asked) == (remote_of("a"), WORKING, [])
    script.says("1: done")
    assert script.reception.refusal.why is Why.CLOSED
    assert "settled without an answer" in script.reception.refusal.words


def test_a_task_that_ends_by_itself_settles_its_branch():
    script = Script(2)
    script.asks("a")
    script.asks("b")
    script.waits(1)
    script.succeeds("a")
    assert (script.coordination.state, script.asked) == (INPUT, ["2 b"])


def test_a_parked_task_that_fails_is_tried_again_and_asks_nothing_any_more():
    script = Script(1, retry=Retry(attempts=2))
    script.asks("a")
    script.fails("a", FailureKind.FAILED)
    assert (script.coordination.state, script.asked) == (WORKING, [])
    script.says("1: yes")
    assert script.reception.refusal.why is Why.CLOSED
    assert sent(script.waits(1)) == ["a#2"]
    script.asks("a")
    assert script.asked == ["2 a"]


# -- facts that come late -------------------------------------------------------------------------


def test_what_a_task_asked_before_the_answer_went_out_does_not_take_the_answer_back():
    script = Script(1)
    script.asks("a")
    script.waits(1)
    (send,) = script.says("yes")
    script.asks("a", "a look that was under way saw this")
    assert script.open() == [send], "whoever delivers the answer sees what the task asks then"
    assert script.asked == []


@pytest.mark.parametrize("tell", ["takes_answer", "refuses_answer"])
def test_what_became_of_an_earlier_answer_does_not_touch_the_one_under_way(tell):
    script = Script(1)
    script.asks("a")
    (first,) = script.says("yes")
    script.takes_answer("a")
    script.asks("a")
    (second,) = script.says("no")
    assert isinstance(second, Send)
    assert getattr(script, tell)("a", message_id=first.message_id) == []
    assert script.open() == [second]


def test_a_refusal_that_is_told_twice_asks_once():
    script = Script(1)
    script.asks("a")
    (send,) = script.says("yes")
    for _ in range(2):
        script.refuses_answer("a", message_id=send.message_id)
        assert script.open() == []
        assert script.asked == ["2 a"]


def test_an_answer_that_arrived_is_not_sent_again_after_a_restart():
    script = Script(1)
    script.asks("a")
    script.says("yes")
    script.takes_answer("a")
    (follow,) = script.coordination.outstanding()
    assert (type(follow), follow.remote) == (Follow, remote_of("a"))
    assert script.tell(ev.TurnStarted(at=script.now, epoch=2)) == []

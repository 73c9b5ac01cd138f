"""What the client is asked, when, and under which number."""

import pytest

from coordinator.core import events as ev
from coordinator.core.commands import Look
from coordinator.core.coordination import Coordination
from coordinator.core.model import (
    Ask,
    FailureKind,
    Limits,
    Need,
    Release,
    Retry,
    Stragglers,
    SubTask,
    TaskState,
    Unanswered,
    Verdict,
)
from coordinator.core.questions import Why
from coordinator.core.view import view_of
from tests.core.building import T0, Script, agent, artifact, canceled, inquiry, merge_in, planned, sent

SOON = {"ask": Ask.SOON}
INPUT, AUTH, WORKING = TaskState.INPUT_REQUIRED, TaskState.AUTH_REQUIRED, TaskState.WORKING


def seen(script: Script) -> tuple[TaskState, list[str]]:
    return script.coordination.state, script.asked


# -- when -----------------------------------------------------------------------------------------


def test_the_client_is_asked_when_nothing_but_questions_is_left():
    script = Script(3)
    script.asks("a")
    assert seen(script) == (WORKING, [])
    script.asks("c")
    assert seen(script) == (WORKING, [])
    script.succeeds("b")
    assert seen(script) == (INPUT, ["1 a", "2 c"])
    assert script.coordination.is_waiting


def test_a_branch_that_waits_for_its_place_is_sent_before_anything_is_asked():
    script = Script(2, limits=Limits(concurrency=1))
    assert sent(script.asks("a")) == ["b"], "a parked branch takes no place"
    assert seen(script) == (WORKING, [])
    script.succeeds("b")
    assert seen(script) == (INPUT, ["1 a"])


def test_a_branch_that_waits_for_its_next_attempt_is_waited_for():
    script = Script(2, retry=Retry(attempts=2, backoff_min_s=4.0))
    script.asks("a")
    script.fails("b", FailureKind.UNREACHABLE)
    assert seen(script) == (WORKING, [])
    script.waits(4)
    script.succeeds("b")
    assert seen(script) == (INPUT, ["1 a"])


def test_soon_asks_a_second_after_the_first_question_whatever_else_goes_on():
    script = Script(4, plan=SOON)
    script.asks("a")
    assert (seen(script), script.coordination.wake_at()) == ((WORKING, []), T0 + 1)
    script.now += 0.5
    script.asks("b")
    script.waits(0.499)
    assert seen(script) == (WORKING, [])
    script.waits(0.001)
    assert seen(script) == (INPUT, ["1 a", "2 b"])
    assert not script.coordination.is_waiting
    assert script.coordination.wake_at() < T0 + 10, "parked tasks are looked at"


def test_soon_does_not_wait_when_only_questions_are_left():
    script = Script(1, plan=SOON)
    script.asks("a")
    assert seen(script) == (INPUT, ["1 a"])


@pytest.mark.parametrize("ask", list(Ask))
def test_a_question_joins_those_the_client_is_asked_already_at_once(ask):
    script = Script(3, plan={"ask": ask})
    script.asks("a")
    script.asks("b")
    script.asks("c")
    script.says("1: yes")
    script.takes_answer("a")
    before = script.coordination.told
    script.asks("a")
    assert seen(script) == (INPUT, ["2 b", "3 c", "4 a"])
    assert script.coordination.told != before, "streams have to tell it"


def test_progress_of_others_never_takes_the_question_away():
    script = Script(3, plan=SOON)
    script.asks("a")
    script.waits(1)
    for happens in (lambda: script.opens("b"), lambda: script.progresses("b", "half"), lambda: script.succeeds("b")):
        before = script.coordination.told
        happens()
        assert seen(script) == (INPUT, ["1 a"])
        assert script.coordination.told == before


# -- numbers --------------------------------------------------------------------------------------


def test_a_number_is_never_used_again():
    script = Script(2)
    script.asks("a")
    script.succeeds("b")
    for number in range(1, 4):
        assert script.asked == [f"{number} a"]
        script.says("yes")
        script.takes_answer("a")
        assert seen(script) == (WORKING, [])
        script.asks("a")


def test_a_status_that_is_reported_twice_is_one_question():
    script = Script(1)
    script.asks("a", mark="m")
    before = script.coordination.told
    script.asks("a", mark="m")
    assert script.asked == ["1 a"]
    assert script.coordination.told == before


def test_the_same_words_in_a_new_status_are_a_new_question():
    script = Script(1)
    script.asks("a", mark="m")
    script.asks("a", mark="n")
    assert script.asked == ["2 a"]
    script.says("1: yes")
    assert script.reception.refusal.why is Why.CLOSED


# -- input before authorisation -------------------------------------------------------------------


def test_an_authorisation_is_never_asked_for_under_input_required():
    script = Script(2)
    script.asks("a", inquiry("log in at …", "auth"))
    script.asks("b", "which one?")
    assert seen(script) == (INPUT, ["2 b"])
    script.says("this one")
    assert seen(script) == (WORKING, [])
    script.succeeds("b")
    assert seen(script) == (AUTH, ["1 a"])


def test_a_question_of_input_that_comes_later_goes_first_again():
    script = Script(2, plan=SOON)
    script.asks("a", inquiry(kind="auth"))
    script.waits(1)
    assert seen(script) == (AUTH, ["1 a"])
    script.asks("b")
    script.waits(1)
    assert seen(script) == (INPUT, ["2 b"])
    script.says("2: yes")
    script.succeeds("b")
    assert seen(script) == (AUTH, ["1 a"])


def test_an_authorisation_that_settles_itself_in_between_just_disappears():
    script = Script(2)
    script.asks("a", inquiry(kind="auth"))
    script.asks("b")
    script.resumes("a")
    assert seen(script) == (INPUT, ["2 b"])
    script.says("yes")
    script.succeeds("a")
    script.succeeds("b")
    script.merges()
    assert script.coordination.state is TaskState.COMPLETED


# -- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["cancel", "failure"])
def test_an_end_closes_the_questions_and_cancels_what_waits_below(end):
    script = Script(2)
    script.asks("a")
    script.asks("b", inquiry(kind="auth"))
    assert script.asked
    failed = ev.CoordinationFailed(at=T0, reason="claims without progress")
    commands = script.cancels() if end == "cancel" else script.tell(failed)
    assert canceled(commands) == ["a", "b"]
    assert all(cancel.remote is not None for cancel in commands)
    assert (script.asked, script.coordination.wake_at()) == ([], None)
    script.says("1: yes")
    assert script.reception.refusal.why is Why.OVER
    for name in "ab":
        script.settles_cancel(name)
    assert script.coordination.is_closed


def test_what_is_told_of_a_terminal_task_changes_nothing():
    script = Script(2)
    script.asks("a")
    script.asks("b")
    script.cancels()
    before = view_of(script.coordination, T0)
    for happens in (script.asks, script.looks, script.resumes, script.succeeds):
        assert happens("a") == []
    assert script.says("2: yes") == []
    assert view_of(script.coordination, T0) == before


def test_a_question_a_released_stage_does_not_need_is_closed():
    script = Script(3, plan=SOON, release=Release.FIRST)
    script.asks("a")
    script.waits(1)
    assert canceled(script.succeeds("b")) == ["a", "c"]
    assert seen(script) == (WORKING, [])
    script.merges()
    assert script.coordination.state is TaskState.COMPLETED


def test_a_straggler_that_asks_is_asked_about_when_everything_else_is_done():
    script = Script(2, release=Release.FIRST, stragglers=Stragglers.CONTINUE)
    script.asks("b")
    script.succeeds("a")
    assert seen(script) == (WORKING, [])
    script.merges()
    assert seen(script) == (INPUT, ["1 b"])
    script.says("yes")
    late = merge_in(script.succeeds("b"))
    assert late.is_late
    script.merges(artifact("late"), is_late=True)
    assert script.coordination.state is TaskState.COMPLETED
    assert [one.artifact_id for one in script.coordination.artifacts] == ["report", "late"]


# -- hedged attempts ------------------------------------------------------------------------------


def hedged() -> Script:
    tasks = [SubTask("a", agent("agent-a"), others=(agent("spare"),))]
    script = Script(stages=(planned(*tasks, hedge_s=5.0),))
    script.begins("a")
    return script


def test_nothing_is_asked_while_another_attempt_works():
    script = hedged()
    script.waits(5)
    script.asks("a", attempt=1)
    assert seen(script) == (WORKING, [])
    assert canceled(script.succeeds("a", attempt=2)) == ["a"]
    script.merges()
    assert script.coordination.state is TaskState.COMPLETED


def test_the_question_is_asked_when_the_other_attempt_fails():
    script = hedged()
    script.waits(5)
    script.asks("a", attempt=1)
    script.fails("a", attempt=2)
    assert seen(script) == (INPUT, ["1 a"])
    (send,) = script.says("yes")
    assert (send.attempt, send.agent) == (1, agent("agent-a"))


def test_when_both_ask_the_first_is_asked_and_the_other_canceled():
    script = hedged()
    script.waits(5)
    script.asks("a", attempt=2)
    assert canceled(script.asks("a", attempt=1)) == ["a#2"]
    assert (seen(script), script.question.agent) == ((INPUT, ["1 a"]), "agent-a")


def test_the_other_is_canceled_also_while_somebody_looks_at_it():
    script = hedged()
    script.waits(5)
    script.asks("a", attempt=2)
    script.waits(1)
    assert [command.attempt for command in script.open(Look)] == [2]
    script.asks("a", attempt=1)
    assert script.open(Look) == []
    script.looks("a", attempt=2)
    script.settles_cancel("a", attempt=2)
    script.cancels()
    script.settles_cancel("a", attempt=1)
    assert script.coordination.is_closed


def test_a_branch_that_asks_is_not_hedged():
    script = hedged()
    script.asks("a")
    assert sent(script.waits(6)) == []
    script.says("yes")
    assert sent(script.waits(6)) == []


def test_a_branch_that_has_asked_is_not_hedged_when_its_start_is_told_only_then():
    script = Script(stages=(planned(SubTask("a", agent("agent-a"), others=(agent("spare"),)), hedge_s=5.0),))
    script.asks("a", *(inquiry(words, key=key) for words, key in (("one", "1"), ("two", "2"))))
    script.says("1: yes")
    script.begins("a")
    assert sent(script.waits(6)) == [], "half an answer is on its way, and the other question stands"
    assert script.asked == ["2 a"]


# -- again ----------------------------------------------------------------------------------------


def snapshot(coordination: Coordination) -> tuple[object, ...]:
    told = coordination.state, coordination.wake_at(), coordination.told
    return told, coordination.outstanding(), view_of(coordination, T0)


def test_a_replay_of_any_prefix_gives_the_same_questions_and_commands():
    script = Script(4, plan={"ask": Ask.SOON, "unanswered": Unanswered(500.0, "skip")}, need=Need("count", 1))
    seen = [snapshot(script.coordination)]

    def then(_: object) -> None:
        seen.extend([snapshot(script.coordination)] * (len(script.facts) - 1 - len(seen)))

    script.opens("a")
    script.opens("b")
    then(None)
    before = len(seen)
    then(script.asks("a", inquiry("one", key="1"), inquiry("two", key="2")))
    then(script.asks("b", inquiry(kind="auth")))
    then(script.waits(1))
    then(script.says("1: yes"))
    then(script.says("2: no"))
    then(script.refuses_answer("a"))
    then(script.asks("a", inquiry("one", key="1")))
    then(script.succeeds("c"))
    then(script.fails("d"))
    then(script.waits(2))
    then(script.looks("b"))
    then(script.waits(600))
    then(script.merges())
    assert script.coordination.verdict is Verdict.PARTIAL
    for number in range(before, len(seen)):
        assert snapshot(Coordination.replay(script.facts[: number + 2])) == seen[number]

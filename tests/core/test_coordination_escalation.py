"""What the client decides about a failed branch, and what the plan decides when nobody answers."""

import pytest

from coordinator.core.model import (
    Ask,
    Exhausted,
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
from coordinator.core.record import run_record
from coordinator.core.states import BranchState
from tests.core.building import T0, Script, agent, artifact, canceled, inquiry, merge_in, planned, sent

INPUT, WORKING = TaskState.INPUT_REQUIRED, TaskState.WORKING
ESCALATE = {"exhausted": Exhausted.ESCALATE}
LATER = 3600.0


def failing(branches: int = 3, **options) -> Script:
    """Return a script whose branch a has failed and whose others have succeeded."""
    script = Script(branches, **(ESCALATE | options))
    script.fails("a", message="no luck")
    for name in "bcdefg"[: branches - 1]:
        script.succeeds(name)
    return script


def brought(script: Script) -> list[str]:
    return [outcome.branch.removeprefix("review/") for outcome in merge_in(script.open()).outcomes]


# -- the question ---------------------------------------------------------------------------------


def test_a_failure_for_good_is_asked_about_with_its_choices():
    script = failing()
    question = script.question
    assert (question.kind, question.agent, question.words) == ("failure", "agent-a", "rejected: no luck")
    assert [choice.id for choice in question.inquiry.choices] == ["retry", "skip", "take", "abort"]
    assert script.branch("a").state is BranchState.ASKING


def test_other_agents_that_could_do_it_are_choices():
    task = SubTask("a", agent("agent-a"), others=(agent("x"), agent("y"), agent("agent-a")))
    script = Script(stages=(planned(task, **ESCALATE),))
    script.fails("a")
    assert [choice.id for choice in script.question.inquiry.choices] == [
        "retry",
        "agent:x",
        "agent:y",
        "skip",
        "take",
        "abort",
    ]


def test_retries_and_fallbacks_come_before_the_question():
    task = SubTask("a", agent("agent-a"), others=(agent("x"),))
    script = Script(stages=(planned(task, fallback=1, retry=Retry(attempts=2), **ESCALATE),))
    for _ in range(2):
        script.fails("a", FailureKind.FAILED)
        script.waits(1)
        assert script.asked == []
    script.fails("a", FailureKind.FAILED)
    script.waits(1)
    script.fails("a", FailureKind.FAILED)
    assert (script.asked, script.question.agent) == (["1 a"], "x")


def test_a_branch_timeout_is_asked_about_too_and_its_task_canceled():
    script = Script(1, limits=Limits(branch_timeout_s=10), **ESCALATE)
    script.begins("a")
    assert canceled(script.waits(10)) == ["a"]
    assert (script.coordination.state, script.question.words) == (INPUT, "timed out: no result within 10 s")


def test_a_deadline_is_not_asked_about():
    script = Script(1, limits=Limits(deadline_s=10), **ESCALATE)
    script.waits(10)
    assert script.coordination.state is TaskState.FAILED


def test_a_failure_takes_the_place_of_what_the_specialist_asked():
    script = Script(1, limits=Limits(branch_timeout_s=10), **ESCALATE)
    script.begins("a")
    script.asks("a", inquiry("one", key="1"), inquiry("two", key="2"))
    script.says("1: yes")
    script.waits(10)
    assert (script.asked, script.question.kind) == (["3 a"], "failure")
    script.says("2: no")
    assert script.reception.refusal.why is Why.CLOSED


# -- the choices ----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["what?", "", "retry it", "agent:nobody"])
def test_a_wrong_choice_asks_again_and_says_why(words):
    script = failing()
    before = script.coordination.told
    assert script.says(f"1: {words}") == []
    assert script.coordination.problems == ("Question 1 takes one of: retry, skip, take, abort.",)
    assert (script.coordination.state, script.asked) == (INPUT, ["1 a"])
    assert script.coordination.told != before


def test_retry_starts_again_at_the_same_agent():
    script = failing()
    assert sent(script.says("Retry ")) == ["a#2"]
    assert script.coordination.state is WORKING
    merge_in(script.succeeds("a"))
    assert script.branch("a").failure is None


def test_another_agent_starts_at_once():
    task = SubTask("a", agent("agent-a"), others=(agent("x"), agent("y")))
    script = Script(stages=(planned(task, **ESCALATE),))
    script.fails("a")
    (send,) = script.says("agent:y")
    assert (send.agent, send.attempt) == (agent("y"), 2)


def test_a_retry_waits_for_the_cancel_of_the_attempt_before():
    script = Script(1, limits=Limits(branch_timeout_s=10), **ESCALATE)
    script.begins("a")
    script.waits(10)
    assert script.says("retry") == []
    assert script.coordination.state is WORKING
    assert sent(script.settles_cancel("a")) == ["a#2"]
    script.begins("a")
    assert script.coordination.wake_at() == script.now + 10, "it has its whole time again"


def test_a_retry_that_fails_is_asked_about_again_under_another_number():
    script = failing(retry=Retry(attempts=1))
    script.says("retry")
    script.fails("a", FailureKind.UNREACHABLE, message="gone")
    assert (script.asked, script.question.words) == (["2 a"], "unreachable: gone")


def test_a_retry_of_the_client_s_is_not_taken_from_the_budget():
    script = Script(2, plan={"retry_budget": 1}, retry=Retry(attempts=9), need=Need("count", 0), **ESCALATE)
    script.fails("a", FailureKind.REJECTED)
    script.succeeds("b")
    script.says("retry")
    script.fails("a", FailureKind.FAILED)
    assert sent(script.waits(10)) == ["a#3"]
    script.fails("a", FailureKind.FAILED)
    assert script.asked == ["2 a"], "the budget is used up"
    script.says("retry")
    script.fails("a", FailureKind.FAILED)
    assert script.asked == ["3 a"], "and stays so"


def test_skip_goes_on_without_the_branch():
    script = failing(need=Need("count", 2))
    script.says("skip")
    assert brought(script) == ["b", "c"]
    script.merges()
    assert (script.coordination.state, script.coordination.verdict) == (TaskState.COMPLETED, Verdict.PARTIAL)
    assert script.coordination.reason.endswith("missing: agent-a (rejected: no luck).")


def test_skip_counts_against_need():
    script = failing()
    script.says("skip")
    assert script.coordination.state is TaskState.FAILED


def test_take_stops_waiting_and_merges_what_there_is():
    script = Script(4, plan={"ask": Ask.SOON}, **ESCALATE)
    script.succeeds("b")
    script.asks("d")
    script.fails("a", message="no luck")
    script.waits(1)
    assert script.asked == ["1 d", "2 a"]
    commands = script.says("2: take")
    assert canceled(commands) == ["c", "d"]
    assert [outcome.branch for outcome in merge_in(commands).outcomes] == ["review/b"]
    script.merges()
    assert (script.coordination.state, script.coordination.verdict) == (TaskState.COMPLETED, Verdict.PARTIAL)
    assert script.coordination.reason == (
        "Partial result: 1 of 4 branches succeeded; missing: agent-a (rejected: no luck)."
    )
    assert script.coordination.artifacts[0].description == script.coordination.reason


def test_take_does_not_ask_whether_enough_have_succeeded():
    script = failing(need=Need("all"))
    script.says("take")
    assert brought(script) == ["b", "c"]


def test_take_ends_stragglers_and_merges_nothing_twice():
    options = {"release": Release.FIRST, "stragglers": Stragglers.CONTINUE}
    script = Script(3, **(ESCALATE | options))
    script.succeeds("b")
    script.merges()
    script.succeeds("c")
    script.fails("a")
    late = merge_in(script.says("take"))
    assert (late.is_late, [outcome.branch for outcome in late.outcomes]) == (True, ["review/c"])
    script.merges(artifact("late"), is_late=True)
    assert script.coordination.state is TaskState.COMPLETED
    assert [one.artifact_id for one in script.coordination.artifacts] == ["report", "late"]


def test_take_is_for_the_stage_that_asks():
    first = planned(SubTask("a", agent("a")), name="one", **ESCALATE)
    second = planned(SubTask("b", agent("b")), name="two", **ESCALATE)
    script = Script(stages=(first, second))
    script.fails("one/a")
    script.fails("two/b")
    assert [command.stage for command in script.says("1: take")] == ["one"]
    assert script.asked == ["2 two/b"]


def test_abort_gives_the_task_up_and_keeps_what_finished():
    script = failing()
    script.says("abort")
    assert script.coordination.state is TaskState.FAILED
    assert script.coordination.reason == "Given up: question 1 was answered with: abort."
    assert [one.artifact_id for one in script.coordination.artifacts] == ["review/b/findings", "review/c/findings"]


def test_what_needs_a_skipped_branch_fails_with_it():
    tasks = SubTask("a", agent("agent-a")), SubTask("b", agent("agent-b"), after=("a",))
    script = Script(stages=(planned(*tasks, need=Need("count", 0), **ESCALATE),))
    script.fails("a")
    script.says("skip")
    assert script.branch("b").failure.kind is FailureKind.DEPENDENCY


def test_a_retry_in_a_full_stage_waits_for_a_place_and_is_sent_once():
    script = Script(2, limits=Limits(concurrency=1, branch_timeout_s=10), retry=Retry(3, 4.0, 4.0), **ESCALATE)
    script.begins("a")
    script.fails("a", FailureKind.UNREACHABLE)
    script.waits(3)
    script.waits(7)
    assert script.branch("a").state is BranchState.ASKING
    script.begins("b")
    assert script.coordination.state is WORKING
    script.succeeds("b")
    assert script.asked == ["1 a"]
    assert sent(script.says("retry")) == ["a#2"]
    assert script.fails("a", FailureKind.UNREACHABLE) == []
    assert sent(script.waits(1)) == []
    assert sent(script.waits(3)) == ["a#3"]


# -- nobody answers -------------------------------------------------------------------------------


def unanswered(then: str, branches: int = 3, **options) -> Script:
    plan = {"unanswered": Unanswered(LATER, then)}
    script = Script(branches, plan=plan, **options)
    script.asks("a")
    for name in "bcdefg"[: branches - 1]:
        script.succeeds(name)
    return script


def test_nobody_is_asked_for_ever_and_nothing_happens_before():
    script = unanswered("skip", need=Need("count", 2))
    assert script.question.default_at == T0 + LATER
    script.waits(LATER - 0.001)
    assert script.asked == ["1 a"]
    assert canceled(script.waits(0.001)) == ["a"]
    script.merges()
    assert script.coordination.verdict is Verdict.PARTIAL
    (record, *_) = run_record(script.coordination)["branches"]
    assert record["error"] == {
        "kind": "skipped",
        "message": "question 1 was not answered in time: which one?",
    }


def test_a_skipped_question_is_the_reason_even_when_an_attempt_had_failed_before():
    script = Script(1, plan={"unanswered": Unanswered(LATER, "skip")}, retry=Retry(attempts=2))
    script.fails("a", FailureKind.FAILED)
    script.waits(1)
    script.asks("a")
    script.waits(LATER)
    assert script.branch("a").failure.kind is FailureKind.SKIPPED


def test_by_default_what_there_is_is_taken():
    script = unanswered("take")
    script.waits(LATER)
    assert brought(script) == ["b", "c"]
    script.merges()
    assert script.coordination.verdict is Verdict.PARTIAL


def test_by_default_the_task_is_given_up():
    script = unanswered("abort")
    assert canceled(script.waits(LATER)) == ["a"]
    assert script.coordination.state is TaskState.FAILED
    assert script.coordination.reason == "Given up: question 1 was not answered in time: which one?."


@pytest.mark.parametrize("then", ["skip", "take", "abort"])
def test_the_default_applies_to_failures_too(then):
    script = failing(plan={"unanswered": Unanswered(LATER, then)}, need=Need("count", 2))
    script.waits(LATER)
    assert script.asked == []
    assert script.branch("a").failure.kind is FailureKind.REJECTED
    assert (script.coordination.state is TaskState.FAILED) is (then == "abort")


def test_the_time_for_an_answer_starts_when_the_client_is_asked():
    script = Script(2, plan={"unanswered": Unanswered(LATER, "abort")})
    script.asks("a")
    script.waits(2 * LATER)
    script.succeeds("b")
    assert script.question.default_at == script.now + LATER
    assert script.coordination.wake_at() <= script.now + LATER
    script.waits(LATER - 1)
    assert script.asked == ["1 a"]


def test_asking_again_does_not_put_the_default_off():
    script = Script(2, plan={"unanswered": Unanswered(LATER, "skip")}, need=Need("count", 0))
    script.asks("a")
    script.asks("b")
    script.now += LATER / 2
    script.says("2: yes")
    script.succeeds("b")
    assert script.asked == ["1 a"]
    script.waits(LATER / 2)
    assert script.asked == []


def test_a_late_text_does_not_answer_another_question():
    script = Script(2, plan={"unanswered": Unanswered(LATER, "skip")}, need=Need("count", 0))
    script.asks("a")
    script.asks("b")
    script.now += LATER / 2
    script.says("2: yes")
    script.takes_answer("b")
    script.asks("b")
    script.waits(LATER / 2)
    assert script.asked == ["3 b"]
    assert script.says("meant for the first one") == []
    assert script.asked == ["3 b"]
    assert "closed in the meantime" in script.coordination.problems[0]

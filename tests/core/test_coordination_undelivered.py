"""Answers that were accepted and have not arrived when their attempt ends: the client is told, and asked anew."""

import pytest

from coordinator.core.coordination import Coordination
from coordinator.core.model import Ask, Exhausted, FailureKind, Limits, Retry, SubTask
from coordinator.core.view import view_of
from tests.core.building import T0, Script, agent, inquiry, planned

KEYED = inquiry("one", key="1"), inquiry("two", key="2")
FIRST = '(The answer to question 1, "yes", may not have reached agent-a, whose attempt has ended.) '
SECOND = '(The answer to question 2, "no", did not reach agent-a, whose attempt has ended.) '


def words(script: Script) -> list[str]:
    return [question.words for question in script.coordination.asked]


def holding(script: Script) -> Script:
    """Let the agent take the answer to its first question; the one to its second waits until it asks again."""
    script.asks("a", *KEYED)
    script.says("1: yes")
    script.says("2: no")
    script.takes_answer("a")
    return script


def test_the_next_attempt_says_which_answer_the_one_before_was_not_given():
    script = holding(Script(1, retry=Retry(attempts=2)))
    script.fails("a", FailureKind.FAILED)
    script.waits(1)
    assert script.asks("a", *KEYED) == [], "the same key may mean something else to it"
    assert (script.asked, words(script)) == (["3 a", "4 a"], [f"{SECOND}one", "two"])


def test_another_agent_that_asks_something_else_says_it_too():
    tasks = [SubTask("a", agent("agent-a"), others=(agent("spare"),))]
    script = holding(Script(stages=(planned(*tasks, fallback=1),)))
    script.fails("a", FailureKind.REJECTED)
    script.waits(0)
    script.asks("a", "which colour?")
    assert (script.question.agent, words(script)) == ("spare", [f"{SECOND}which colour?"])


def test_who_is_asked_about_the_failure_is_told_and_not_told_again_later():
    script = holding(Script(1, exhausted=Exhausted.ESCALATE))
    script.fails("a")
    assert words(script) == [f"{SECOND}rejected: no"]
    script.says("retry")
    script.waits(0)
    script.asks("a", *KEYED)
    assert words(script) == ["one", "two"]


def test_an_answer_on_its_way_when_the_attempt_ends_may_have_arrived():
    script = Script(1, retry=Retry(attempts=2))
    script.asks("a")
    script.says("yes")
    script.fails("a", FailureKind.FAILED)
    script.waits(1)
    script.asks("a")
    assert words(script) == [f"{FIRST}which one?"]


def test_that_the_time_of_a_branch_is_over_loses_no_answer_silently():
    script = Script(1, exhausted=Exhausted.ESCALATE, limits=Limits(branch_timeout_s=5.0))
    script.begins("a")
    script.asks("a", *KEYED)
    script.says("1: yes")
    script.says("2: no")
    script.waits(5)
    assert words(script) == [f"{FIRST}{SECOND}timed out: no result within 5 s"]


def test_an_answer_that_arrived_is_not_told_to_be_lost():
    script = Script(1, retry=Retry(attempts=2))
    script.asks("a")
    script.says("yes")
    script.takes_answer("a")
    script.fails("a", FailureKind.FAILED)
    script.waits(1)
    script.asks("a")
    assert words(script) == ["which one?"]


def test_a_failed_attempt_that_is_followed_again_gets_the_answer_after_all():
    script = holding(Script(1, retry=Retry(attempts=2)))
    script.fails("a", FailureKind.FAILED, is_open=True)
    script.settles_cancel("a", result="finished")
    script.asks("a", KEYED[1])
    assert (script.answer_to("a").answers, script.asked) == (("2",), [])


def test_it_is_told_with_the_first_question_the_client_sees():
    script = Script(2, retry=Retry(attempts=2), plan={"ask": Ask.SOON})
    script.asks("a")
    script.waits(1)
    script.says("yes")
    script.fails("a", FailureKind.FAILED)
    script.waits(1)
    script.asks("a", "never seen?")
    script.resumes("a")
    script.asks("a", "seen?")
    script.succeeds("b")
    assert words(script) == [f"{FIRST}seen?"]


@pytest.mark.parametrize(
    ("said", "quoted"),
    [("tabs\n  and spaces", ', "tabs and spaces",'), ("x" * 101, f', "{"x" * 100}…",'), ("", "")],
)
def test_an_answer_is_quoted_in_a_line_as_far_as_it_is_short(said, quoted):
    script = Script(1, retry=Retry(attempts=2))
    script.asks("a")
    script.says(f"1: {said}")
    script.fails("a", FailureKind.FAILED)
    script.waits(1)
    script.asks("a")
    assert script.question.words.startswith(f"(The answer to question 1{quoted} may not have reached agent-a")


def test_a_replay_tells_the_same():
    script = holding(Script(1, retry=Retry(attempts=2)))
    script.fails("a", FailureKind.FAILED)
    script.waits(1)
    script.asks("a", *KEYED)
    assert view_of(Coordination.replay(script.facts), T0) == view_of(script.coordination, T0)

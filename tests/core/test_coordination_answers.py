"""Which answer is meant for which question, and where it goes."""

import pytest

from coordinator.core.commands import Follow, Send
from coordinator.core.model import Ask, FailureKind, Need, Retry, TaskState
from coordinator.core.questions import Problem, Reception, Why
from tests.core.building import T0, Script, agent, canceled, inquiry, remote_of, reply

INPUT, WORKING = TaskState.INPUT_REQUIRED, TaskState.WORKING
KEYED = inquiry("one", key="1"), inquiry("two", key="2")


def asking(names: str = "abc") -> Script:
    script = Script(len(names))
    for name in names:
        script.asks(name)
    return script


def down(script: Script, name: str) -> tuple[str, ...]:
    """Return for each part on its way to *name* which question it answers there, and how long it is."""
    send = script.answer_to(name)
    return tuple(f"{key}:{part.size}" for key, part in zip(send.answers, send.parts, strict=True))


# -- to whom --------------------------------------------------------------------------------------


def test_an_answer_goes_to_the_task_that_asked_and_nowhere_else():
    script = asking()
    (send,) = script.says("2: yes")
    assert isinstance(send, Send)
    assert (send.branch, send.attempt, send.agent) == ("review/b", 1, agent("agent-b"))
    assert (send.remote, send.parts, send.answers) == (remote_of("b"), reply("2: yes").parts, ("",))
    assert send.message_id not in {command.message_id for command in script.first}


def test_half_an_answer_resumes_those_branches_and_keeps_asking_the_rest():
    script = asking()
    before = script.coordination.told
    script.says("1: yes", "3: no")
    assert (script.coordination.state, script.asked) == (INPUT, ["2 b"])
    assert script.coordination.told != before
    assert [command.branch for command in script.open()] == ["review/a", "review/c"]
    assert script.reception == Reception(used=2)


def test_a_whole_answer_moves_the_task_to_working_first():
    script = asking()
    script.says("1: yes", "2: no", "3: so")
    assert (script.coordination.state, script.asked) == (WORKING, [])


def test_an_answer_that_arrived_is_followed():
    script = asking("a")
    script.says("yes")
    assert script.takes_answer("a") == []
    (follow,) = script.open()
    assert isinstance(follow, Follow)
    script.succeeds("a")
    script.merges()
    assert script.coordination.state is TaskState.COMPLETED


def test_several_parts_for_one_question_go_down_in_one_message():
    script = asking("ab")
    script.says("1: yes", "1: sure!")
    assert down(script, "a") == (":3", ":5")


def test_answers_of_one_task_have_ids_of_their_own():
    script = asking("a")
    ids = {script.first[0].message_id}
    for _ in range(3):
        (send,) = script.says("yes")
        ids.add(send.message_id)
        script.takes_answer("a")
        script.asks("a")
    assert len(ids) == 4


def test_a_credential_that_is_named_is_shown_from_then_on():
    script = Script(1)
    script.asks("a", inquiry(kind="auth"))
    (send,) = script.says("credential: work")
    assert send.credential == "work"
    script.takes_answer("a")
    (follow,) = script.open()
    assert follow.credential == "work"
    (cancel,) = script.cancels()
    assert cancel.credential == "work"


# -- bare text ------------------------------------------------------------------------------------


def test_bare_text_is_the_answer_when_one_question_is_open():
    script = asking("a")
    script.says("yes")
    assert down(script, "a") == (":3",)


def test_bare_text_is_asked_again_when_several_are_open():
    script = asking("ab")
    before = script.coordination.told
    assert script.says("yes") == []
    assert script.reception.refusal is None
    assert script.coordination.problems == ('Several questions are open: write "1: your answer".',)
    assert script.asked == ["1 a", "2 b"]
    assert script.coordination.told != before, "it is asked again"


def test_bare_text_does_not_count_when_another_question_was_closed_unseen():
    script = asking("ab")
    script.resumes("a")
    assert script.says("yes") == []
    assert 'write "2: your answer" if 2 is meant' in script.coordination.problems[0]
    assert script.asked == ["2 b"]
    script.says("yes")
    assert down(script, "b") == (":3",)
    assert script.coordination.problems == ()


def test_a_question_the_client_never_saw_does_not_make_bare_text_doubtful():
    script = Script(2)
    script.asks("a")
    script.resumes("a")
    script.asks("a")
    script.succeeds("b")
    script.says("yes")
    assert down(script, "a") == (":3",)


def test_a_question_that_was_answered_does_not_make_bare_text_doubtful():
    script = asking("ab")
    script.says("1: yes")
    script.says("yes")
    assert down(script, "b") == (":3",)


# -- what helps nobody ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["1", "7", "0", "x", "99999999999", "-1", "²"])
def test_a_closed_or_unknown_question_is_refused_by_its_name(number):
    script = asking("ab")
    script.says("1: yes")
    before = script.coordination.told
    assert script.says(f"{number}: yes") == []
    refusal = script.reception.refusal
    assert refusal.why is Why.CLOSED
    assert number in refusal.words
    assert script.coordination.told == before
    assert script.coordination.messages[-1] == script.facts[-2].message, "a refused message is not kept"


def test_a_question_that_was_not_asked_yet_cannot_be_answered():
    script = asking("ab")
    script.says("1: yes")
    script.asks("a", inquiry(kind="auth"))
    assert script.asked == ["2 b"]
    script.says("3: granted")
    assert script.reception.refusal == Problem(Why.CLOSED, "There is no question 3.")


def test_a_message_nobody_asked_for_is_refused():
    script = Script(1)
    script.says("hello")
    assert script.reception.refusal.why is Why.NOTHING_ASKED


def test_what_helps_counts_beside_what_does_not():
    script = asking("ab")
    script.says("1: yes", "9: no")
    assert (script.reception.used, script.reception.refusal) == (1, None)
    assert script.coordination.problems == ("There is no question 9.",)
    assert script.asked == ["2 b"]


def test_the_second_of_two_answers_to_one_question_is_refused():
    script = asking("a")
    (send,) = script.says("1: yes")
    assert script.says("1: no") == []
    assert script.reception.refusal == Problem(Why.CLOSED, "Question 1 is closed: answered.")
    assert script.open() == [send]


# -- an answer that does not arrive ---------------------------------------------------------------


def test_a_refused_answer_is_asked_again_with_the_reason():
    script = asking("a")
    script.says("yes")
    assert script.refuses_answer("a", "too short") == []
    assert (script.coordination.state, script.asked) == (INPUT, ["2 a"])
    assert script.question.words == "The answer did not reach it (too short). It asks: which one?"
    script.says("because")
    assert down(script, "a") == (":7",)


def test_the_reason_is_told_once_and_not_piled_up():
    script = asking("a")
    for words in ("one", "two"):
        script.says("yes")
        script.refuses_answer("a", words)
    assert script.question.words == "The answer did not reach it (two). It asks: which one?"


def test_only_what_was_answered_is_asked_again():
    script = Script(1)
    script.asks("a", *KEYED)
    script.says("1: yes")
    script.refuses_answer("a")
    assert script.asked == ["2 a", "3 a"]
    assert script.coordination.asked[0].words == "two"
    script.asks("a", *KEYED)
    assert script.asked == ["2 a", "3 a"], "the reason makes no other question of it"


def test_an_answer_that_is_refused_after_the_task_has_ended_changes_nothing():
    script = asking("a")
    (send,) = script.says("yes")
    script.cancels()
    assert script.refuses_answer("a", message_id=send.message_id) == []
    assert script.asked == []


# -- specialists that ask several questions -------------------------------------------------------


def test_questions_of_an_inner_coordinator_keep_their_numbers_when_the_rest_is_asked_again():
    script = Script(1)
    three = inquiry("three", key="3")
    script.asks("a", *KEYED, three)
    assert script.asked == ["1 a", "2 a", "3 a"]
    script.says("2: no")
    assert down(script, "a") == ("2:2",)
    script.takes_answer("a")
    assert script.asked == ["1 a", "3 a"], "they stay open while it takes the answer"
    script.asks("a", KEYED[0], three)
    assert script.asked == ["1 a", "3 a"]
    script.asks("a", KEYED[0], three, inquiry("four", key="4"))
    assert script.asked == ["1 a", "3 a", "4 a"]


def test_an_inner_question_that_settles_itself_is_dropped_and_the_rest_keeps_its_number():
    script = Script(1)
    script.asks("a", *KEYED)
    script.asks("a", KEYED[1])
    assert script.asked == ["2 a"]


def test_two_answers_in_one_message_go_down_in_one_message():
    script = Script(1)
    script.asks("a", *KEYED)
    script.says("1: yes", "2: no")
    assert down(script, "a") == ("1:3", "2:2")


def test_an_answer_that_comes_while_another_one_travels_goes_down_when_it_asks_again():
    script = Script(1)
    script.asks("a", *KEYED)
    (first,) = script.says("1: yes")
    assert script.says("2: no") == []
    assert (script.coordination.state, script.asked, script.reception.used) == (WORKING, [], 1)
    script.takes_answer("a")
    (second,) = script.asks("a", KEYED[1])
    assert (down(script, "a"), script.asked) == (("2:2",), [])
    assert second.message_id != first.message_id
    assert script.coordination.state is WORKING


def test_an_answer_that_was_held_goes_down_also_when_the_one_before_is_refused():
    script = Script(1)
    script.asks("a", *KEYED)
    script.says("1: yes")
    script.says("2: no")
    script.refuses_answer("a", "say more")
    assert down(script, "a") == ("2:2",)
    assert script.coordination.state is WORKING
    script.takes_answer("a")
    script.asks("a", KEYED[0])
    assert (script.asked, script.question.words) == (
        ["3 a"],
        "The answer did not reach it (say more). It asks: one",
    )


def test_an_answer_that_was_held_for_a_question_that_has_closed_is_told_and_not_sent():
    script = Script(1)
    script.asks("a", *KEYED)
    script.says("1: yes")
    script.says("2: no")
    script.takes_answer("a")
    assert script.asks("a", inquiry("three", key="3")) == []
    assert script.asked == ["3 a"]
    assert script.coordination.problems == ("Question 2 was closed before its answer arrived.",)


def test_a_question_whose_held_answer_came_too_late_is_asked_anew_when_it_comes_back():
    script = Script(1)
    script.asks("a", *KEYED)
    script.says("1: yes")
    script.says("2: no")
    script.takes_answer("a")
    script.asks("a", inquiry("three", key="3"))
    assert script.asks("a", *KEYED) == [], "what was told to be late is not sent after all"
    assert script.asked == ["4 a", "5 a"]
    script.says("5: maybe")
    assert down(script, "a") == ("2:5",)


def test_an_answer_that_was_held_does_not_go_to_another_attempt():
    script = Script(1, retry=Retry(attempts=2))
    script.asks("a", *KEYED)
    script.says("1: yes")
    script.says("2: no")
    script.fails("a", FailureKind.FAILED)
    script.waits(1)
    assert script.asks("a", *KEYED) == []
    assert script.asked == ["3 a", "4 a"]


def test_a_failure_question_of_an_inner_coordinator_is_answered_there():
    script = Script(1)
    script.asks("a", inquiry("broken: no", "failure", "1", "retry skip abort"))
    (send,) = script.says("retry")
    assert (send.attempt, send.answers, send.remote) == (1, ("1",), remote_of("a"))


# -- the attempts of a branch ---------------------------------------------------------------------


def test_one_branch_s_answer_leaves_the_others_alone():
    script = Script(3, plan={"ask": Ask.SOON}, need=Need("count", 1))
    script.asks("a")
    script.asks("b")
    script.waits(1)
    script.says("1: yes")
    assert canceled(script.fails("a")) == []
    assert script.asked == ["2 b"]
    assert script.now == T0 + 1

"""Numbers at the beginnings of lines: of questions, or of a list that is an answer."""

import pytest

from coordinator.core.model import Exhausted
from coordinator.core.questions import Problem, Reception, Why
from tests.core.building import Script, inquiry

LIST = "1: do this", "2: do that"
WHOLE = (":21",)
"""What goes down when all of the list does."""


def asking(names: str) -> Script:
    script = Script(len(names))
    for name in names:
        script.asks(name)
    return script


def down(script: Script, name: str) -> tuple[str, ...]:
    """Return how long each part on its way to *name* is."""
    return tuple(f":{part.size}" for part in script.answer_to(name).parts)


def closed_and_open(closed: int) -> Script:
    """Return a script whose first questions are closed, and the one after them is open."""
    script = asking("abcd"[: closed + 1])
    script.says(*(f"{number + 1}: yes" for number in range(closed)))
    return script


def test_a_list_is_the_answer_to_the_one_open_question_when_its_numbers_are_of_no_others():
    script = asking("a")
    script.writes(*LIST)
    assert (down(script, "a"), script.reception) == (WHOLE, Reception(used=1))


@pytest.mark.parametrize("number", ["2", "9", "80", "0"])
def test_a_number_alone_that_nobody_was_asked_under_may_be_mistyped_and_is_told(number):
    script = asking("a")
    assert script.writes(f"{number}: yes") == []
    assert script.reception.refusal == Problem(Why.CLOSED, f"There is no question {number}.")


def test_a_number_of_the_one_open_question_is_not_part_of_its_answer():
    script = closed_and_open(2)
    script.writes("3: yes")
    assert down(script, "c") == (":3",)


def test_a_number_of_a_closed_question_is_taken_for_that_question():
    script = closed_and_open(1)
    assert script.writes("1: yes") == []
    assert script.reception.refusal == Problem(Why.CLOSED, "Question 1 is closed: answered.")


def test_a_list_whose_numbers_are_all_of_closed_questions_is_not_taken_for_the_open_one():
    script = closed_and_open(2)
    assert script.writes(*LIST) == []
    assert script.reception.refusal == Problem(Why.CLOSED, "Question 1 is closed: answered.")
    assert script.asked == ["3 c"]


def test_a_list_with_a_number_of_a_closed_question_is_asked_again_and_no_piece_of_it_is_sent():
    script = closed_and_open(1)
    before = script.coordination.told
    assert script.writes(*LIST, "3: and that") == []
    told = "Question 1 is closed, and other numbers in your text are of no question"
    assert script.coordination.problems == (f"{told}: write the answer to 2 without numbered lines.",)
    assert (script.asked, script.coordination.told != before) == (["2 b"], True)


def test_a_question_the_client_never_saw_is_none_its_numbers_can_mean():
    script = Script(2)
    script.asks("a", inquiry(kind="auth"))
    script.asks("b")
    script.writes("2: do this", "1: do that")
    assert down(script, "b") == WHOLE


def test_a_list_is_asked_again_when_another_question_was_closed_unseen_as_any_bare_text_is():
    script = asking("ab")
    script.resumes("a")
    assert script.writes("2: do that", "3: do this") == []
    assert 'write "2: your answer" if 2 is meant' in script.coordination.problems[0]
    script.writes("2: do that", "3: do this")
    assert down(script, "b") == WHOLE


def test_a_list_is_none_of_the_choices_though_a_line_of_it_is():
    script = Script(1, exhausted=Exhausted.ESCALATE)
    script.fails("a")
    assert script.writes("1: retry", "2: skip") == []
    assert script.coordination.problems == ("Question 1 takes one of: retry, skip, take, abort.",)


def test_with_several_open_questions_every_line_is_for_its_own_and_an_unknown_number_is_told():
    script = asking("abc")
    script.writes("1: yes", "2: no", "9: so")
    assert (down(script, "a"), down(script, "b"), script.asked) == ((":3",), (":2",), ["3 c"])
    assert script.coordination.problems == ("There is no question 9.",)


def test_a_text_that_was_journaled_without_its_whole_is_read_line_by_line_as_it_was():
    script = asking("a")
    script.says(*LIST)
    assert down(script, "a") == (":7",)

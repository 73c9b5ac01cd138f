"""`first`, `best` and `vote`: one answer among several, and who it is from."""

import pytest

from coordinator.core.extension import SOURCE
from coordinator.core.merging import Best, Contribution, First, Source, Vote
from coordinator.core.merging.vote import MOST_SHOWN
from tests.core.answering import FILE, LINK, answer, contents, document, text

# -- first ----------------------------------------------------------------------------------------


def test_first_takes_the_whole_answer_of_the_first_branch_in_plan_order():
    merging = First()([answer("lint", "one", {"a": 1}), answer("types", "two")])
    assert contents(merging) == ["one", {"a": 1}]
    assert merging.summary == {"answers": 2, "agent": "lint", "branch": "only/lint"}
    assert merging.artifact.description == "The answer of lint: the first in plan order of 2."


def test_an_answer_of_several_artifacts_is_one_answer():
    source = Source("lint", "only/lint", "remote-lint", "a2")
    merging = First()([answer("lint", "one"), Contribution(source, (text("more"),)), answer("types", "two")])
    assert contents(merging) == ["one", "more"]
    assert [part.metadata[SOURCE]["artifactId"] for part in merging.artifact.parts] == ["a1", "a2"]


def test_who_brought_no_part_is_not_the_first():
    assert contents(First()([answer("lint"), answer("types", "two")])) == ["two"]


def test_first_of_nothing_is_an_empty_text():
    merging = First("answer")([])
    assert (contents(merging), merging.artifact.name, merging.summary) == ([""], "answer", {"answers": 0})


@pytest.mark.parametrize("strategy", [First(), Best()])
def test_files_and_links_pass_through_untouched(strategy):
    file, link = strategy([answer("lint", FILE, LINK)]).artifact.parts
    assert (file.content, file.media_type, file.filename, file.metadata["pages"]) == (
        b"%PDF",
        "application/pdf",
        "report.pdf",
        2,
    )
    assert (link.kind, link.content, link.filename) == ("url", LINK.content, "log.txt")


# -- best -----------------------------------------------------------------------------------------


def test_best_takes_the_answer_that_states_the_highest_confidence():
    answers = [
        answer("lint", "one", {"result": {"score": 0.5}}),
        answer("types", {"result": {"score": 0.9}}, "two"),
        answer("complexity", "three"),
    ]
    merging = Best("result.score")(answers)
    assert contents(merging) == [{"result": {"score": 0.9}}, "two"]
    assert merging.summary == {"answers": 3, "agent": "types", "branch": "only/types", "confidence": 0.9}
    assert merging.artifact.description == "The answer of types: result.score 0.9, the highest of 3."


def test_among_equally_confident_answers_the_first_in_plan_order_is_best():
    merging = Best()([answer("lint", {"confidence": 7}), answer("types", {"confidence": 7})])
    assert merging.summary["agent"] == "lint"


@pytest.mark.parametrize("stated", ["90", True, None, [90], {"of": 90}])
def test_only_a_number_is_a_confidence(stated):
    merging = Best()([answer("lint", {"confidence": stated}), answer("types", {"confidence": 0})])
    assert merging.summary["agent"] == "types"


def test_where_nobody_states_a_confidence_the_first_is_taken_and_it_says_so():
    merging = Best()([answer("lint", "one"), answer("types", "two")])
    assert contents(merging) == ["one"]
    assert "nobody states confidence" in merging.artifact.description
    assert "confidence" not in merging.summary


# -- vote -----------------------------------------------------------------------------------------


def votes(merging):
    return [(option["value"], option["votes"]) for option in document(merging)["options"]]


def test_the_option_with_most_votes_wins_and_the_result_names_the_votes_of_each():
    answers = [answer("a", {"verdict": "no"}), answer("b", {"verdict": "yes"}), answer("c", {"verdict": "yes"})]
    merging = Vote("verdict")(answers)
    tally = document(merging)
    assert (tally["winner"], tally["votes"], tally["abstained"]) == ("yes", 2, 0)
    assert votes(merging) == [("yes", 2), ("no", 1)]
    assert [source["agent"] for source in tally["options"][0]["sources"]] == ["b", "c"]
    assert merging.summary == {
        "votes": [{"value": "yes", "votes": 2}, {"value": "no", "votes": 1}],
        "options": 2,
        "abstained": 0,
    }
    assert merging.artifact.description == "yes: 2 of 3 votes."
    assert "- **no**: 1 votes (a)" in contents(merging)[1].splitlines()


def test_a_tie_goes_to_the_highest_confidence():
    sure = [answer("a", {"verdict": "no", "confidence": 60}), answer("b", {"verdict": "yes", "confidence": 70})]
    assert document(Vote("verdict")(sure))["winner"] == "yes"
    assert document(Vote("verdict", confidence="doubt")(sure))["winner"] == "no", "then the first in plan order"


def test_a_tie_of_who_states_a_confidence_and_who_does_not_goes_to_the_former():
    answers = [answer("a", {"verdict": "no"}), answer("b", {"verdict": "yes", "confidence": 0})]
    assert document(Vote("verdict")(answers))["winner"] == "yes"


def test_votes_may_be_for_objects_and_the_order_of_keys_makes_no_difference():
    answers = [answer("a", {"at": {"x": 1, "y": 2}}), answer("b", {"at": {"y": 2, "x": 1}}), answer("c", {"at": 3})]
    assert votes(Vote("at")(answers)) == [({"x": 1, "y": 2}, 2), (3, 1)]


def test_who_says_nothing_about_it_abstains():
    merging = Vote("verdict")([answer("a", "yes"), answer("b", {"verdict": None}), answer("c", {"verdict": "no"})])
    assert (document(merging)["winner"], document(merging)["abstained"]) == ("no", 2)
    assert "2 branches said nothing about it." in contents(merging)[1]


def test_each_branch_has_one_vote_however_many_parts_it_sends():
    answers = [answer("a", {"verdict": "no"}, {"verdict": "yes"}, {"verdict": "yes"}), answer("b", {"verdict": "no"})]
    assert votes(Vote("verdict")(answers)) == [("no", 2)]


def test_two_branches_of_one_agent_have_a_vote_each():
    answers = [answer("a", {"v": 1}, branch="only/1"), answer("a", {"v": 1}, branch="only/2"), answer("b", {"v": 2})]
    assert votes(Vote("v")(answers)) == [(1, 2), (2, 1)]


def test_a_vote_on_whole_answers_brings_the_winner_as_it_was_sent():
    merging = Vote()([answer("a", "no"), answer("b", " yes\n", FILE), answer("c", "yes", FILE), answer("d", "no ")])
    assert votes(merging)[0] == ("no", 2)
    merging = Vote()([answer("b", " yes\n", FILE), answer("c", "yes", FILE), answer("d", "no")])
    assert contents(merging)[2:] == [" yes\n", b"%PDF"]
    assert merging.artifact.parts[3].metadata[SOURCE]["agent"] == "b"


def test_other_bytes_are_another_answer():
    other = FILE.__class__("raw", b"other", FILE.media_type, FILE.filename)
    assert len(votes(Vote()([answer("a", FILE), answer("b", other), answer("c", LINK)]))) == 3


def test_a_vote_without_any_vote_has_no_winner():
    merging = Vote("verdict")([answer("a", "hm")])
    assert (document(merging)["winner"], votes(merging)) == (None, [])
    assert merging.artifact.description == "None of 1 branches voted."


def test_a_long_tally_is_whole_in_the_data_and_short_for_readers():
    merging = Vote("v")([answer(f"a{number}", {"v": f"{number}\n# forged" + "x" * 1000}) for number in range(50)])
    assert len(votes(merging)) == 50
    assert len(merging.summary["votes"]) == MOST_SHOWN
    assert f"{50 - MOST_SHOWN} more options" in contents(merging)[1]
    assert len(contents(merging)[1]) < 10_000
    assert not [line for line in contents(merging)[1].splitlines() if line.startswith("# forged")]


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["", ".a", "a.", "a..b"])
def test_a_path_that_leads_nowhere_is_refused(wrong):
    with pytest.raises(ValueError, match="confidence is a field name or a dotted path"):
        Best(wrong)
    with pytest.raises(ValueError, match="confidence is a field name or a dotted path"):
        Vote(confidence=wrong)
    if wrong:
        with pytest.raises(ValueError, match="field is a field name or a dotted path"):
            Vote(wrong)

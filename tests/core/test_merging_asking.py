"""Merges in which somebody else decides or writes: who is asked what, and what comes of the answer."""

import pytest

from coordinator.core.extension import SOURCE
from coordinator.core.merging import Answer, Ask, Findings, Items, Merging, Question, Synthesize
from coordinator.core.merging.asking import MOST_ASKED
from tests.core.answering import FILE, answer, contents, data, text
from tests.core.reviews import contribution, finding

HIGH = {"id": 1, "severity": "high", "safe": False, "confidence": 50}
LOW = {"id": 1, "severity": "low", "safe": True, "confidence": 90}
CLASH = [answer("a", {"items": [HIGH]}), answer("b", {"items": [LOW]})]

JUDGED = Items(claims=["safe"], conflicts={"ask": "judge"})
ESCALATED = Items(claims=["safe"], conflicts="escalate")


def decided(merging):
    (item,) = contents(merging)[0]["items"]
    return item["item"]["severity"], item["item"]["safe"], [conflict["by"] for conflict in item["conflicts"]]


def verdicts(**given):
    return Answer((data({"verdicts": {number.removeprefix("n"): value for number, value in given.items()}}),))


# -- contradictions -------------------------------------------------------------------------------


def test_a_judge_is_told_every_claim_with_who_makes_it_and_the_items_behind_it():
    asked = JUDGED(CLASH)
    assert isinstance(asked, Ask)
    words, document = asked.parts
    assert asked.agent == "judge"
    assert "1. severity: high (a) or low (b)" in words.content.splitlines()
    assert document.content["schema"] == "contradictions/v1"
    first, second = document.content["contradictions"]
    assert (first["number"], first["field"], second["number"], second["field"]) == ("1", "severity", "2", "safe")
    assert first["claims"][1] == {"value": "low", "agents": ["b"], "confidence": 90}
    assert first["items"] == [{"agent": "a", "item": HIGH}, {"agent": "b", "item": LOW}]


def test_the_claim_the_judge_is_for_counts():
    merging = JUDGED.resume(CLASH, verdicts(n1="low", n2=False))
    assert decided(merging) == ("low", False, ["ask judge", "ask judge"])
    assert merging.summary["conflicts"] == {"ask judge": 2}


@pytest.mark.parametrize(
    "reply",
    [
        Answer(failure="its task failed"),
        Answer((data({"verdicts": {"1": "low", "2": False}}),), failure="timed out"),
        Answer((text("low, I think"),)),
        Answer((text("majority"),)),
        Answer((data({"verdicts": "low"}),)),
        Answer((data([1]), data({}))),
        Answer(),
        verdicts(n1="dreadful", n2=None, n3="low"),
    ],
)
def test_what_the_judge_leaves_open_is_flagged(reply):
    assert decided(JUDGED.resume(CLASH, reply)) == ("high", True, ["flag", "flag"])


def test_a_judge_may_leave_one_of_two_open():
    assert decided(JUDGED.resume(CLASH, verdicts(n2=False))) == ("high", False, ["flag", "ask judge"])


def test_the_client_is_asked_which_rule_shall_count():
    question = ESCALATED(CLASH)
    assert isinstance(question, Question)
    assert question.choices == ("majority", "highest_confidence", "flag", "trust a", "trust b")
    assert question.text.splitlines()[0] == "The agents contradict each other about 2 things:"
    assert question.parts[0].content == JUDGED(CLASH).parts[1].content


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("highest_confidence", ("low", True, ["highest_confidence"] * 2)),
        (" trust a\n", ("high", False, ["trust a"] * 2)),
        ("flag", ("high", True, ["flag"] * 2)),
        ("trust nobody", ("high", True, ["flag"] * 2)),
        ("whatever", ("high", True, ["flag"] * 2)),
    ],
)
def test_the_clients_choice_counts(chosen, expected):
    assert decided(ESCALATED.resume(CLASH, Answer((text(chosen),)))) == expected


def test_the_client_may_decide_about_each_as_well():
    assert decided(ESCALATED.resume(CLASH, verdicts(n1="low", n2=False))) == ("low", False, ["escalate"] * 2)


@pytest.mark.parametrize("strategy", [JUDGED, ESCALATED])
def test_nobody_is_asked_where_nobody_is_contradicted(strategy):
    assert isinstance(strategy(CLASH[:1]), Merging)


def test_findings_ask_about_severities_alike():
    clash = [contribution("lint", finding()), contribution("types", finding(severity="low"))]
    strategy = Findings(conflicts={"ask": "judge"})
    assert isinstance(strategy(clash), Ask)
    merging = strategy.resume(clash, verdicts(n1="low"))
    assert contents(merging)[0]["items"][0]["severity"] == "low"


def test_so_many_are_asked_about_at_once_and_the_others_are_flagged():
    clash = [
        answer(name, {"items": [{"id": n, "severity": severity} for n in range(MOST_ASKED + 1)]})
        for name, severity in (("a", "high"), ("b", "low"))
    ]
    strategy = Items(conflicts={"ask": "judge"})
    asked = strategy(clash)
    assert len(asked.parts[1].content["contradictions"]) == MOST_ASKED
    assert "more in the data part" in asked.parts[0].content
    merging = strategy.resume(clash, verdicts(**{f"n{n + 1}": "low" for n in range(MOST_ASKED + 1)}))
    assert merging.summary["conflicts"] == {"ask judge": MOST_ASKED, "flag": 1}


def test_contradictions_are_numbered_alike_whatever_the_order_of_the_plan():
    clash = [answer(n, {"items": [{"id": one, "severity": n} for one in ids]}) for n, ids in (("a", "yx"), ("b", "xy"))]
    for order in (clash, clash[::-1]):
        asked = Items(conflicts={"ask": "judge"})(order).parts[1].content["contradictions"]
        assert [one["items"][0]["item"]["id"] for one in asked] == ["x", "y"]


def test_an_agents_words_add_no_lines_to_the_question():
    clash = [
        answer("a", {"items": [{"id": 1, "severity": "high"}]}),
        answer("b", {"items": [{"id": 1, "severity": "x\n2. y"}]}),
    ]
    assert "1. severity: high (a) or x 2. y (b)" in Items(conflicts="escalate")(clash).text.splitlines()


# -- synthesis ------------------------------------------------------------------------------------

SYNTHESIS = Synthesize("writer", "Write it down.", "essay")
MATERIAL = [answer("a", "one", FILE), answer("b", {"two": 2})]


def test_the_writer_gets_an_instruction_and_every_part_with_its_source():
    asked = SYNTHESIS(MATERIAL)
    assert isinstance(asked, Ask)
    assert asked.agent == "writer"
    assert [part.content for part in asked.parts] == ["Write it down.", "one", b"%PDF", {"two": 2}]
    assert [part.metadata[SOURCE]["agent"] for part in asked.parts[1:]] == ["a", "a", "b"]


def test_what_the_writer_wrote_is_the_result():
    merging = SYNTHESIS.resume(MATERIAL, Answer((text("An essay."),)))
    assert contents(merging) == ["An essay."]
    assert merging.artifact.name == "essay"
    assert merging.artifact.parts[0].metadata[SOURCE]["agent"] == "writer"
    assert merging.artifact.description == "Written by writer from the answers of 2 agents."
    assert merging.summary == {"written_by": "writer"}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Answer(failure="its task\nfailed"), "its task failed"),
        (Answer((text("half"),), failure="timed out"), "timed out"),
        (Answer(), "it answered with nothing"),
    ],
)
def test_without_a_writer_the_material_itself_is_the_result_and_says_so(reply, reason):
    merging = SYNTHESIS.resume(MATERIAL, reply)
    assert contents(merging) == ["one", b"%PDF", {"two": 2}]
    assert merging.artifact.description.startswith(f"writer has not written an answer ({reason})")
    assert merging.summary == {"parts": 3, "written_by": "", "not_written": reason}


def test_of_nothing_nobody_has_to_write():
    assert contents(SYNTHESIS([answer("a")])) == [""]


def test_a_synthesis_needs_a_writer():
    with pytest.raises(ValueError, match="agent"):
        Synthesize("")

"""A text, its source and three checkers: one report, the gravest first."""

import pytest

from specialist_agents.office import facts, grammar, tone
from specialist_agents.office.texts import File
from tests.office.rig import document, entries, office
from tests.office.samples import CLEAN, DRAFT, SOURCE

CHECKERS = ("grammar", "facts", "tone")


async def test_grammar_facts_and_tone_are_checked_at_once_and_make_one_report(tmp_path):
    sent = [document("draft.md", DRAFT, "text/markdown"), document("source.md", SOURCE, "text/markdown")]
    async with office(tmp_path, "validation", CHECKERS) as coordinator:
        answer = await coordinator.ask(*sent)
    assert answer.state == "COMPLETED"
    report = entries(answer)
    assert {item["check"] for item in report} == set(CHECKERS)
    assert {item["document"] for item in report} == {"draft.md"}
    ranks = [("high", "medium", "low", "info").index(item["severity"]) for item in report]
    assert ranks == sorted(ranks)
    kinds = {item["kind"] for item in report}
    assert kinds >= {"number-not-in-source", "name-not-in-source", "repeated-word", "unbalanced", "insult", "shouting"}


async def test_a_clean_text_has_an_empty_report(tmp_path):
    sent = [document("draft.md", CLEAN, "text/markdown"), document("source.md", SOURCE, "text/markdown")]
    async with office(tmp_path, "validation", CHECKERS) as coordinator:
        answer = await coordinator.ask(*sent)
    assert (answer.state, entries(answer)) == ("COMPLETED", [])


def remarks(checker, text, source=None):
    files = [File("a.md", text.encode()), *([File("source.md", source.encode())] if source else [])]
    return {(item["kind"], item["excerpt"]) for item in checker.items_of(files)}


def kinds(checker, text, source=None):
    return {kind for kind, _ in remarks(checker, text, source)}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The the end.", "repeated-word"),
        ("It ends. but not here today.", "missing-capital"),
        ("The end, i think.", "missing-capital"),
        ("It (was good.", "unbalanced"),
        ("It was) good.", "unbalanced"),
        ('He said "no.', "unbalanced"),
        ("It was good , she said.", "spacing"),
        ("One,two and three.", "spacing"),
        ("You should of known.", "confused-words"),
        ("This is an useful tool.", "article"),
        ("This is a hour of work.", "article"),
        (f"This is {'very ' + 'long and ' * 25}done.", "long-sentence"),
    ],
)
def test_each_slip_is_found(text, kind):
    assert kind in kinds(grammar, text)


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Weber said that that was fine (it was). He paid 3.50 euros, i.e. nothing.",
        'It is an hour. It is a university, a one-off and an MRI. She said "yes".',
        "- first item\n- second item\n\n# heading of a page\n\n| a | table |\n",
        "Der Preis ist gut. Die die kommen, sind da.",
    ],
)
def test_correct_texts_have_no_remarks(text):
    assert kinds(grammar, text) == set()


def test_numbers_and_dates_are_compared_whatever_their_form():
    source = "On 2026-03-01 we sold 1.250 units and 4 pumps for 12 percent of 2 million euros."
    same = "We sold 1,250 units on 1 March 2026, and four pumps for 12 % of 2,000,000 euros on March 1, 2026."
    assert kinds(facts, same, source) == set()


def test_what_no_source_holds_is_told_with_what_the_source_says_instead():
    (item,) = facts.items_of([File("a.md", b"We paid 900 euros."), File("source-1.md", b"We paid 950 euros.")])
    assert item["message"] == "the number 900 euros is in no source; with 'euros' the sources have 950"
    assert kinds(facts, "It was on 2 March 2026.", "It was on 1 March 2026.") == {"date-not-in-source"}
    assert kinds(facts, "We met Greg Sutton.", "We met Anna.") == {"name-not-in-source"}


def test_without_a_source_nothing_is_claimed_to_be_compared():
    assert kinds(facts, "We paid 900 euros.") == {"no-source"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("READ THIS NOW please.", "shouting"),
        ("Come here!!", "shouting"),
        ("You are an idiot.", "insult"),
        ("Pay immediately.", "pressure"),
        ("As I already said, no.", "condescension"),
        ("Maybe it is perhaps late.", "hedging"),
    ],
)
def test_each_wrong_tone_is_found(text, kind):
    assert kind in kinds(tone, text)


def test_a_friendly_text_with_acronyms_has_no_remarks():
    assert kinds(tone, "The NATO and the EU met. Maybe you can join us! We think so.") == set()

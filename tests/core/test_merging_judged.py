"""Near-duplicates a judge decides about: which pairs it is asked, and what comes of its answer."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz

from coordinator.core.merging import Answer, Ask, Findings, Items, Merging
from coordinator.core.merging.entries import grouped
from coordinator.core.merging.judging import MOST_IN_TEXT
from coordinator.core.merging.near import MOST_DOUBTS, WINDOW, Near, near
from tests.core.answering import answer, contents, data, text
from tests.core.reviews import contribution, finding
from tests.core.test_merging_cost import READER, SOURCE, texts

OPTIONS = {"similarity": 90, "judge": "eve", "location": ["line"], "block": ["file"]}
JUDGED = Items(**OPTIONS)

PASSWORD = {"id": 1, "file": "a", "line": 3, "text": "the password is in the source code", "confidence": 90}
SECRET = PASSWORD | {"id": 2, "text": "a password was put in the source code", "confidence": 50}
UNLIKE = PASSWORD | {"id": 3, "text": "nobody reads this variable"}


def told(*items, agent="a"):
    return answer(agent, {"items": list(items)})


DOUBTFUL = [told(PASSWORD), told(SECRET, agent="b")]


def same(*numbers):
    return Answer((data({"same": list(numbers)}),))


def pairs_of(asked):
    assert isinstance(asked, Ask), asked
    return asked.parts[1].content["pairs"]


def items_of(merging):
    return [item for part in merging.artifact.parts if part.kind == "data" for item in part.content["items"]]


# -- what is asked --------------------------------------------------------------------------------


def test_a_judge_is_asked_about_things_that_are_nearly_so_similar():
    asked = JUDGED(DOUBTFUL)
    words, document = asked.parts
    assert asked.agent == "eve"
    assert f"1. {SECRET['text']} (b) | {PASSWORD['text']} (a)" in words.content.splitlines()
    assert '{"same": ["1", "4"]}' in words.content
    assert document.content["schema"] == "doubtful-pairs/v1"
    (pair,) = pairs_of(asked)
    assert pair["number"] == "1"
    assert 60 <= pair["similarity"] < 90
    assert pair["items"] == [{"agents": ["b"], "item": SECRET}, {"agents": ["a"], "item": PASSWORD}]


@pytest.mark.parametrize(
    "change",
    [
        {"text": UNLIKE["text"]},
        {"text": PASSWORD["text"] + "!"},
        {"text": None},
        {"file": "b"},
        {"line": 4},
        {"line": None},
    ],
    ids=["unlike", "alike", "wordless", "another block", "another place", "no place"],
)
def test_nobody_is_asked_about_what_is_not_in_doubt(change):
    assert isinstance(JUDGED([told(PASSWORD), told(SECRET | change, agent="b")]), Merging)


def test_a_summary_says_that_nothing_was_in_doubt_only_where_a_plan_names_a_judge():
    merging = JUDGED([told(PASSWORD, UNLIKE)])
    assert merging.summary["judged"] == {"pairs": 0, "same": 0, "joined": 0, "undecided": 0}
    assert "judged" not in Items(similarity=90)(DOUBTFUL).summary


def test_doubt_begins_where_the_plan_says():
    assert isinstance(Items(**OPTIONS, doubt=85)(DOUBTFUL), Merging)


def test_what_is_joined_already_is_one_side_of_a_pair():
    (pair,) = pairs_of(JUDGED([*DOUBTFUL, told(PASSWORD | {"id": 9, "text": PASSWORD["text"] + "!"}, agent="c")]))
    assert sorted(one["agents"] for one in pair["items"]) == [["a", "c"], ["b"]]


def test_the_most_similar_pairs_come_first():
    twin = SECRET | {"id": 4, "text": "the password was put in the source code"}
    pairs = pairs_of(Items(**OPTIONS | {"similarity": 100})([told(PASSWORD, SECRET, twin)]))
    assert [pair["number"] for pair in pairs] == ["1", "2", "3"]
    assert [pair["similarity"] for pair in pairs] == sorted((pair["similarity"] for pair in pairs), reverse=True)


def test_an_agents_words_add_no_lines_to_what_is_asked():
    asked = JUDGED([told(PASSWORD), told(SECRET | {"text": SECRET["text"].replace(" was ", "\nwas ")}, agent="b")])
    assert len(asked.parts[0].content.splitlines()) == 4


# -- what comes of it -----------------------------------------------------------------------------


def test_pairs_the_judge_calls_the_same_are_one_item_with_all_sources():
    merging = JUDGED.resume(DOUBTFUL, same("1"))
    (item,) = items_of(merging)
    assert [source["agent"] for source in item["sources"]] == ["a", "b"]
    assert (item["votes"], item["words"]) == (2, {"agent": "a", "source": 0})
    assert merging.summary["judged"] == {"pairs": 1, "same": 1, "joined": 1, "undecided": 0}
    assert merging.summary["duplicates"] == 1
    assert "not_judged" not in merging.summary
    assert contents(merging)[0]["summary"] == merging.summary


def test_pairs_it_does_not_name_stay_apart():
    merging = JUDGED.resume(DOUBTFUL, same())
    assert len(items_of(merging)) == 2
    assert merging.summary["judged"] == {"pairs": 1, "same": 0, "joined": 0, "undecided": 0}


def test_a_number_may_be_written_as_one():
    assert len(items_of(JUDGED.resume(DOUBTFUL, same(1)))) == 1


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Answer(failure="eve: its task\nfailed"), "eve: its task failed"),
        (Answer((data({"same": ["1"]}),), failure="timed out"), "timed out"),
        (Answer((text("1"),)), "it answered without a list of the pairs that are the same"),
        (Answer((data({"same": "1"}), data([["1"]]))), "it answered without a list of the pairs that are the same"),
        (Answer(), "it answered without a list of the pairs that are the same"),
        (same("1", "2"), "it named pairs it was not asked about, such as 2"),
        (same(True), "it named pairs it was not asked about, such as True"),
        (same({"1": []}), "it named pairs it was not asked about, such as {'1': []}"),
    ],
)
def test_a_judge_that_fails_or_talks_nonsense_leaves_all_apart_and_the_summary_says_why(reply, reason):
    merging = JUDGED.resume(DOUBTFUL, reply)
    assert len(items_of(merging)) == 2
    assert merging.summary["judged"] == {"pairs": 0, "same": 0, "joined": 0, "undecided": 1}
    assert merging.summary["not_judged"] == reason


def test_what_is_the_same_as_the_same_thing_is_the_same():
    words = ["aaaaaaaaaa", "aaaaaaabbb", "aaaabbbbbb", "cccccccccc"]
    strategy = Items(similarity=90, judge="eve", doubt=65)
    said = [told(*({"id": n, "text": one} for n, one in enumerate(words)))]
    asked = pairs_of(strategy(said))
    assert sorted(sorted(one["item"]["id"] for one in pair["items"]) for pair in asked) == [[0, 1], [1, 2]]
    merging = strategy.resume(said, same("1", "2"))
    assert [len(item["sources"]) for item in items_of(merging)] == [3, 1]
    assert merging.summary["judged"]["joined"] == 2


def test_contradictions_within_what_the_judge_joins_are_settled_by_rule():
    said = [told(PASSWORD | {"severity": "low"}), told(SECRET | {"severity": "high"}, agent="b")]
    (item,) = items_of(Items(**OPTIONS, conflicts="highest_confidence").resume(said, same("1")))
    assert (item["item"]["severity"], item["conflicts"][0]["by"]) == ("low", "highest_confidence")


def test_findings_are_judged_by_their_messages_alike():
    said = [
        contribution("lint", finding(message=PASSWORD["text"])),
        contribution("security", finding(kind="secret", message=SECRET["text"])),
    ]
    strategy = Findings(similarity=90, judge="eve")
    assert len(pairs_of(strategy(said))) == 1
    merging = strategy.resume(said, same("1"))
    assert [len(item["sources"]) for item in items_of(merging)] == [2]
    assert merging.summary["judged"]["joined"] == 1


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [Items, Findings])
@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"judge": "eve"}, "judge needs similarity"),
        ({"judge": "eve", "similarity": 60}, "doubt is at least 1 and below similarity"),
        ({"judge": "eve", "similarity": 80, "doubt": 0}, "doubt is at least 1"),
        ({"similarity": 80, "doubt": 70}, "name one as judge"),
        ({"judge": "eve", "similarity": 80, "conflicts": "escalate"}, "conflicts cannot ask anybody where judge"),
        ({"judge": "eve", "similarity": 80, "conflicts": {"ask": "bob"}}, "conflicts cannot ask anybody where judge"),
    ],
)
def test_options_that_do_not_go_together_are_refused_by_name(strategy, options, named):
    with pytest.raises(ValueError, match=named):
        strategy(**options)


# -- order, loss and cost -------------------------------------------------------------------------

TEXTS = st.text(st.sampled_from("ab"), min_size=1, max_size=8)
OBJECTS = st.fixed_dictionaries(
    {"id": st.integers(1, 9), "text": TEXTS}, optional={"confidence": st.integers(0, 100), "line": st.integers(1, 2)}
)
SAID = st.lists(st.tuples(st.sampled_from("abc"), st.lists(OBJECTS, max_size=5)), max_size=4)


def settled(strategy, said, random):
    """Return the merge of what was said, by a judge that tosses a coin for each pair by what the two sides say."""
    decision = strategy(said)
    if isinstance(decision, Ask):
        chosen = [pair["number"] for pair in pairs_of(decision) if random.random() < 0.5]
        decision = strategy.resume(said, same(*chosen))
    return decision


@given(SAID, st.booleans(), st.randoms(use_true_random=False))
def test_whatever_a_judge_decides_every_object_is_a_source_of_exactly_one_item(said, located, random):
    strategy = Items(similarity=95, judge="eve", doubt=40, location=["line"] if located else [])
    answers = [told(*found, agent=agent) for agent, found in said]
    merging = settled(strategy, answers, random)
    sources = Counter(source["agent"] for item in items_of(merging) for source in item["sources"])
    assert sources == Counter(agent for agent, found in said for _ in found)
    told_ = merging.summary["judged"]
    groups = near(grouped(strategy.read(answers)[0]), strategy.rules.near).groups
    assert len(items_of(merging)) == len(groups) - told_["joined"]
    assert told_["joined"] <= told_["same"] <= told_["pairs"]


@given(
    st.lists(OBJECTS, max_size=6, unique_by=(lambda one: one["id"], lambda one: one["text"])),
    st.randoms(use_true_random=False),
)
def test_the_same_pairs_are_asked_in_the_same_order_whatever_the_order_of_the_plan(found, random):
    strategy = Items(similarity=100, judge="eve", doubt=40)
    shuffled = list(found)
    random.shuffle(shuffled)
    one, other = (strategy([told(item, agent=f"{item['id']}") for item in order]) for order in (found, shuffled))
    assert isinstance(one, Ask) == isinstance(other, Ask)
    if isinstance(one, Ask):
        assert one == other


MANY = 400


def doubtful(count):
    """Return things of which each is in doubt against every other."""
    return [{"id": n, "text": "a" * 100 + texts(n)} for n in range(count)]


def test_so_many_pairs_are_asked_about_and_the_others_stay_apart_and_are_counted():
    strategy = Items(similarity=99, judge="eve")
    said = [told(*doubtful(50))]
    asked = strategy(said)
    assert len(pairs_of(asked)) == MOST_DOUBTS
    assert f"… and {MOST_DOUBTS - MOST_IN_TEXT} more in the data part." in asked.parts[0].content.splitlines()
    merging = strategy.resume(said, same())
    in_doubt = WINDOW * 50 - WINDOW * (WINDOW + 1) // 2
    assert merging.summary["judged"] == {
        "pairs": MOST_DOUBTS,
        "same": 0,
        "joined": 0,
        "undecided": in_doubt - MOST_DOUBTS,
    }


@pytest.mark.parametrize("judge", ["", "eve"])
def test_a_judge_costs_no_comparison_more(judge):
    pairs = []

    def counting(one, other):
        pairs.append((one, other))
        return fuzz.ratio(one, other)

    entries = [READER.entry(SOURCE, item, number) for number, item in enumerate(doubtful(MANY))]
    found = near(grouped(entries), Near(99, "text", judge=judge), counting)
    assert len(pairs) == WINDOW * MANY - WINDOW * (WINDOW + 1) // 2
    assert (len(found.doubts), found.undecided) == ((MOST_DOUBTS, len(pairs) - MOST_DOUBTS) if judge else (0, 0))

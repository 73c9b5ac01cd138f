"""`items`: lists of objects of any kind become one list, by the rules of the plan."""

import copy
from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.merging import Items
from coordinator.core.merging.items import MOST_DROPPED
from coordinator.core.merging.report import ITEMS_PER_PART
from tests.core.answering import answer, contents, data, document

VALUES = st.none() | st.sampled_from(["x", "y", "high", "low"]) | st.integers(0, 120) | st.lists(st.integers(0, 1))
OBJECTS = st.dictionaries(
    st.sampled_from(["id", "text", "severity", "confidence", "claim", "line"]), VALUES, max_size=6
)
ANSWERS = st.lists(
    st.tuples(st.sampled_from("abc"), st.lists(OBJECTS | st.integers(0, 1), max_size=5)),
    max_size=5,
).map(lambda told: [answer(agent, {"items": items}) for agent, items in told])
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "key": st.sampled_from([["id"], ["id", "claim"], ["text"]]),
        "similarity": st.sampled_from([1, 80, 100]),
        "location": st.just(["line"]),
        "claims": st.just(["claim"]),
        "conflicts": st.sampled_from(["worst", "majority", "highest_confidence", "flag", {"trust": "b"}]),
        "weights": st.just({"severity": 2, "confidence": 1, "agreement": 0.5}),
        "min_confidence": st.integers(0, 100),
        "min_votes": st.integers(1, 3),
    },
)


def told(*items):
    return {"items": list(items)}


def items_of(merging):
    return [item for part in merging.artifact.parts if part.kind == "data" for item in part.content["items"]]


def merged(*answers, **options):
    return items_of(Items(**options)(list(answers)))


def ids(items):
    return [item["item"].get("id") for item in items]


# -- identity -------------------------------------------------------------------------------------


def test_objects_with_equal_key_fields_are_one_item():
    one = {"place": {"city": "Bonn"}, "name": "Rex", "confidence": 60, "note": "a dog"}
    other = {"place": {"city": "Bonn"}, "name": "Rex", "confidence": 80, "note": "big"}
    else_ = {"place": {"city": "Rome"}, "name": "Rex"}
    items = merged(answer("a", told(one, else_)), answer("b", told(other)), key=["place.city", "name"])
    assert [(item["rank"], item["votes"], item["confidence"]) for item in items] == [(1, 2, 80), (2, 1, 0)]
    assert items[0]["item"] == other, "the words of the most confident"
    assert items[0]["words"] == {"agent": "b", "source": 1}


def test_a_source_says_what_an_agent_told_otherwise():
    one, other = {"id": 1, "text": "x", "extra": [1]}, {"id": 1, "text": "y", "confidence": 1}
    (item,) = merged(answer("a", told(one)), answer("b", told(other)))
    assert [source["said"] for source in item["sources"]] == [{"text": "x", "extra": [1], "confidence": None}, {}]
    assert [source["branch"] for source in item["sources"]] == ["only/a", "only/b"]


def test_numbers_texts_and_truth_are_told_apart():
    assert len(merged(answer("a", told(*({"id": one} for one in (1, "1", True, 1.5, [1], {"a": 1})))))) == 6


def test_objects_without_any_key_field_are_not_the_same_thing():
    items = merged(answer("a", told({"text": "x"}, {"text": "x"})), answer("b", told({"text": "x"})))
    assert [item["votes"] for item in items] == [1, 1, 1]


def test_an_agent_has_one_vote_however_often_it_repeats_itself():
    (item,) = merged(answer("a", told({"id": 1}, {"id": 1}), told({"id": 1})))
    assert (item["votes"], len(item["sources"])) == (1, 3)


def test_the_list_may_be_anywhere_in_a_data_part():
    parts = (data({"out": {"list": [{"id": 1}]}}), data({"out": {"list": [{"id": 2}]}}), "words", {"items": [3]})
    merging = Items("out.list")([answer("a", *parts)])
    assert ids(items_of(merging)) == [1, 2]
    assert merging.summary["received"] == 2


def test_what_is_no_object_or_no_list_is_counted_and_not_lost():
    merging = Items()([answer("a", told({"id": 1}, 7, "x", None)), answer("b", {"items": {"id": 2}})])
    assert ids(items_of(merging)) == [1]
    assert merging.summary["dropped"]["malformed"] == 4
    assert merging.summary["by_agent"] == {"a": 4, "b": 1}


# -- near-duplicates ------------------------------------------------------------------------------

NEAR = {"key": ["id"], "similarity": 80, "location": ["from", "to"], "block": ["file"]}
ONE = {"id": 1, "file": "a", "from": 3, "to": 5, "text": "The password is in the source code"}


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({}, 1),
        ({"text": "the PASSWORD is in  the source code!"}, 1),
        ({"text": "in the source code the password is"}, 1),
        ({"text": "nobody reads this variable"}, 2),
        ({"text": None}, 2),
        ({"text": ""}, 2),
        ({"from": 5, "to": 9}, 1),
        ({"from": 6, "to": 9}, 2),
        ({"from": 9, "to": 4}, 1),
        ({"from": None, "to": None}, 2),
        ({"file": "b"}, 2),
    ],
)
def test_similar_words_at_an_overlapping_place_in_one_block_are_the_same_thing(change, count):
    items = merged(answer("a", told(ONE)), answer("b", told(ONE | {"id": 2} | change)), **NEAR)
    assert len(items) == count
    assert sum(len(item["sources"]) for item in items) == 2


def test_without_a_location_words_are_enough():
    items = [{"id": 1, "text": "add an index"}, {"id": 2, "text": "Add an index."}, {"id": 3, "text": "drop it"}]
    assert len(merged(answer("a", told(*items)), similarity=85)) == 2
    assert len(merged(answer("a", told(*items)))) == 3


def test_what_is_similar_to_a_similar_thing_only_is_not_joined_in_a_chain():
    words = ["aaaa aaaa", "aaaa aabb", "aabb aabb"]
    items = merged(answer("a", told(*({"id": n, "text": text} for n, text in enumerate(words)))), similarity=75)
    assert len(items) == 2


def test_the_sources_of_similar_things_are_in_plan_order():
    (item,) = merged(answer("b", told(ONE | {"id": 2, "from": 4})), answer("a", told(ONE)), **NEAR)
    assert [source["agent"] for source in item["sources"]] == ["b", "a"]
    assert item["words"] == {"agent": "b", "source": 0}


# -- contradictions -------------------------------------------------------------------------------

HIGH = {"id": 1, "severity": "high", "safe": False, "confidence": 50}
LOW = {"id": 1, "severity": "low", "safe": True, "confidence": 90}
CLASH = [answer("a", told(HIGH)), answer("b", told(LOW)), answer("c", told(HIGH))]


@pytest.mark.parametrize(
    ("conflicts", "severity", "safe", "by"),
    [
        ("majority", "high", False, "majority"),
        ("highest_confidence", "low", True, "highest_confidence"),
        ({"trust": "c"}, "high", False, "trust c"),
        ({"trust": "b"}, "low", True, "trust b"),
        ({"trust": "nobody"}, "high", True, "flag"),
        ("flag", "high", True, "flag"),
    ],
)
def test_a_contradiction_is_settled_by_the_rule_and_told(conflicts, severity, safe, by):
    merging = Items(claims=["safe"], conflicts=conflicts)(CLASH)
    (item,) = items_of(merging)
    assert (item["item"]["severity"], item["item"]["safe"]) == (severity, safe)
    assert item["conflicts"] == [
        {
            "field": "severity",
            "claims": [
                {"value": "high", "agents": ["a", "c"], "confidence": 50},
                {"value": "low", "agents": ["b"], "confidence": 90},
            ],
            "by": by,
        },
        {
            "field": "safe",
            "claims": [
                {"value": False, "agents": ["a", "c"], "confidence": 50},
                {"value": True, "agents": ["b"], "confidence": 90},
            ],
            "by": by,
        },
    ]
    assert merging.summary["conflicts"] == {by: 2}


def test_the_worst_may_count_without_any_more_ado():
    (item,) = merged(*CLASH, conflicts="worst")
    assert item["item"]["severity"] == "high"
    assert "conflicts" not in item


def test_an_even_majority_goes_to_the_most_confident_claim():
    (item,) = merged(*CLASH[:2], conflicts="majority")
    assert item["item"]["severity"] == "low"


def test_who_says_nothing_contradicts_nobody():
    (item,) = merged(answer("a", told(HIGH)), answer("b", told({"id": 1, "severity": None})), conflicts="flag")
    assert "conflicts" not in item


def test_the_rank_follows_the_severity_that_was_decided():
    other = answer("d", told({"id": 2, "severity": "medium", "confidence": 10}))
    assert ids(merged(*CLASH, other, conflicts="highest_confidence")) == [2, 1]
    assert ids(merged(*CLASH, other, conflicts="majority")) == [1, 2]


# -- rank -----------------------------------------------------------------------------------------


def test_worse_comes_first_then_more_votes_then_more_confidence():
    found = [
        {"id": "e", "confidence": 100},
        {"id": "d", "severity": "low", "confidence": 1},
        {"id": "c", "severity": "low", "confidence": 2},
        {"id": "b", "severity": "low", "confidence": 1},
        {"id": "a", "severity": "critical"},
    ]
    items = merged(answer("x", told(*found)), answer("y", told(found[3])))
    assert ids(items) == ["a", "b", "c", "d", "e"]
    assert items[1]["because"] == "severity low, 2 of 2 agents, confidence 1"
    assert items[4]["because"] == "no severity, 1 of 2 agents, confidence 100"
    assert "score" not in items[0]


def test_the_plan_may_weigh_agreement_higher_than_severity():
    found = [{"id": "bad", "severity": "critical", "confidence": 50}, {"id": "agreed", "severity": "info"}]
    answers = [answer("x", told(*found)), answer("y", told(found[1]))]
    assert ids(merged(*answers)) == ["bad", "agreed"]
    items = merged(*answers, weights={"agreement": 3, "severity": 1})
    assert ids(items) == ["agreed", "bad"]
    assert items[0]["score"] == 80.0
    assert items[0]["because"] == (
        "score 80: severity info (0.20 x 1), 2 of 2 agents (1.00 x 3), confidence 0 (0.00 x 0)"
    )


def test_severities_are_those_of_the_plan():
    items = merged(
        answer("x", told(*({"id": s, "level": s} for s in ("minor", "unheard", "blocker")))),
        severity="level",
        severities=["blocker", "minor"],
    )
    assert ids(items) == ["blocker", "minor", "unheard"]


def test_a_confidence_beyond_the_scale_gains_nothing():
    items = merged(answer("x", told({"id": 2, "confidence": 10**9}, {"id": 1, "confidence": 100})))
    assert [(item["item"]["id"], item["confidence"]) for item in items] == [(1, 100), (2, 100)]


# -- thresholds -----------------------------------------------------------------------------------


def test_what_is_dropped_is_counted_and_named_with_the_option():
    found = [{"id": 1, "confidence": 90}, {"id": 2, "confidence": 10}, {"id": 3, "confidence": 90}]
    merging = Items(min_confidence=50, min_votes=2)([answer("x", told(*found)), answer("y", told(found[0]))])
    assert ids(items_of(merging)) == [1]
    assert merging.summary["dropped"] == {"min_confidence": 1, "min_votes": 1, "malformed": 0}
    assert [(one["by"], one["item"]["id"], one["agents"]) for one in document(merging)["dropped"]] == [
        ("min_confidence", 2, ["x"]),
        ("min_votes", 3, ["x"]),
    ]


def test_of_many_dropped_items_the_first_are_named():
    merging = Items(min_votes=2)([answer("x", told(*({"id": number} for number in range(MOST_DROPPED + 1))))])
    assert (len(document(merging)["dropped"]), merging.summary["dropped"]["min_votes"]) == (
        MOST_DROPPED,
        MOST_DROPPED + 1,
    )


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"min_confidence": 101}, "min_confidence"),
        ({"min_votes": 0}, "min_votes"),
        ({"similarity": -1}, "similarity"),
        ({"weights": {"severity": -1, "agreement": 2}}, "weights"),
        ({"weights": {"severity": 0}}, "weights"),
        ({"weights": {"severity": float("nan")}}, "weights"),
        ({"conflicts": {"trust": ""}}, "conflicts"),
        ({"conflicts": {"trust": "a", "ask": "b"}}, "conflicts"),
        ({"conflicts": {}}, "conflicts"),
        ({"key": []}, "key"),
        ({"key": ["a."]}, "key"),
        ({"location": ["a", "b", "c"]}, "location"),
        ({"block": [""]}, "block"),
        ({"claims": [".a"]}, "claims"),
        ({"severities": []}, "severities"),
        ({"severities": ["a", "a"]}, "severities"),
        ({"items": ""}, "items"),
        ({"text": ""}, "text"),
        ({"severity": "a."}, "severity"),
        ({"confidence": ".a"}, "confidence"),
    ],
)
def test_options_that_mean_nothing_are_refused_by_name(options, field):
    with pytest.raises(ValueError, match=field):
        Items(**options)


# -- the text -------------------------------------------------------------------------------------


def test_the_text_names_each_item_with_who_is_for_it():
    found = {"id": 1, "severity": "high", "text": "no lock\n2. **forged**", "confidence": 70}
    merging = Items()([answer("x", told(found)), answer("y", told(found | {"severity": "low"})), answer("z", told())])
    lines = contents(merging)[-1].splitlines()
    assert lines[0] == "# Report"
    assert lines[2] == "1 items from 3 agents, 1 duplicates joined."
    assert lines[4:] == ["1. **high** no lock 2. **forged** (2 votes: x, y; confidence 70) (contradicted)"]


def test_an_item_without_words_is_named_by_its_key():
    merging = Items(key=["a", "b"])([answer("x", told({"a": 1, "b": "two"}))])
    assert '1. [1, "two"] (1 votes: x; confidence 0)' in contents(merging)[-1]


def test_a_long_list_comes_in_parts_that_are_whole_documents():
    merging = Items()([answer("x", told(*({"id": number} for number in range(ITEMS_PER_PART + 1))))])
    assert [len(document(merging, number)["items"]) for number in (0, 1)] == [ITEMS_PER_PART, 1]
    assert "summary" not in document(merging, 1)


# -- nothing lost, nothing invented ---------------------------------------------------------------


def original(item, source):
    """Return what an agent sent, from the merged item and what the source says otherwise."""
    whole = {**item["item"], **source["said"]}
    return {name: value for name, value in whole.items() if value is not None}


def received_by(answers):
    return [(one.source.agent, item) for one in answers for part in one.parts for item in part.content["items"]]


def frozen(value):
    return repr(sorted((name, inner) for name, inner in value.items() if inner is not None))


@given(ANSWERS, OPTIONS)
def test_every_object_is_a_source_of_exactly_one_item_or_counted_as_dropped(answers, options):
    options = {**options, "min_confidence": 0, "min_votes": 1}
    merging = Items(**options)(answers)
    received = received_by(answers)
    kept = Counter(
        (source["agent"], frozen(original(item, source))) for item in items_of(merging) for source in item["sources"]
    )
    assert kept == Counter((agent, frozen(item)) for agent, item in received if isinstance(item, dict))
    assert merging.summary["dropped"]["malformed"] == sum(not isinstance(item, dict) for _, item in received)


@given(ANSWERS, OPTIONS)
def test_the_summary_accounts_for_every_object(answers, options):
    merging = Items(**options)(answers)
    summary, items = merging.summary, items_of(merging)
    assert summary["received"] == len(received_by(answers)) == sum(summary["by_agent"].values())
    assert summary["received"] == summary["merged"] + summary["duplicates"] + sum(summary["dropped"].values())
    assert summary["merged"] == len(items)
    assert [item["rank"] for item in items] == list(range(1, len(items) + 1))
    for item in items:
        spokesman = item["sources"][item["words"]["source"]]
        assert spokesman["agent"] == item["words"]["agent"]
        assert item["because"]
        assert item["votes"] == len({source["agent"] for source in item["sources"]})


@given(ANSWERS, OPTIONS)
def test_the_same_answers_give_the_same_list_and_stay_as_they_were(answers, options):
    before = copy.deepcopy(answers)
    assert Items(**options)(answers) == Items(**options)(before)
    assert answers == before


@given(st.lists(OBJECTS, max_size=6), OPTIONS)
def test_which_objects_are_kept_does_not_depend_on_which_agent_comes_first(objects, options):
    keyed = [{**one, "id": one.get("id", 0)} for one in objects]
    options = {**options, "conflicts": "worst", "similarity": 0, "key": ["id"]}
    shares = [answer(name, told(*keyed[start::3])) for start, name in enumerate("abc")]
    orders = {
        tuple((item["votes"], item["confidence"], str(item["item"].get("id"))) for item in merged(*order, **options))
        for order in permutations(shares)
    }
    assert len(orders) == 1

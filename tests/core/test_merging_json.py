"""`json`: objects joined key by key; what clashes is settled by the rule and told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.merging import JsonMerge
from tests.core.answering import FILE, answer, contents, data, document

CLASHES = ["first", "last", "list", "majority", "error"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


def merged(clash, *documents):
    return document(JsonMerge(clash)([answer(f"a{number}", data(one)) for number, one in enumerate(documents)]))


@pytest.mark.parametrize("clash", CLASHES)
def test_objects_are_joined_at_every_depth_whatever_the_rule(clash):
    joined = merged(clash, {"a": {"x": 1}, "same": [1]}, {"a": {"y": {"z": 2}}, "same": [1]}, {"b": None})
    assert joined == {"a": {"x": 1, "y": {"z": 2}}, "same": [1], "b": None}


@pytest.mark.parametrize(
    ("clash", "expected"),
    [("first", "red"), ("last", "green"), ("list", ["red", "blue", "green"]), ("majority", "blue")],
)
def test_a_clash_is_settled_by_the_rule(clash, expected):
    documents = [{"a": {"colour": colour}} for colour in ("red", "blue", "blue", "green")]
    assert merged(clash, *documents) == {"a": {"colour": expected}}


def test_an_even_majority_goes_to_the_first_in_plan_order():
    assert merged("majority", {"v": 1}, {"v": 2}, {"v": 2}, {"v": 1}) == {"v": 1}


def test_an_agent_counts_once_in_a_majority():
    merging = JsonMerge("majority")([answer("a", {"v": 1}, {"v": 1}), answer("b", {"v": 2}), answer("c", {"v": 2})])
    assert document(merging) == {"v": 2}


def test_the_last_value_is_that_of_the_last_agent_also_when_an_earlier_one_said_the_same():
    assert merged("last", {"v": 1}, {"v": 2}, {"v": 1}) == {"v": 1}


def test_lists_that_clash_become_one_list_with_each_element_once():
    assert merged("list", {"v": [1, 2]}, {"v": [2, 3]}, {"v": {"x": 1}}) == {"v": [1, 2, 3, {"x": 1}]}


def test_an_object_and_something_else_at_one_place_clash():
    assert merged("first", {"v": {"x": 1}}, {"v": 2}) == {"v": {"x": 1}}
    assert merged("last", {"v": {"x": 1}}, {"v": 2}) == {"v": 2}


def test_true_and_one_are_not_the_same():
    assert merged("list", {"v": 1}, {"v": True}) == {"v": [1, True]}


def test_a_clash_can_be_an_error_that_names_place_values_and_agents():
    with pytest.raises(ValueError, match=r"clash at a\.b: 1 \(a0\), 2 \(a1\)"):
        merged("error", {"a": {"b": 1}}, {"a": {"b": 2}})


def test_every_clash_is_told_with_who_said_what():
    merging = JsonMerge("last")([answer("lint", {"a": {"b": 1}}), answer("types", {"a": {"b": 2}}, "hello", FILE)])
    provenance = document(merging, 1)
    assert provenance["clashes"] == [
        {
            "path": ["a", "b"],
            "values": [{"value": 1, "agents": ["lint"]}, {"value": 2, "agents": ["types"]}],
            "decided": 2,
        }
    ]
    assert [source["agent"] for source in provenance["sources"]] == ["lint", "types"]
    assert merging.summary == {"documents": 2, "clashes": 1, "passed_over": 2}


def test_nothing_to_join_is_an_empty_object():
    assert contents(JsonMerge()([answer("lint", "hello")]))[0] == {}


@given(st.lists(JSON, min_size=1, max_size=4))
def test_one_document_stays_what_it_is(documents):
    for clash in CLASHES:
        assert merged(clash, documents[0]) == documents[0]
        assert merged(clash, documents[0], documents[0]) == documents[0]


def leaves(value, path=()):
    if isinstance(value, dict) and value:
        return {leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))}
    return {path}


@given(st.lists(st.dictionaries(st.sampled_from("abc"), JSON, max_size=3), min_size=1, max_size=4))
def test_a_list_of_all_loses_no_place_and_invents_none(documents):
    kept = leaves(merged("list", *documents))
    said = set().union(*(leaves(one) for one in documents))
    assert all(any(path[: len(one)] == one or one[: len(path)] == path for one in kept) for path in said)
    assert all(any(path[: len(one)] == one for one in said) for path in kept)

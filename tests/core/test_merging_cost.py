"""What merging costs, counted in comparisons: twice as many items take twice the work, whatever they say."""

import hashlib

import pytest
from rapidfuzz import fuzz

from coordinator.core.merging import Findings, Items, Source
from coordinator.core.merging.entries import Reader, grouped
from coordinator.core.merging.near import LONGEST_TEXT, WINDOW, Near, near
from tests.core.answering import answer
from tests.core.reviews import contribution, finding

READER = Reader(("id",), "severity", ("high",), "confidence")
SOURCE = Source("a", "only/a", "remote", "a1")

EVERYWHERE = Near(80, "text", ("from", "to"))


def texts(number):
    """Return texts of which no two are similar."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def compared(items, rule=EVERYWHERE):
    """Return how many pairs of texts are compared, and how many groups are left."""
    pairs = []

    def counting(one, other):
        pairs.append((one, other))
        return fuzz.ratio(one, other)

    entries = [READER.entry(SOURCE, item, number) for number, item in enumerate(items)]
    return pairs, near(grouped(entries), rule, counting).groups


@pytest.mark.parametrize("count", [500, 1000, 2000])
def test_an_item_is_compared_with_no_more_than_a_fixed_number_of_others(count):
    pairs, groups = compared([{"id": n, "from": 1, "to": 9, "text": texts(n)} for n in range(count)])
    assert len(groups) == count
    assert len(pairs) == WINDOW * count - WINDOW * (WINDOW + 1) // 2


def test_items_at_places_of_their_own_are_not_compared_at_all():
    pairs, groups = compared([{"id": n, "from": n, "to": n, "text": "the same"} for n in range(100)])
    assert (pairs, len(groups)) == ([], 100)


def test_items_of_other_blocks_are_not_compared():
    pairs, _ = compared(
        [{"id": n, "file": n % 50, "text": texts(n)} for n in range(100)], Near(80, "text", (), ("file",))
    )
    assert len(pairs) == 50


def test_only_the_beginning_of_a_long_text_is_compared():
    pairs, groups = compared([{"id": n, "text": "x" * 100_000 + str(n)} for n in range(2)], Near(80, "text"))
    assert {len(text) for pair in pairs for text in pair} == {LONGEST_TEXT}
    assert len(groups) == 1


def test_without_a_similarity_nothing_is_compared():
    pairs, groups = compared([{"id": n, "text": "the same"} for n in range(10)], Near(0, "text"))
    assert (pairs, len(groups)) == ([], 10)


@pytest.mark.parametrize("name", ["items", "findings"])
def test_ten_thousand_objects_of_fifty_agents_are_merged(name):
    shared = [{"path": f"{n % 97}.py", "statement": n, "id": n} for n in range(200)]
    if name == "items":
        answers = [answer(f"agent-{n}", {"items": shared}) for n in range(50)]
        merging = Items(similarity=90)(answers)
    else:
        found = [finding(path=one["path"], statement=one["statement"]) for one in shared]
        merging = Findings()([contribution(f"agent-{n}", *found) for n in range(50)])
    assert merging.summary["received"] == 10_000
    assert (merging.summary["merged"], merging.summary["duplicates"]) == (200, 9800)

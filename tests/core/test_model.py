import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.model import Need


@pytest.mark.parametrize(
    ("need", "total", "successes"),
    [
        (Need(), 5, 5),
        (Need("all"), 0, 0),
        (Need("all"), 1, 1),
        (Need("count", 0), 5, 0),
        (Need("count", 2), 5, 2),
        (Need("count", 6), 5, 6),  # more than there are stays out of reach; it is not cut down in silence
        (Need("ratio", 0.6), 5, 3),
        (Need("ratio", 0.5), 5, 3),
        (Need("ratio", 0.0), 5, 0),
        (Need("ratio", 1.0), 5, 5),
        (Need("ratio", 0.01), 5, 1),
        (Need("ratio", 0.5), 0, 0),
        (Need("ratio", 1 / 3), 3, 1),
        (Need("ratio", 2 / 3), 3, 2),
        (Need("ratio", 0.7), 10, 7),  # 0.7 * 10 is 7.000000000000001 in some orders of multiplication
        (Need("ratio", 0.1 + 0.2), 10, 3),  # 3.0000000000000004
        (Need("ratio", 0.07), 100, 7),  # 7.000000000000001
        (Need("ratio", 0.29), 100, 29),  # 28.999999999999996
        (Need("ratio", 0.999), 1000, 999),
        (Need("ratio", 0.9991), 1000, 1000),
    ],
)
def test_a_need_says_how_many_branches_have_to_succeed(need, total, successes):
    assert need.of(total) == successes


@given(percent=st.integers(0, 100), total=st.integers(0, 2000))
def test_a_ratio_asks_for_at_least_its_share_and_not_one_more(percent, total):
    assert Need("ratio", percent / 100).of(total) == math.ceil(percent * total / 100 - 1e-12)
    assert 0 <= Need("ratio", percent / 100).of(total) <= total


@pytest.mark.parametrize(
    ("need", "text"),
    [(Need(), "all"), (Need("count", 3), "3"), (Need("count", 0), "0"), (Need("ratio", 0.6), "0.6")],
)
def test_a_need_is_shown_as_a_plan_writes_it(need, text):
    assert str(need) == text


def test_the_ratio_of_all_branches_is_not_shown_like_a_count_of_one():
    assert str(Need("ratio", 1.0)) == "1.0"
    assert str(Need("ratio", 0.0)) == "0.0"


def test_a_large_count_is_shown_with_all_its_digits():
    assert str(Need("count", 1_234_567)) == "1234567"

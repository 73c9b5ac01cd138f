"""A branch timeout that follows what was seen of the agent."""

import pytest

from coordinator.core.model import Observed
from coordinator.outbound import RunTimes

RULE = Observed(times=3, at_least_s=1, at_most_s=60)


def seen(*seconds):
    times = RunTimes()
    for value in seconds:
        times.note("a", value)
    return times


@pytest.mark.parametrize(
    ("seconds", "timeout"),
    [
        ([], 60),
        ([2.0] * 19, 60),
        ([2.0] * 20, 6),
        ([0.1] * 20, 1),
        ([50.0] * 20, 60),
        ([2.0] * 96 + [9.0] * 4, 6),
        ([2.0] * 80 + [9.0] * 20, 27),
    ],
    ids=["nothing", "too little", "steady", "lower bound", "upper bound", "few outliers", "many outliers"],
)
def test_it_is_so_many_times_the_95th_percentile_within_its_bounds(seconds, timeout):
    assert seen(*seconds).timeout_s("a", RULE) == pytest.approx(timeout)


def test_only_the_latest_run_times_count():
    assert seen(*[20.0] * 200, *[2.0] * 200).timeout_s("a", RULE) == pytest.approx(6)


def test_what_was_seen_of_one_agent_says_nothing_of_another():
    assert seen(*[2.0] * 20).timeout_s("b", RULE) == 60

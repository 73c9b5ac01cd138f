import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.barrier import BARRIERS, Decision, Tally, enough, first, settled, tally_of
from coordinator.core.model import Release
from coordinator.core.states import SETTLED_STATES, BranchState

WAIT, RELEASE, GIVE_UP = Decision.WAIT, Decision.RELEASE, Decision.GIVE_UP


@pytest.mark.parametrize(
    ("succeeded", "failed", "canceled", "need", "decision"),
    [
        (0, 0, 0, 3, WAIT),
        (3, 0, 0, 3, WAIT),  # the quorum alone does not end the wait
        (4, 0, 0, 3, WAIT),
        (0, 4, 0, 3, WAIT),  # nor does a quorum that is out of reach
        (5, 0, 0, 5, RELEASE),
        (3, 2, 0, 3, RELEASE),
        (3, 0, 2, 3, RELEASE),
        (2, 3, 0, 3, GIVE_UP),
        (2, 2, 1, 3, GIVE_UP),
        (4, 1, 0, 5, GIVE_UP),
        (0, 5, 0, 0, RELEASE),  # best effort
        (0, 4, 0, 0, WAIT),
        (5, 0, 0, 6, GIVE_UP),  # more than there are
    ],
)
def test_settled_waits_for_every_branch_and_then_judges_the_need(succeeded, failed, canceled, need, decision):
    assert settled(Tally(5, succeeded, failed, canceled), need) is decision


@pytest.mark.parametrize(
    ("succeeded", "failed", "canceled", "need", "decision"),
    [
        (0, 0, 0, 3, WAIT),
        (2, 0, 0, 3, WAIT),
        (2, 2, 0, 3, WAIT),  # one is open and could still make it
        (0, 2, 0, 3, WAIT),  # all three others have to
        (3, 0, 0, 3, RELEASE),
        (4, 1, 0, 3, RELEASE),
        (2, 3, 0, 3, GIVE_UP),
        (0, 3, 0, 3, GIVE_UP),  # out of reach with two still open
        (1, 1, 2, 3, GIVE_UP),
        (4, 1, 0, 5, GIVE_UP),
        (0, 0, 0, 0, RELEASE),
        (0, 0, 0, 6, GIVE_UP),
    ],
)
def test_enough_ends_the_wait_once_the_need_is_met_or_out_of_reach(succeeded, failed, canceled, need, decision):
    assert enough(Tally(5, succeeded, failed, canceled), need) is decision


def test_a_stage_without_branches_releases_when_nothing_is_needed():
    assert settled(Tally(0, 0, 0, 0), 0) is RELEASE
    assert enough(Tally(0, 0, 0, 0), 0) is RELEASE


def test_every_release_has_its_barrier():
    assert set(BARRIERS) == set(Release)
    assert BARRIERS[Release.SETTLED] is settled
    assert BARRIERS[Release.ENOUGH] is enough
    assert BARRIERS[Release.FIRST] is first


@given(st.lists(st.sampled_from(BranchState), max_size=12), st.integers(0, 12))
def test_barriers_agree_once_every_branch_has_settled(states, need):
    tally = tally_of(states)
    if tally.open == 0:
        assert settled(tally, need) is enough(tally, need)
        assert settled(tally, need) is not WAIT


@given(st.lists(st.sampled_from(BranchState), max_size=12))
def test_a_tally_counts_each_state_once_and_the_unsettled_as_open(states):
    tally = tally_of(iter(states))
    assert tally.total == len(states)
    assert tally.succeeded == sum(state is BranchState.SUCCEEDED for state in states)
    assert tally.failed == sum(state in {BranchState.FAILED, BranchState.TIMED_OUT} for state in states)
    assert tally.canceled == sum(state is BranchState.CANCELED for state in states)
    assert tally.open == sum(state not in SETTLED_STATES for state in states)


@pytest.mark.parametrize(
    ("succeeded", "failed", "need", "decision"),
    [(0, 0, 5, WAIT), (0, 4, 5, WAIT), (1, 0, 5, RELEASE), (1, 4, 5, RELEASE), (0, 5, 0, GIVE_UP), (0, 4, 0, WAIT)],
)
def test_first_ends_the_wait_at_one_success_whatever_the_need(succeeded, failed, need, decision):
    assert first(Tally(5, succeeded, failed, 0), need) is decision

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.failure import REMEDIES, FallBack, Room, TryAgain, backoff_s, decide
from coordinator.core.model import Failure, FailureKind, Retry

KINDS = st.sampled_from(FailureKind)
JITTERS = st.floats(0, 1, exclude_max=True)
RETRIES = st.builds(
    lambda attempts, low, more: Retry(attempts, low, low + more),
    st.integers(1, 20),
    st.floats(0, 100),
    st.floats(0, 1000),
)
ROOMS = st.builds(
    Room, st.integers(1, 20), st.integers(0, 3), st.none() | st.integers(0, 9), st.none() | st.floats(1e6, 1.1e6)
)
TWICE = Retry(attempts=2)
ONCE_HERE = Room(attempts_here=1, agents_left=0)


def after(kind: FailureKind, retry: Retry = TWICE, room: Room = ONCE_HERE, retry_after: float | None = None):
    return decide(Failure(kind, "no", retry_after), retry, room, at=100.0, jitter=0.0)


def test_the_table_says_of_every_kind_of_failure_what_may_help():
    assert set(REMEDIES) == set(FailureKind)


@pytest.mark.parametrize("kind", FailureKind)
def test_a_kind_is_tried_again_exactly_when_the_table_says_so(kind):
    assert isinstance(after(kind), TryAgain) is REMEDIES[kind].again


@pytest.mark.parametrize("kind", FailureKind)
def test_a_kind_goes_to_another_agent_exactly_when_the_table_says_so(kind):
    assert isinstance(after(kind, Retry(attempts=1), Room(1, 1)), FallBack) is REMEDIES[kind].elsewhere


@pytest.mark.parametrize("kind", FailureKind)
def test_what_may_help_at_the_same_agent_may_help_at_another(kind):
    assert REMEDIES[kind].elsewhere or not REMEDIES[kind].again


@pytest.mark.parametrize("kind", [FailureKind.IN_DOUBT, FailureKind.TIMED_OUT, FailureKind.DEADLINE])
def test_what_may_have_been_done_is_never_done_again_by_the_same_agent(kind):
    assert not REMEDIES[kind].again


@pytest.mark.parametrize(
    ("attempts", "here", "is_tried_again"),
    [(1, 1, False), (2, 1, True), (2, 2, False), (3, 2, True), (3, 3, False), (3, 4, False)],
)
def test_attempts_run_out(attempts, here, is_tried_again):
    again = after(FailureKind.UNREACHABLE, Retry(attempts=attempts), Room(here, 0))
    assert (again is not None) is is_tried_again


def test_another_agent_is_asked_only_when_the_attempts_have_run_out():
    assert isinstance(after(FailureKind.FAILED, TWICE, Room(1, 1)), TryAgain)
    assert isinstance(after(FailureKind.FAILED, TWICE, Room(2, 1)), FallBack)
    assert after(FailureKind.FAILED, TWICE, Room(2, 0)) is None


def test_a_rejected_sub_task_goes_straight_to_another_agent():
    assert isinstance(after(FailureKind.REJECTED, TWICE, Room(1, 1)), FallBack)


def test_an_agent_that_is_left_alone_is_asked_again_only_if_nobody_else_can_do_it():
    assert isinstance(after(FailureKind.CIRCUIT_OPEN, TWICE, Room(1, 1)), FallBack)
    assert after(FailureKind.CIRCUIT_OPEN, TWICE, Room(1, 0), retry_after=12.0) == TryAgain(112.0)


@pytest.mark.parametrize("kind", FailureKind)
def test_without_budget_nothing_is_tried(kind):
    assert after(kind, TWICE, Room(1, 1, budget_left=0)) is None


def test_a_delay_that_lasts_until_the_end_is_not_waited_for():
    room = Room(1, 0, until=130.0)
    assert after(FailureKind.OVERLOADED, TWICE, room, retry_after=29.9) == TryAgain(129.9)
    assert after(FailureKind.OVERLOADED, TWICE, room, retry_after=30.0) is None


def test_another_agent_is_asked_when_the_first_says_to_come_back_too_late():
    assert after(FailureKind.OVERLOADED, TWICE, Room(1, 1, until=130.0), retry_after=30.0) == FallBack()


@pytest.mark.parametrize(
    ("attempt", "jitter", "seconds"),
    [(1, 0.0, 0.25), (1, 1.0, 0.5), (2, 1.0, 1.0), (3, 1.0, 2.0), (4, 0.5, 3.0), (5, 1.0, 8.0), (9, 1.0, 8.0)],
)
def test_the_delay_doubles_up_to_its_maximum(attempt, jitter, seconds):
    assert backoff_s(Retry(10, 0.5, 8.0), attempt, jitter) == seconds


@given(RETRIES, st.integers(1, 20), JITTERS)
def test_the_delay_stays_between_half_the_smallest_and_the_greatest(retry, attempt, jitter):
    delay = backoff_s(retry, attempt, jitter)
    assert retry.backoff_min_s / 2 <= delay <= retry.backoff_max_s


@given(RETRIES, st.integers(1, 19), JITTERS)
def test_the_delay_never_shrinks_from_one_attempt_to_the_next(retry, attempt, jitter):
    assert backoff_s(retry, attempt, jitter) <= backoff_s(retry, attempt + 1, jitter)


@given(RETRIES, KINDS, ROOMS, JITTERS, st.none() | st.floats(0, 1e6))
def test_a_retry_after_is_never_undercut_and_never_waited_for_beyond_the_end(retry, kind, room, jitter, retry_after):
    at = 1_000_000.0
    again = decide(Failure(kind, "busy", retry_after), retry, room, at=at, jitter=jitter)
    if isinstance(again, TryAgain):
        assert again.at >= at + (retry_after or 0.0)
        assert again.at >= at + backoff_s(retry, room.attempts_here, jitter)
        assert room.until is None or again.at < room.until


def test_a_short_retry_after_does_not_shorten_the_delay():
    assert after(FailureKind.OVERLOADED, Retry(3, 4.0, 8.0), retry_after=0.1) == TryAgain(102.0)


def test_a_long_retry_after_takes_the_place_of_the_delay():
    assert after(FailureKind.OVERLOADED, Retry(3, 4.0, 8.0), retry_after=30.0) == TryAgain(130.0)

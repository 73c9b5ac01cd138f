import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.failure import RETRYABLE, TryAgain, backoff_s, decide
from coordinator.core.model import Failure, FailureKind, Retry

KINDS = st.sampled_from(FailureKind)
JITTERS = st.floats(0, 1, exclude_max=True)
RETRIES = st.builds(
    lambda attempts, low, more: Retry(attempts, low, low + more),
    st.integers(1, 20),
    st.floats(0, 100),
    st.floats(0, 1000),
)


def test_the_table_says_of_every_kind_of_failure_whether_it_is_worth_another_attempt():
    assert set(RETRYABLE) == set(FailureKind)


@pytest.mark.parametrize("kind", FailureKind)
def test_a_kind_is_tried_again_exactly_when_the_table_says_so(kind):
    again = decide(Failure(kind, "no"), Retry(attempts=2), attempt=1, at=100.0, jitter=0.0)
    assert (again is not None) is RETRYABLE[kind]


@pytest.mark.parametrize("kind", [FailureKind.IN_DOUBT, FailureKind.TIMED_OUT, FailureKind.DEADLINE])
def test_what_may_have_been_done_is_never_done_again(kind):
    assert not RETRYABLE[kind]


@pytest.mark.parametrize(
    ("attempts", "attempt", "is_tried_again"),
    [(1, 1, False), (2, 1, True), (2, 2, False), (3, 2, True), (3, 3, False), (3, 4, False)],
)
def test_attempts_run_out(attempts, attempt, is_tried_again):
    failure = Failure(FailureKind.UNREACHABLE, "refused")
    again = decide(failure, Retry(attempts=attempts), attempt=attempt, at=100.0, jitter=0.0)
    assert (again is not None) is is_tried_again


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


@given(RETRIES, KINDS, st.integers(1, 20), JITTERS, st.none() | st.floats(0, 1e6))
def test_a_retry_after_is_never_undercut(retry, kind, attempt, jitter, retry_after):
    at = 1_000_000.0
    again = decide(Failure(kind, "busy", retry_after), retry, attempt=attempt, at=at, jitter=jitter)
    if again is not None:
        assert again.at >= at + (retry_after or 0.0)
        assert again.at >= at + backoff_s(retry, attempt, jitter)


def test_a_short_retry_after_does_not_shorten_the_delay():
    failure = Failure(FailureKind.OVERLOADED, "busy", retry_after_s=0.1)
    assert decide(failure, Retry(3, 4.0, 8.0), attempt=1, at=100.0, jitter=0.0) == TryAgain(102.0)


def test_a_long_retry_after_takes_the_place_of_the_delay():
    failure = Failure(FailureKind.OVERLOADED, "busy", retry_after_s=30.0)
    assert decide(failure, Retry(3, 4.0, 8.0), attempt=1, at=100.0, jitter=0.0) == TryAgain(130.0)

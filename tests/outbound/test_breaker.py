"""One agent's circuit, on a clock that is only a number."""

from coordinator.outbound.breaker import Breaker, Circuit


def failing(times, *, most=3, pause_s=10.0, at=100.0):
    breaker = Breaker(most, pause_s)
    for _ in range(times):
        breaker.failed(at, is_trial=breaker.begin(at))
    return breaker


def test_it_opens_after_so_many_failures_in_a_row_and_says_when_to_come_back():
    assert failing(2).state(100.0) is Circuit.CLOSED
    breaker = failing(3)
    assert breaker.state(100.0) is Circuit.OPEN
    assert breaker.refusal_s(104.0) == 6.0


def test_an_answer_in_between_starts_the_count_again():
    breaker = failing(2)
    breaker.reached()
    assert not breaker.failed(100.0, is_trial=False)
    assert breaker.state(100.0) is Circuit.CLOSED


def test_after_the_pause_one_may_try_and_everybody_else_is_refused():
    breaker = failing(3)
    assert breaker.refusal_s(110.0) is None
    assert breaker.begin(110.0)
    assert breaker.state(110.0) is Circuit.HALF_OPEN
    assert breaker.refusal_s(110.0) == 10.0


def test_a_trial_that_is_answered_closes_it():
    breaker = failing(3)
    breaker.begin(110.0)
    breaker.reached()
    assert (breaker.state(110.0), breaker.failures, breaker.refusal_s(110.0)) == (Circuit.CLOSED, 0, None)


def test_a_trial_that_fails_opens_it_for_another_pause():
    breaker = failing(3)
    assert breaker.failed(111.0, is_trial=breaker.begin(110.0))
    assert breaker.refusal_s(111.0) == 10.0
    assert breaker.refusal_s(121.0) is None


def test_a_trial_that_was_called_off_leaves_the_next_attempt_to_try():
    breaker = failing(3)
    breaker.begin(110.0)
    breaker.abandoned()
    assert breaker.refusal_s(110.0) is None
    assert breaker.begin(110.0)


def test_failures_of_attempts_sent_before_it_opened_do_not_prolong_the_pause():
    breaker = failing(3)
    breaker.failed(109.0, is_trial=False)
    assert breaker.refusal_s(110.0) is None


def test_zero_failures_mean_that_it_never_opens():
    assert failing(1000, most=0).state(100.0) is Circuit.CLOSED

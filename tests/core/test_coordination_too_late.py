"""A failed attempt is closed before the next one; when its work turns out to be finished, that is taken."""

import pytest

from coordinator.core.commands import Follow, Send
from coordinator.core.model import FailureKind, Retry
from coordinator.core.states import BranchState
from tests.core.building import Script, remote_of, sent

RETRY = Retry(attempts=3, backoff_min_s=1, backoff_max_s=1)


def out_of_reach():
    """Return a branch whose task is there, and whose agent cannot be asked about it."""
    script = Script(1, retry=RETRY)
    script.begins("a")
    script.opens("a")
    script.fails("a", FailureKind.UNREACHABLE, is_open=True)
    return script


def test_a_task_that_its_cancel_finds_finished_is_followed_instead_of_sent_again():
    script = out_of_reach()
    (follow,) = script.settles_cancel("a", result="finished")
    assert isinstance(follow, Follow)
    assert follow.remote == remote_of("a")
    assert script.branch("a").state is BranchState.WORKING
    assert sent(script.waits(10)) == []
    script.succeeds("a")
    assert script.branch("a").state is BranchState.SUCCEEDED
    assert len(script.branch("a").attempts) == 1


def test_a_task_nobody_had_named_is_followed_once_its_cancel_has_found_it():
    script = Script(1, retry=RETRY)
    script.begins("a")
    script.fails("a", FailureKind.UNREACHABLE, is_open=True)
    script.opens("a")
    (follow,) = script.settles_cancel("a", result="finished")
    assert follow.remote == remote_of("a")


@pytest.mark.parametrize("result", ["confirmed", "refused", "not_found", "unreachable"])
def test_what_is_not_finished_is_tried_again(result):
    script = out_of_reach()
    script.settles_cancel("a", result=result)
    assert sent(script.waits(10)) == ["a#2"]


def test_a_finished_task_that_still_cannot_be_read_is_tried_again_in_the_end():
    script = out_of_reach()
    script.settles_cancel("a", result="finished")
    script.fails("a", FailureKind.UNREACHABLE, is_open=True)
    assert script.settles_cancel("a", result="finished") == []
    assert sent(script.waits(10)) == ["a#2"]


def test_a_finished_task_of_a_branch_that_is_settled_stays_where_it_is():
    script = out_of_reach()
    script.cancels()
    assert script.settles_cancel("a", result="finished") == []
    assert script.coordination.is_closed
    assert script.open(Send) == []

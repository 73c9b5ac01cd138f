"""A second attempt beside the first: when it starts, where, and who wins."""

import pytest

from coordinator.core.commands import Follow, Send
from coordinator.core.model import FailureKind, Limits, Need, Retry, SubTask, TaskState
from coordinator.core.record import run_record
from coordinator.core.states import BranchState
from tests.core.building import T0, Script, agent, canceled, merge_in, planned, remote_of, sent

SPARES = (agent("spare-1"), agent("spare-2"))
TWICE = Retry(attempts=2, backoff_min_s=4.0, backoff_max_s=60.0)


def hedged(*, others=SPARES, branches="a", **options) -> Script:
    tasks = [SubTask(name, agent(f"agent-{name}"), others=others) for name in branches]
    return Script(plan=options.pop("plan", None), stages=(planned(*tasks, hedge_s=5.0, **options),))


def test_a_hedge_starts_at_another_agent_after_the_delay_and_not_before():
    script = hedged()
    assert script.coordination.wake_at() is None, "nothing has gone out yet"
    script.begins("a")
    assert script.coordination.wake_at() == T0 + 5
    assert script.waits(4.999) == []
    (send,) = script.waits(0.001)
    assert (send.attempt, send.agent, send.since) == (2, SPARES[0], T0 + 5)
    assert {command.agent.name for command in script.open(Send)} == {"agent-a", "spare-1"}


def test_a_branch_is_hedged_once():
    script = hedged()
    script.begins("a")
    script.waits(5)
    script.begins("a", attempt=2)
    assert script.waits(60) == []
    assert script.coordination.wake_at() is None


@pytest.mark.parametrize(("winner", "loser", "name"), [(1, "a#2", "agent-a"), (2, "a", "spare-1")])
def test_the_first_success_wins_and_the_loser_is_canceled(winner, loser, name):
    script = hedged()
    script.begins("a")
    script.opens("a")
    script.waits(5)
    script.opens("a", attempt=2)
    commands = script.succeeds("a", attempt=winner)
    assert canceled(commands) == [loser]
    (outcome,) = merge_in(commands).outcomes
    assert (outcome.agent, outcome.remote) == (name, remote_of("a", winner))
    assert script.open(Follow) == []


def test_the_run_record_names_the_winner_and_everybody_who_was_asked():
    script = hedged()
    script.begins("a")
    script.opens("a")
    script.waits(5)
    script.succeeds("a", attempt=1)
    script.merges()
    (branch,) = run_record(script.coordination)["branches"]
    assert (branch["agent"], branch["taskId"], branch["attempts"]) == ("agent-a", "remote-a-1", 2)
    assert branch["agents"] == ["agent-a", "spare-1"]


@pytest.mark.parametrize(("failing", "left"), [(1, 2), (2, 1)])
def test_the_failure_of_one_of_two_open_attempts_decides_nothing(failing, left):
    script = hedged(retry=TWICE)
    script.begins("a")
    script.waits(5)
    assert script.fails("a", attempt=failing) == []
    assert script.branch("a").state.is_under_way
    assert script.coordination.wake_at() is None
    merge_in(script.succeeds("a", attempt=left))
    assert script.branch("a").failure is None


def test_after_both_have_failed_the_last_failure_decides():
    script = hedged(retry=TWICE)
    script.begins("a")
    script.waits(5)
    script.fails("a", FailureKind.REJECTED, attempt=1)
    script.fails("a", FailureKind.UNREACHABLE, attempt=2)
    (again,) = script.waits(2)
    assert (again.attempt, again.agent) == (3, SPARES[0])


def test_an_attempt_that_failed_and_may_still_run_is_canceled_beside_its_hedge():
    script = hedged(retry=TWICE)
    script.begins("a")
    script.waits(5)
    assert canceled(script.fails("a", FailureKind.UNREACHABLE, attempt=1, is_open=True)) == ["a"]
    script.fails("a", FailureKind.UNREACHABLE, attempt=2)
    assert script.waits(2) == [], "the work is not asked for again while the first may still run"
    assert sent(script.settles_cancel("a", attempt=1)) == ["a#3"]


def test_a_branch_that_has_succeeded_is_not_hedged():
    script = hedged(branches="ab")
    script.begins("a")
    script.succeeds("a")
    assert script.waits(5) == []


def test_a_branch_that_waits_for_its_next_attempt_is_not_hedged():
    script = hedged(retry=TWICE)
    script.begins("a")
    script.now += 4
    script.fails("a", FailureKind.UNREACHABLE)
    assert script.waits(1) == []
    (again,) = script.waits(1)
    assert again.agent.name == "agent-a"


def test_without_another_agent_there_is_no_hedge():
    script = hedged(others=())
    script.begins("a")
    assert script.waits(5) == []
    assert script.branch("a").state is BranchState.SENDING


def test_a_hedge_takes_no_place_from_the_queue():
    script = hedged(branches="abc", limits=Limits(concurrency=2))
    script.begins("a")
    assert sent(script.waits(5)) == ["a#2"]
    assert sent(script.succeeds("b")) == ["c"]


def test_a_timeout_cancels_both():
    script = hedged(limits=Limits(branch_timeout_s=10), need=Need("count", 0))
    script.begins("a")
    script.waits(5)
    script.opens("a", attempt=2)
    assert canceled(script.waits(5)) == ["a", "a#2"]


def test_a_client_s_cancel_cancels_both():
    script = hedged()
    script.begins("a")
    script.waits(5)
    commands = script.cancels()
    assert [(cancel.attempt, cancel.agent.name) for cancel in commands] == [(1, "agent-a"), (2, "spare-1")]
    assert script.coordination.state is TaskState.CANCELED


def test_a_loser_that_answers_late_changes_nothing():
    script = hedged(branches="ab")
    script.begins("a")
    script.waits(5)
    script.succeeds("a", attempt=1)
    before = script.coordination.outstanding()
    assert script.succeeds("a", attempt=2, artifacts=()) == []
    assert script.fails("a", attempt=2) == []
    assert script.branch("a").artifacts != ()
    assert script.coordination.outstanding() == before


def test_a_hedge_counts_against_the_budget():
    script = hedged(branches="ab", plan={"retry_budget": 1})
    script.begins("a")
    script.begins("b")
    assert sent(script.waits(5)) == ["a#2"]

from itertools import product

import pytest

from coordinator.core.model import Settled, TaskState
from coordinator.core.states import (
    BRANCH,
    SETTLED_STATES,
    TASK,
    BranchState,
    Trigger,
    check_task_transition,
    diagram,
    next_branch_state,
)
from coordinator.errors import IllegalTransition
from tests.core.building import Script

LEGAL = [pytest.param(*pair, new, id=f"{pair[0]}-{pair[1]}") for pair, new in BRANCH.items()]
ILLEGAL = [pair for pair in product(BranchState, Trigger) if pair not in BRANCH]
ILLEGAL_FOR_TASKS = [pair for pair in product(TaskState, TaskState) if pair[1] not in TASK.get(pair[0], frozenset())]


@pytest.mark.parametrize(("state", "trigger", "new"), LEGAL)
def test_a_pair_in_the_table_moves_the_branch(state, trigger, new):
    branch = Script(1).branch("a")
    branch.state = state
    branch.move(trigger)
    assert branch.state is new


@pytest.mark.parametrize(("state", "trigger"), ILLEGAL)
def test_a_pair_that_is_not_in_the_table_raises_and_changes_nothing(state, trigger):
    branch = Script(1).branch("a")
    branch.state = state
    with pytest.raises(IllegalTransition, match=f"{state} cannot {trigger}"):
        branch.move(trigger)
    assert branch.state is state


@pytest.mark.parametrize("state", sorted(SETTLED_STATES))
def test_nothing_follows_a_settled_state(state):
    assert state.is_settled
    assert not state.is_under_way
    assert not [trigger for old, trigger in BRANCH if old is state]


def test_the_settled_states_are_the_outcomes_a_branch_can_have():
    assert {str(state) for state in SETTLED_STATES} == {str(outcome) for outcome in Settled}


def test_every_branch_state_is_reachable_from_queued():
    reached, frontier = {BranchState.QUEUED}, [BranchState.QUEUED]
    while frontier:
        state = frontier.pop()
        following = {new for (old, _), new in BRANCH.items() if old is state} - reached
        reached |= following
        frontier += following
    assert reached == set(BranchState)


def test_every_open_branch_can_be_timed_out_and_canceled():
    for state in set(BranchState) - SETTLED_STATES:
        assert next_branch_state(state, Trigger.TIME_OUT) is BranchState.TIMED_OUT
        assert next_branch_state(state, Trigger.CANCEL) is BranchState.CANCELED


def test_only_a_branch_that_was_sent_can_succeed_or_fail():
    sent = {BranchState.SENDING, BranchState.WORKING, BranchState.ASKING}
    for trigger in (Trigger.SUCCEED, Trigger.GIVE_UP, Trigger.BACK_OFF):
        assert {old for old, known in BRANCH if known is trigger} == sent


@pytest.mark.parametrize(("old", "new"), ILLEGAL_FOR_TASKS)
def test_a_task_transition_that_is_not_in_the_table_raises(old, new):
    with pytest.raises(IllegalTransition, match=f"{old} cannot become {new}"):
        check_task_transition(old, new)


def test_a_task_may_take_every_way_in_its_table():
    for old, following in TASK.items():
        for new in following:
            check_task_transition(old, new)


def test_nothing_follows_a_terminal_task():
    assert not [state for state in TASK if state.is_terminal]
    assert {state for state in TaskState if state.is_terminal} == {
        TaskState.COMPLETED,
        TaskState.FAILED,
        TaskState.CANCELED,
        TaskState.REJECTED,
    }


def test_a_task_that_waits_for_its_client_is_interrupted_and_not_terminal():
    interrupted = {state for state in TaskState if state.is_interrupted}
    assert interrupted == {TaskState.INPUT_REQUIRED, TaskState.AUTH_REQUIRED}
    assert not [state for state in interrupted if state.is_terminal]


def test_the_diagram_shows_every_transition_and_every_way_in_and_out():
    lines = [line.strip() for line in diagram().splitlines()]
    assert lines[:2] == ["stateDiagram-v2", "[*] --> queued"]
    assert set(lines[2:]) == {f"{old} --> {new}: {trigger}" for (old, trigger), new in BRANCH.items()} | {
        f"{state} --> [*]" for state in SETTLED_STATES
    }
    assert len(lines) == 2 + len(BRANCH) + len(SETTLED_STATES)

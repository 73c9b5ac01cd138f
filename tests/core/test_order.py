"""The same results give the same answer, whoever reports first."""

from __future__ import annotations

from hashlib import sha256
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core import events as ev
from coordinator.core.commands import Cancel, Command, Expand, Merge, Send
from coordinator.core.coordination import Coordination
from coordinator.core.model import Failure, FailureKind, Limits, Release, Retry, TaskState
from tests.core.building import T0, artifact, taken_on
from tests.core.hostile_plans import Planned, plans

KINDS = (FailureKind.FAILED, FailureKind.REJECTED, FailureKind.NEEDS_INPUT)

UNTIMED = plans(
    {"deadline_s": st.none(), "retry_budget": st.none()},
    limits=Limits(concurrency=2),
    retry=Retry(2, 0.0, 0.0),
    release=Release.SETTLED,
    hedge_s=None,
)
"""Plans in which nothing is a race: who waits for whom is all there is to the order."""


def result_of(send: Send, seed: int) -> ev.Event:
    """Return how this attempt ends: the seed decides, and not the order."""
    about = {"at": T0, "branch": send.branch, "attempt": send.attempt}
    drawn = sha256(f"{seed} {send.branch} {send.attempt}".encode()).digest()
    if drawn[0] % 4:
        return ev.AttemptSucceeded(**about, artifacts=(artifact(f"from {send.agent.name}"),))
    return ev.AttemptFailed(**about, failure=Failure(KINDS[drawn[1] % 3], "it broke"))


def answer_to(command: Command, planned: Planned, seed: int) -> ev.Event:
    match command:
        case Send():
            return result_of(command, seed)
        case Cancel():
            return ev.CancelSettled(at=T0, branch=command.branch, attempt=command.attempt, result="confirmed")
        case Expand():
            return ev.StageExpanded(at=T0, stage=command.stage.name, sub_tasks=planned.sub_tasks(command.stage))
        case Merge():
            return ev.Merged(at=T0, stage=command.stage, artifacts=(artifact("report"),), is_late=command.is_late)
        case _:
            raise AssertionError(command)


def played(planned: Planned, seed: int, order: Random) -> tuple[Coordination, dict[str, Merge]]:
    """Play *planned* to its end, answering the commands in the given order; return what it merged as well."""
    coordination = Coordination(taken_on(planned.plan))
    coordination.receive(ev.TurnStarted(at=T0, epoch=1))
    merges: dict[str, Merge] = {}
    while not coordination.is_closed:
        command = order.choice(coordination.outstanding())
        if isinstance(command, Merge):
            merges[command.id] = command
        coordination.receive(answer_to(command, planned, seed))
    return coordination, merges


@settings(max_examples=150, deadline=None)
@given(UNTIMED, st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_the_verdict_does_not_depend_on_who_reports_first(planned, seed, one, other):
    (first, merged), (second, merged_too) = (played(planned, seed, Random(order)) for order in (one, other))
    assert first.state is second.state
    assert first.verdict is second.verdict
    if first.state is TaskState.COMPLETED:
        assert merged == merged_too, "the same outcomes in the order of the plan"
        assert (first.reason, first.artifacts) == (second.reason, second.artifacts)
        assert [(one.key, one.state) for one in first.branches()] == [(two.key, two.state) for two in second.branches()]

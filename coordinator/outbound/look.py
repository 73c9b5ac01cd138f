"""A look at a task that waits for its client: nobody follows it, but it may go on or end by itself."""

from __future__ import annotations

from collections.abc import Callable

from a2a.types import a2a_pb2 as a2a

from coordinator.core.commands import Follow, Look
from coordinator.core.events import AttemptFailed, Looked, Resumed
from coordinator.core.model import Failure, FailureKind
from coordinator.outbound.bounds import AnswerTooLarge
from coordinator.outbound.calls import AgentCalls
from coordinator.outbound.failures import CallFailed
from coordinator.outbound.pursue import FINAL, Attempt, Pursuit
from coordinator.outbound.reading import AnswerNotJson, mark_of
from coordinator.outbound.telling import Emit, Fact
from coordinator.wire import state_in


async def look(calls: AgentCalls, command: Look, *, emit: Emit, now: Callable[[], float]) -> None:
    """See once whether a parked task still waits, and emit the one fact that closes *command*."""
    branch, number = command.branch, command.attempt
    try:
        task = await calls.task(command.agent, command.remote, command.credential)
    except CallFailed as error:
        if (failure := error.trouble.failure).kind in FINAL:
            is_open = failure.kind is not FailureKind.LOST
            event = AttemptFailed(at=now(), branch=branch, attempt=number, failure=failure, is_open=is_open)
            emit(Fact(event))
        else:
            emit(Fact(Looked(at=now(), branch=branch, attempt=number, detail=failure.message)))
        return
    state = state_in(task.status.state)
    if state is not None and state.is_interrupted and mark_of(task.status) == command.mark:
        emit(Fact(Looked(at=now(), branch=branch, attempt=number)))
    elif state is not None and not (state.is_terminal or state.is_interrupted):
        emit(Fact(Resumed(at=now(), branch=branch, attempt=number)))
    else:
        follow = Follow(
            id=command.id,
            branch=branch,
            attempt=number,
            agent=command.agent,
            remote=command.remote,
            expect=command.expect,
            credential=command.credential,
            passes_through=command.passes_through,
        )
        await _conclude_seen(calls, follow, task, emit=emit, now=now)


async def _conclude_seen(
    calls: AgentCalls, follow: Follow, task: a2a.Task, *, emit: Emit, now: Callable[[], float]
) -> None:
    """Emit what a task that is over, or asks something new, has come to."""
    attempt = Attempt(remote=follow.remote)
    pursuit = Pursuit(calls, follow, attempt, emit, now)
    try:
        pursuit.take_snapshot(task)
        await pursuit.conclude(follow.expect)
    except CallFailed as error:
        pursuit.fail(error.trouble.failure, is_open=True)
    except AnswerTooLarge as error:
        pursuit.fail(Failure(FailureKind.TOO_LARGE, str(error)), is_open=True)
    except AnswerNotJson as error:
        pursuit.fail(Failure(FailureKind.MALFORMED, str(error)), is_open=True)
    finally:
        pursuit.end()

"""Stopping a remote task that is no longer needed, also one whose id nobody has told us yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from coordinator.core.commands import Cancel
from coordinator.core.events import CancelResult
from coordinator.core.model import FailureKind, RemoteTask, TaskState
from coordinator.outbound.calls import AgentCalls
from coordinator.outbound.failures import CallFailed
from coordinator.wire import state_in


async def cancel_remote(
    calls: AgentCalls,
    command: Cancel,
    remote: RemoteTask | None,
    found: Callable[[RemoteTask], None] = lambda _: None,
) -> tuple[CancelResult, str]:
    """Cancel *remote*, or the task *command* turns out to have created, within the patience for cancels.

    Such a task is told to *found*, so that its result can be read should the cancel come too late.
    Returns what became of it, with the agent's words. Raises nothing: a specialist that does not
    answer is a result, too.
    """
    try:
        async with asyncio.timeout(calls.patience.cancel_s):
            known = remote or command.remote
            if known is None and (known := await _look_up(calls, command)) is not None:
                found(known)
            if known is None:
                return "not_found", "it lists no task for this message"
            return await _cancel(calls, command, known)
    except TimeoutError:
        return "unreachable", f"no answer within {calls.patience.cancel_s:g} s"
    except CallFailed as error:
        kind = error.trouble.failure.kind
        result: CancelResult = "not_found" if kind is FailureKind.LOST else "unreachable"
        return result, error.trouble.failure.message


async def _look_up(calls: AgentCalls, command: Cancel) -> RemoteTask | None:
    for pause in (0.0, calls.patience.doubt_s):
        await asyncio.sleep(pause)
        remote = await calls.look_up(command.agent, command.message_id, command.since)
        if remote is not None:
            return remote
    return None


async def _cancel(calls: AgentCalls, command: Cancel, remote: RemoteTask) -> tuple[CancelResult, str]:
    try:
        task = await calls.cancel(command.agent, remote, command.credential)
    except CallFailed as error:
        if error.trouble.failure.kind is not FailureKind.REFUSED:
            raise
        # Refused: either it is over already, which is fine, or the agent cannot cancel.
        task = await calls.task(command.agent, remote, command.credential)
        if not _is_terminal(task.status.state):
            return "refused", error.trouble.failure.message
    if state_in(task.status.state) is TaskState.CANCELED:
        return "confirmed", ""
    return ("finished", "") if _is_terminal(task.status.state) else ("refused", "it goes on working")


def _is_terminal(state: int) -> bool:
    known = state_in(state)
    return known is not None and known.is_terminal

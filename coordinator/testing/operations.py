"""What each A2A operation does to an agent, apart from faults.

An operation takes effect at once and returns what is to be answered: something that is known
now, or a task to be followed. Delays, gates and everything that goes wrong are the exchange's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from coordinator.testing import wire
from coordinator.testing.agent import Agent
from coordinator.testing.behaviour import Json
from coordinator.testing.connection import Connection
from coordinator.testing.faults import CANCEL
from coordinator.testing.ledger import OPERATIONS
from coordinator.testing.pushing import hook_of
from coordinator.testing.tasks import Performance, SpecialistTask
from coordinator.testing.wire import RpcError


@dataclass(frozen=True, slots=True)
class Call:
    """One JSON-RPC request to one agent."""

    agent: Agent
    method: str
    rpc_id: Any
    params: Json
    connection: Connection
    performance: Performance

    @property
    def operation(self) -> str:
        """Return the kind of the request."""
        return OPERATIONS[self.method]


@dataclass(frozen=True, slots=True)
class Told:
    """The result is known."""

    document: Json


@dataclass(frozen=True, slots=True)
class Awaited:
    """The result is the task, once it is settled."""

    task: SpecialistTask
    history_length: int | None


@dataclass(frozen=True, slots=True)
class Followed:
    """The answer is a stream: some events, then the task's log from `start`."""

    task: SpecialistTask
    start: int
    opening: list[Json] = field(default_factory=list)


Answer = Told | Awaited | Followed


def send(call: Call) -> Answer:
    """SendMessage, blocking or not."""
    configuration = _object(call.params, "configuration")
    task = _accepted(call)
    if configuration.get("returnImmediately") and not task.behaviour.message:
        return Told({"task": task.snapshot(_history_length(configuration))})
    return Awaited(task, _history_length(configuration))


def stream(call: Call) -> Answer:
    """SendStreamingMessage."""
    _refuse_streams(call)
    task = _accepted(call)
    return Followed(task, len(task.log), task.opening(is_first=True))


def subscribe(call: Call) -> Answer:
    """SubscribeToTask; a task that is over has no stream (spec 3.1.6)."""
    _refuse_streams(call)
    task = _task(call)
    if task.is_terminal:
        raise RpcError(wire.UNSUPPORTED, f"task {task.id} is over")
    return Followed(task, len(task.log), task.opening(is_first=False))


def get(call: Call) -> Answer:
    """GetTask."""
    return Told(_task(call).snapshot(_history_length(call.params)))


def cancel(call: Call) -> Answer:
    """CancelTask."""
    task = _task(call)
    if task.is_terminal:
        raise RpcError(wire.NOT_CANCELABLE, f"task {task.id} is over")
    CANCEL[task.behaviour.cancel](task)
    return Told(task.snapshot())


def list_tasks(call: Call) -> Answer:
    """ListTasks: the newest status first, fresh tasks without a time last (spec 3.1.4)."""
    behaviour, params = call.performance.behaviour, call.params
    if not behaviour.lists:
        raise RpcError(wire.NO_METHOD, "ListTasks is not known here")
    found = [task for task in call.agent.tasks.values() if _matches(task, params)]
    found.sort(key=lambda task: task.stamp, reverse=True)
    size = min(int(params.get("pageSize") or 50), behaviour.page)
    start = int(params.get("pageToken") or 0)
    shown = found[start : start + size]
    length, with_artifacts = _history_length(params), bool(params.get("includeArtifacts"))
    document = {
        "tasks": [task.snapshot(length, with_artifacts=with_artifacts) for task in shown],
        "nextPageToken": str(start + size) if start + size < len(found) else "",
        "pageSize": size,
        "totalSize": len(found),
    }
    return Told(document)


METHODS: Mapping[str, Callable[[Call], Answer]] = {
    "SendMessage": send,
    "SendStreamingMessage": stream,
    "GetTask": get,
    "ListTasks": list_tasks,
    "CancelTask": cancel,
    "SubscribeToTask": subscribe,
}


def performance_of(agent: Agent, method: str, params: Json) -> Performance:
    """Return the behaviour a request meets: a send the script's next, anything else that of its task."""
    if OPERATIONS[method] == "send":
        return agent.next_performance()
    task = agent.tasks.get(str(params.get("id", "")))
    return task.performance if task is not None else agent.current


def _accepted(call: Call) -> SpecialistTask:
    """Return the task of a message: a new one, the one it names, or the one it created before."""
    message = _object(call.params, "message")
    if not message.get("messageId") or not message.get("parts"):
        raise RpcError(wire.BAD_PARAMS, "a message has a messageId and parts")
    if message.get("taskId"):
        return _continued(call, str(message["taskId"]), message)
    hook = hook_of(call.agent, call.performance.behaviour, _object(call.params, "configuration"))
    known = call.agent.known(str(message["messageId"])) if call.performance.behaviour.dedupes else None
    task = known or call.agent.create(message, call.performance)
    if hook is not None:
        call.agent.push(task, hook)
    return task


def _continued(call: Call, task_id: str, message: Json) -> SpecialistTask:
    task = call.agent.tasks.get(task_id)
    if task is None:
        raise RpcError(wire.TASK_NOT_FOUND, f"there is no task {task_id}")
    if not task.is_done or task.is_terminal:
        raise RpcError(wire.UNSUPPORTED, f"task {task_id} asks nothing")
    call.agent.resume(task, message, call.performance)
    return task


def _task(call: Call) -> SpecialistTask:
    task = call.agent.tasks.get(str(call.params.get("id", "")))
    if task is None:
        raise RpcError(wire.TASK_NOT_FOUND, f"there is no task {call.params.get('id')}")
    return task


def _refuse_streams(call: Call) -> None:
    if not (call.agent.specialist.streaming and call.performance.behaviour.streams):
        raise RpcError(wire.UNSUPPORTED, "this agent does not stream")


def _matches(task: SpecialistTask, params: Json) -> bool:
    after = str(params.get("statusTimestampAfter", ""))
    return (
        params.get("status", task.state) == task.state
        and params.get("contextId", task.context_id) == task.context_id
        and (not after or (task.stamp != "" and _instant(task.stamp) >= _instant(after)))
    )


def _instant(stamp: str) -> dt.datetime:
    return dt.datetime.fromisoformat(stamp)


def _object(params: Json, name: str) -> Json:
    value = params.get(name)
    return value if isinstance(value, dict) else {}


def _history_length(holder: Json) -> int | None:
    length = holder.get("historyLength")
    return int(length) if length is not None else None

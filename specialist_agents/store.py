"""The tasks this process remembers: all that are open, and the latest that have ended.

In memory on purpose: a review can be done again. Bounded, since an agent may run for months.
"""

from a2a.server.agent_execution.active_task import TERMINAL_TASK_STATES
from a2a.server.context import ServerCallContext
from a2a.server.tasks import InMemoryTaskStore
from a2a.types.a2a_pb2 import Task
from typing_extensions import override

MAX_ENDED_TASKS = 1_000
MAX_ENDED_BYTES = 256 << 20


class BoundedTaskStore(InMemoryTaskStore):
    """The SDK's store, forgetting the tasks that ended first."""

    def __init__(self, max_tasks: int = MAX_ENDED_TASKS, max_bytes: int = MAX_ENDED_BYTES) -> None:
        super().__init__()
        self._max_tasks = max_tasks
        self._max_bytes = max_bytes
        self._ended: dict[str, tuple[int, ServerCallContext]] = {}
        self._bytes = 0

    @override
    async def save(self, task: Task, context: ServerCallContext) -> None:
        """Save a task; forget the oldest ended ones that no longer fit."""
        await super().save(task, context)
        if task.status.state not in TERMINAL_TASK_STATES:
            return
        self._bytes += task.ByteSize() - self._ended.pop(task.id, (0, context))[0]
        self._ended[task.id] = (task.ByteSize(), context)
        while len(self._ended) > self._max_tasks or (self._bytes > self._max_bytes and len(self._ended) > 1):
            oldest = next(iter(self._ended))
            size, owner = self._ended.pop(oldest)
            self._bytes -= size
            await self.delete(oldest, owner)

"""What happens to a message before there is work: it is judged, and becomes a task without its contents.

The contents would otherwise be stored, copied and sent back with every answer.
"""

from abc import abstractmethod
from collections.abc import Iterable

from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.types.a2a_pb2 import Message, Part, Task, TaskState, TaskStatus
from google.protobuf.timestamp_pb2 import Timestamp


class JudgingExecutor(AgentExecutor):
    """An executor that can tell, before there is a task, whether a message can become one."""

    @abstractmethod
    def judge(self, message: Message) -> object:
        """Refuse a message before there is a task for it; raises the protocol's own error."""


def accepted(context: RequestContext, message: Message, parts: Iterable[Part]) -> Task:
    """Return the new task; *parts* are what its history keeps of the message.

    The message's id stays, so that a sender in doubt finds the task.
    """
    kept = Message(
        message_id=message.message_id,
        role=message.role,
        task_id=context.task_id,
        context_id=context.context_id,
        extensions=message.extensions,
        reference_task_ids=message.reference_task_ids,
    )
    if message.HasField("metadata"):
        kept.metadata.CopyFrom(message.metadata)
    kept.parts.extend(parts)
    now = Timestamp()
    now.GetCurrentTime()
    status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED, timestamp=now)
    return Task(id=context.task_id, context_id=context.context_id, status=status, history=[kept])

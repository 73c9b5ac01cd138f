"""Runs an agent's function for a task: working, its answer, completed; or a question, a failure, canceled.

The function holds no task while a question is open: it is called again with the reply, and what it was asked at first
is in the task's history.
"""

import inspect
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from a2a.server.agent_execution import RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types.a2a_pb2 import Message, Part, Role
from a2a.utils.errors import InvalidParamsError
from typing_extensions import override

from specialist_agents.accepting import JudgingExecutor, accepted
from specialist_agents.pieces import Pieces, says
from specialist_agents.template.request import TEXT, Answer, Failure, Question, Request, parts_of, request_of

ARTIFACT = "answer"

logger = logging.getLogger(__name__)


class FunctionExecutor(JudgingExecutor):
    """Answers with one function."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @override
    def judge(self, message: Message) -> None:
        """Refuse a message without parts; raises the protocol's own error."""
        if not message.parts:
            told = {"field": "message.parts", "message": "there is nothing in the message"}
            raise InvalidParamsError("message.parts: there is nothing in the message", {"errors": [told]})

    @override
    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Call the function for a new task, or again for a reply to its question."""
        message = context.message or Message()
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        if context.current_task is None:
            await event_queue.enqueue_event(accepted(context, message, message.parts))
        pieces = Pieces(updater, ARTIFACT, TEXT)
        await updater.start_work()
        try:
            parts = await self._called(request_of(_said(context, message), pieces.progress), pieces)
        except Question as question:
            await updater.requires_input(says(updater, str(question)))
        except Failure as failure:
            await updater.failed(says(updater, str(failure)))
        except Exception as error:
            # The function is somebody else's: its task ends, with the traceback in the log and not at the client.
            logger.exception("the function failed", extra={"task": updater.task_id})
            await updater.failed(says(updater, f"the agent failed: {type(error).__name__}"))
        else:
            await updater.add_artifact(parts, artifact_id=ARTIFACT, name=ARTIFACT, append=False, last_chunk=True)
            await updater.complete()

    @override
    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Say that it is canceled; the SDK then cancels `execute`, and with it the function."""
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        await updater.cancel(says(updater, "canceled"))

    async def _called(self, request: Request, pieces: Pieces) -> list[Part]:
        """Return the answer. Raises `TypeError` when it is none, and whatever the function raises."""
        outcome = self._answer(request)
        if inspect.isawaitable(outcome):
            return parts_of(await outcome)
        whole = []
        async with aclosing(cast("AsyncGenerator[str]", outcome)) as told:
            async for piece in told:
                if not isinstance(piece, str):
                    raise TypeError(f"a piece of an answer is a text, not {type(piece).__name__}")
                whole.append(piece)
                await pieces.piece(piece)
        return parts_of("".join(whole))


def _said(context: RequestContext, message: Message) -> list[Message]:
    """Return what the client has said on this task, each message once: one that is sent again is no second reply."""
    task = context.current_task
    history = [said for said in task.history if said.role == Role.ROLE_USER] if task else []
    return list({said.message_id: said for said in [*history, message]}.values())

"""Reviews that ask first: for a decision in words, or for somebody's approval out of band.

The task goes to INPUT_REQUIRED or AUTH_REQUIRED and `execute` returns; the next message on the task
calls it again (a2a-sdk's contract for both). Nothing is guessed: an answer that is none asks again
and says why. An approval is never read from a message: it is given at a page of the agent's own
(spec 7.6.1), which then sends the message that makes the review go on.
"""

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from a2a.server.agent_execution import RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types.a2a_pb2 import Message, Part
from a2a.utils.errors import ContentTypeNotSupportedError
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Value
from typing_extensions import override

from specialist_agents.documents import Documents
from specialist_agents.executor import ReviewExecutor, count_of, says
from specialist_agents.intake import PYTHON, SourceFile, Taken, files_of
from specialist_agents.waiting import Waiting, WaitingRoom
from specialist_agents.workshop import QuestionFirst, Workshop

FORGOTTEN = "this review waited too long and its files are not kept any more: send them again"
QUESTION_SCHEMA = "style-question/v1"


class AskingExecutor(ReviewExecutor):
    """Reviews that may wait for somebody; what for is the subclass's."""

    def __init__(
        self,
        agent: str,
        workshop: Workshop,
        documents: Documents,
        concurrent: int,
        *,
        room: WaitingRoom,
        taken: Taken = PYTHON,
    ) -> None:
        super().__init__(agent, workshop, documents, concurrent, taken=taken)
        self._room = room

    @override
    def judge(self, message: Message) -> None:
        """Refuse a message before there is a task for it; an answer brings words or data, no files."""
        if not message.task_id:
            files_of(message, self._taken)
            return
        for number, part in enumerate(message.parts):
            if part.WhichOneof("content") not in {"text", "data"}:
                field = f"message.parts[{number}]"
                raise ContentTypeNotSupportedError(f"{field}: an answer is text or data", {"field": field})

    @override
    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Begin a review, or go on with one that waits."""
        if context.current_task is None:
            await super().execute(context, event_queue)
            return
        message = context.message or Message()
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        waiting = self._room.of_task(updater.task_id)
        if waiting is None:
            await updater.failed(says(updater, FORGOTTEN))
        elif message.message_id in waiting.heard:
            await self._ask(updater, waiting, "")
        else:
            waiting.heard.add(message.message_id)
            await self._hear(updater, waiting, message)

    @override
    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Say that the review is canceled, and forget it."""
        self._room.leave(context.task_id or "")
        await super().cancel(context, event_queue)

    async def _resume(self, updater: TaskUpdater, waiting: Waiting) -> None:
        """Review, and ask again or be done."""
        try:
            await self._carry_out(updater, waiting.files, waiting.decided)
        except QuestionFirst as asked:
            waiting.question = asked.question
            await self._ask(updater, waiting, "")
        else:
            self._room.leave(waiting.task_id)

    @abstractmethod
    async def _ask(self, updater: TaskUpdater, waiting: Waiting, why: str) -> None:
        """Publish what is waited for; *why* says what was wrong with the last answer."""

    @abstractmethod
    async def _hear(self, updater: TaskUpdater, waiting: Waiting, message: Message) -> None:
        """Take in a message on a waiting task."""


class DecisionExecutor(AskingExecutor):
    """Asks which of several conventions is meant; the answer is the id of a choice."""

    @override
    async def _begin(self, updater: TaskUpdater, files: Sequence[SourceFile], context: RequestContext) -> None:
        waiting = Waiting(updater.task_id, updater.context_id, files, context.call_context)
        self._room.enter(waiting)
        await self._resume(updater, waiting)

    @override
    async def _ask(self, updater: TaskUpdater, waiting: Waiting, why: str) -> None:
        choices = waiting.question["choices"]
        told = "\n".join(f"{choice['id']}: {choice['text']}" for choice in choices)
        names = ", ".join(choice["id"] for choice in choices)
        text = f"{why}{waiting.question['text']}\n{told}\nAnswer with one of: {names}"
        document = {"schema": QUESTION_SCHEMA, **waiting.question}
        parts = [Part(text=text), Part(data=ParseDict(document, Value()), media_type="application/json")]
        await updater.requires_input(updater.new_agent_message(parts))

    @override
    async def _hear(self, updater: TaskUpdater, waiting: Waiting, message: Message) -> None:
        said = list(_words(message))
        names = {choice["id"] for choice in waiting.question["choices"]}
        chosen = {word for word in said if word in names}
        if len(chosen) != 1 or len(set(said)) != 1:
            heard = ", ".join(said)[:200] or "nothing"
            await self._ask(updater, waiting, f"{heard!r} is none of the choices, or not one alone.\n")
            return
        [choice] = chosen
        waiting.decided[waiting.question["convention"]] = choice
        await updater.start_work(says(updater, f"{waiting.question['convention']}: {choice}"))
        await self._resume(updater, waiting)


class ApprovalExecutor(AskingExecutor):
    """Reviews only what somebody has approved at the agent's own page."""

    def __init__(self, *arguments: Any, pages: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pages = pages

    @override
    async def _begin(self, updater: TaskUpdater, files: Sequence[SourceFile], context: RequestContext) -> None:
        waiting = Waiting(updater.task_id, updater.context_id, files, context.call_context)
        self._room.enter(waiting)
        await self._ask(updater, waiting, "")

    @override
    async def _ask(self, updater: TaskUpdater, waiting: Waiting, why: str) -> None:
        url = f"{self._pages}/{waiting.token}"
        text = (
            f"{why}Somebody has to approve that the licences of {count_of(len(waiting.files), 'file')} are checked:\n"
            f"{url}\nThe review then goes on by itself."
        )
        page = Part(url=url, media_type="text/html", filename="approval")
        await updater.requires_auth(updater.new_agent_message([Part(text=text), page]))

    @override
    async def _hear(self, updater: TaskUpdater, waiting: Waiting, message: Message) -> None:
        if waiting.is_approved:
            await updater.start_work(says(updater, "approved"))
            await self._resume(updater, waiting)
        else:
            await self._ask(updater, waiting, "No message can approve this.\n")


def _words(message: Message) -> Iterator[str]:
    """Yield what each part of an answer says: its text, or the `choice` of its data."""
    for part in message.parts:
        told: Any = part.text if part.HasField("text") else MessageToDict(part.data)
        if isinstance(told, Mapping):
            told = told.get("choice")
        yield re.sub(r"^[\s\"'`]+|[\s\"'`.!]+$", "", str(told)).lower()

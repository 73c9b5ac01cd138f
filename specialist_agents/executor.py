"""One review as an A2A task: accepted, working, findings, completed; or rejected, failed, canceled.

It publishes events and nothing else. The work is the workshop's; what a message must look like was
judged before the task existed.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from a2a.server.agent_execution import RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types.a2a_pb2 import Message, Part
from typing_extensions import override

from specialist_agents.accepting import JudgingExecutor, accepted
from specialist_agents.documents import Documents
from specialist_agents.intake import PYTHON, SourceFile, Taken, files_of
from specialist_agents.trades import REVIEW, Trade
from specialist_agents.workshop import ReviewFailure, Workshop

logger = logging.getLogger(__name__)


class ReviewExecutor(JudgingExecutor):
    """Runs reviews for one agent, a few at a time."""

    def __init__(
        self,
        agent: str,
        workshop: Workshop,
        documents: Documents,
        concurrent: int,
        *,
        taken: Taken = PYTHON,
        trade: Trade = REVIEW,
    ) -> None:
        self._agent = agent
        self._trade = trade
        self._taken = taken
        self._workshop = workshop
        self._documents = documents
        self._slots = asyncio.Semaphore(concurrent)

    @override
    def judge(self, message: Message) -> None:
        """Refuse a message before there is a task for it; raises the protocol's own error."""
        files_of(message, self._taken)

    @override
    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Review the message's files."""
        message = context.message or Message()
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        files = files_of(message, self._taken)
        if context.current_task is None:
            await event_queue.enqueue_event(accepted(context, message, _kept(message, files)))
        if files:
            await self._begin(updater, files, context)
        else:
            kinds = " or ".join(self._taken.media_types)
            await updater.reject(says(updater, f"nothing to {self._trade.work}: no file of media type {kinds}"))

    @override
    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Say that the review is canceled; the SDK then cancels `execute`, which ends the child."""
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        await updater.cancel(says(updater, "canceled"))

    async def _begin(self, updater: TaskUpdater, files: Sequence[SourceFile], context: RequestContext) -> None:
        """Do what a new review begins with: here, all of it."""
        _ = context
        await self._carry_out(updater, files)

    async def _carry_out(
        self, updater: TaskUpdater, files: Sequence[SourceFile], decided: Mapping[str, str] | None = None
    ) -> None:
        """Review, and say how it ended."""
        try:
            async with self._slots:
                summary = await self._review(updater, files, decided)
        except ReviewFailure as failure:
            logger.warning("review failed", extra={"task": updater.task_id, "reason": str(failure)})
            await updater.failed(says(updater, str(failure)))
        else:
            await updater.complete(says(updater, summary))

    async def _review(
        self, updater: TaskUpdater, files: Sequence[SourceFile], decided: Mapping[str, str] | None
    ) -> str:
        async def progress(text: str) -> None:
            await updater.start_work(says(updater, text))

        async with self._workshop.review(self._agent, files, progress, decided) as documents:
            await asyncio.sleep(self._workshop.limits.pause_s)
            found = await self._publish(updater, documents)
        summary = f"{count_of(found, self._trade.entry)} in {count_of(len(files), 'file')}"
        logger.info("review done", extra={"task": updater.task_id, "findings": found, "files": len(files)})
        return summary

    async def _publish(self, updater: TaskUpdater, documents: Sequence[Path]) -> int:
        """Send the findings, one document a chunk, and return how many they are.

        All documents are checked before the first is sent: half an artifact would look like a
        whole one to a reader that joined late.
        """
        parts = [await asyncio.to_thread(self._documents.part, path) for path in documents]
        for number, (part, _) in enumerate(parts):
            await updater.add_artifact(
                [part],
                artifact_id=self._trade.artifact,
                name=self._trade.artifact,
                append=number > 0,
                last_chunk=number == len(parts) - 1,
            )
        return sum(count for _, count in parts)


def _kept(message: Message, files: Sequence[SourceFile]) -> list[Part]:
    """Return what the task's history keeps of the message: the words, not the files."""
    size = sum(len(file.content) for file in files)
    words = [part for part in message.parts if part.HasField("text") and not part.filename]
    return [*words, Part(text=f"{count_of(len(files), 'file')}, {size} bytes, not kept here")]


def says(updater: TaskUpdater, text: str) -> Message:
    """Return a message of one text."""
    return updater.new_agent_message([Part(text=text)])


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun: `1 file`, `2 files`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"

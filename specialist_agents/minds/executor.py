"""One question as an A2A task: accepted, working, pieces of the answer, the whole answer; or rejected, failed.

Pieces are chunks of one artifact. The last event replaces them with the whole answer in one part, with
usage in its metadata: whoever reads the task later gets a text, not a heap of snippets.
"""

import asyncio
import logging
from typing import Any

from a2a.server.agent_execution import RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types.a2a_pb2 import Message, Part
from typing_extensions import override

from specialist_agents.accepting import JudgingExecutor, accepted
from specialist_agents.minds.material import Material, material_of
from specialist_agents.minds.prompt import Sign, signs, warning
from specialist_agents.minds.results import Mind, MindFailure, Result
from specialist_agents.pieces import Pieces, says

ARTIFACT = "answer"
_WORDS = 500

logger = logging.getLogger(__name__)


class MindExecutor(JudgingExecutor):
    """Answers for one agent; *missing* says what it lacks, if anything, and then it rejects everything."""

    def __init__(self, mind: Mind, max_characters: int, missing: str = "") -> None:
        self._mind = mind
        self._max_characters = max_characters
        self._missing = missing

    @override
    def judge(self, message: Message) -> Material:
        """Return what the message holds; raises the protocol's error for what cannot be read."""
        return material_of(message, self._max_characters)

    @override
    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Answer the message."""
        message = context.message or Message()
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        material = self.judge(message)
        if context.current_task is None:
            await event_queue.enqueue_event(accepted(context, message, _kept(material)))
        if self._missing:
            await updater.reject(says(updater, self._missing))
            return
        try:
            await self._answer(updater, material)
        except MindFailure as failure:
            logger.warning("no answer", extra={"task": updater.task_id, "reason": str(failure)})
            await updater.failed(says(updater, str(failure)))

    @override
    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Say that it is canceled; the SDK then cancels `execute`, which drops the connection to the model."""
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        await updater.cancel(says(updater, "canceled"))

    async def _answer(self, updater: TaskUpdater, material: Material) -> None:
        await updater.start_work()
        found = await asyncio.to_thread(signs, material)
        saying = Pieces(updater, ARTIFACT, "text/markdown")
        result = await self._mind(material, saying)
        note = warning(found)
        await updater.add_artifact(
            [*result.parts, *([Part(text=note, media_type="text/plain")] if note else [])],
            artifact_id=ARTIFACT,
            name=ARTIFACT,
            metadata=_metadata(result, found),
            append=False,
            last_chunk=True,
        )
        logger.info("answered", extra={"task": updater.task_id, "signs": len(found)} | _usage(result))
        await updater.complete(says(updater, result.told))


def _metadata(result: Result, found: list[Sign]) -> dict[str, Any]:
    suspicious = {"injection_signs": [sign.as_json() for sign in found]} if found else {}
    return _usage(result) | suspicious


def _usage(result: Result) -> dict[str, Any]:
    return {"usage": result.usage.as_json()} if result.usage else {}


def _kept(material: Material) -> list[Part]:
    size = sum(len(piece.text) for piece in material.pieces)
    wish = [Part(text=material.wish.text[:_WORDS])] if material.wish else []
    return [*wish, Part(text=f"{len(material.pieces)} parts, {size} characters, not kept here")]

"""An answer as it comes into being: pieces of it as chunks of one artifact, and words about how far it is.

Who publishes pieces replaces them with the whole answer in the end: whoever reads the task later gets a text, not a
heap of snippets.
"""

import asyncio

from a2a.server.tasks import TaskUpdater
from a2a.types.a2a_pb2 import Message, Part

PIECE_INTERVAL_S = 0.2


class Pieces:
    """Publishes pieces of text at a modest rate: a model says a word at a time."""

    def __init__(self, updater: TaskUpdater, artifact: str, media_type: str) -> None:
        self._updater = updater
        self._artifact = artifact
        self._media_type = media_type
        self._held: list[str] = []
        self._told_at = -PIECE_INTERVAL_S
        self._begun = False

    async def progress(self, words: str) -> None:
        """Say how far it is."""
        await self._updater.start_work(says(self._updater, words))

    async def piece(self, text: str) -> None:
        """Publish a piece, or keep it for the next one if it comes soon."""
        self._held.append(text)
        now = asyncio.get_running_loop().time()
        if now - self._told_at < PIECE_INTERVAL_S:
            return
        part = Part(text="".join(self._held), media_type=self._media_type)
        self._held.clear()
        self._told_at = now
        await self._updater.add_artifact(
            [part], artifact_id=self._artifact, name=self._artifact, append=self._begun, last_chunk=False
        )
        self._begun = True


def says(updater: TaskUpdater, text: str) -> Message:
    """Return a message of one text."""
    return updater.new_agent_message([Part(text=text)])

"""What is kept of reviews that wait for somebody: their files, and what is asked.

Only data: a waiting review has no coroutine and no child. Bounded, since nobody has to answer; what
no longer fits is forgotten, the longest waiting first, and an answer to it fails its task with words.
"""

import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from a2a.server.context import ServerCallContext

from specialist_agents.intake import SourceFile

MAX_WAITING = 200
MAX_WAITING_BYTES = 256 << 20
TOKEN_BYTES = 32


@dataclass
class Waiting:
    """One review that waits."""

    task_id: str
    context_id: str
    files: Sequence[SourceFile]
    owner: ServerCallContext
    token: str = field(default_factory=lambda: secrets.token_urlsafe(TOKEN_BYTES), repr=False)
    is_approved: bool = False
    question: Mapping[str, Any] = field(default_factory=dict)
    decided: dict[str, str] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)  #: messageIds: a repeated answer must not count twice

    @property
    def size(self) -> int:
        """Return the bytes its files take."""
        return sum(len(file.content) for file in self.files)


class WaitingRoom:
    """The waiting reviews by task, and by the token of the page that approves them."""

    def __init__(self, max_waiting: int = MAX_WAITING, max_bytes: int = MAX_WAITING_BYTES) -> None:
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()

    def enter(self, waiting: Waiting) -> None:
        """Keep a review; forget the longest waiting ones that no longer fit."""
        self._waiting[waiting.task_id] = waiting
        while len(self._waiting) > self._max_waiting or (len(self._waiting) > 1 and self._bytes() > self._max_bytes):
            self._waiting.popitem(last=False)

    def leave(self, task_id: str) -> None:
        """Forget a review that has ended, if it is here."""
        self._waiting.pop(task_id, None)

    def of_task(self, task_id: str) -> Waiting | None:
        """Return the review of a task."""
        return self._waiting.get(task_id)

    def of_token(self, token: str) -> Waiting | None:
        """Return the review a token approves."""
        by_token = {waiting.token: waiting for waiting in self._waiting.values()}
        return by_token.get(token)

    def _bytes(self) -> int:
        return sum(waiting.size for waiting in self._waiting.values())

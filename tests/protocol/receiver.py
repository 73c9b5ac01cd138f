"""A client's webhook on loopback, which takes what is pushed to it, or does not, as a test says."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from a2a.types import a2a_pb2 as a2a
from google.protobuf.json_format import ParseDict

from coordinator.testing.server import CONNECTION, listener, serving

BROKEN = 0
"""Instead of a status: the connection breaks before there is an answer."""


@dataclass(frozen=True)
class Push:
    """One request that came in."""

    path: str
    headers: Mapping[str, str]
    document: Any

    @property
    def event(self) -> a2a.StreamResponse:
        """What it tells, read as version 1.0."""
        return ParseDict(self.document, a2a.StreamResponse())


@dataclass
class Receiver:
    """The webhook below *url*; `refusals` are the statuses of the next requests, after which all are taken."""

    url: str
    refusals: deque[int] = field(default_factory=deque)
    refusal_headers: dict[str, str] = field(default_factory=dict)
    attempts: list[Push] = field(default_factory=list)
    taken: list[Push] = field(default_factory=list)
    open_for: dict[str, int] = field(default_factory=dict)  #: so many requests to a path are answered, no more
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def at(self, path: str) -> list[Push]:
        """Return what was taken at *path*."""
        return [push for push in self.taken if push.path == path]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when *condition* holds; it is looked at after every request."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def until_over(self, path: str = "/hook") -> list[Push]:
        """Return what was taken at *path* once a terminal state was."""
        await self.until(lambda: any(is_over(push) for push in self.at(path)))
        return self.at(path)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        push = Push(scope["path"], headers, json.loads(body))
        self.attempts.append(push)
        if sum(each.path == push.path for each in self.attempts) > self.open_for.get(push.path, len(self.attempts)):
            self._changed.set()
            await scope["extensions"][CONNECTION].gone()
            return
        status = self.refusals.popleft() if self.refusals else 204
        if status == 204:
            self.taken.append(push)
        self._changed.set()
        if status == BROKEN:
            scope["extensions"][CONNECTION].reset()
            return
        shown = self.refusal_headers if status != 204 else {}
        named = [(name.lower().encode(), value.encode()) for name, value in shown.items()]
        await send({"type": "http.response.start", "status": status, "headers": named})
        await send({"type": "http.response.body", "body": b""})


def is_over(push: Push) -> bool:
    """Whether it tells of the end of a task, in either version."""
    status = push.document.get("statusUpdate", push.document).get("status", {})
    state = str(status.get("state", "")).removeprefix("TASK_STATE_").lower()
    return state in {"completed", "failed", "canceled", "rejected"}


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a webhook."""
    with listener() as opened:
        receiver = Receiver(f"http://127.0.0.1:{opened.getsockname()[1]}")
        async with serving(receiver, opened):
            yield receiver

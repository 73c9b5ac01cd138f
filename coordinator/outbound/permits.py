"""A message is asked for once more, right before its bytes go out, whether it may.

Between the first question and the connection a process may have stood still, so long that another one has looked for
the message at the specialist, has not found it, and has sent it. What is asked is said by whoever drives; nothing here
knows why a message may not go.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from typing_extensions import override

Permit = Callable[[], Awaitable[None]]
"""Returns when a message may go out."""

IDEMPOTENCY_KEY = "Idempotency-Key"
"""The header all sends have, and nothing else."""


async def at_once() -> None:
    """Permit everything."""


#: Of the message that is being sent: the SDK's client stands between us and the connection.
PERMIT: ContextVar[Permit] = ContextVar("permit", default=at_once)


class PermittedRequest(aiohttp.ClientRequest):
    """A request that, for a send, waits for the permit when all that is left to do is to write it."""

    @override
    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        # The headers are held back until there is something to write behind them.
        if IDEMPOTENCY_KEY in self.headers:
            await PERMIT.get()()
        await super().write_bytes(writer, conn, content_length)

"""A message that had to wait for its connection is asked for once more whether it may still go out.

Between the question and the first byte a process may have stood still, so long that another one has looked for the
message at the specialist, has not found it, and has sent it. What is asked is said by whoever drives; nothing here
knows why a message may not go.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import SimpleNamespace

import aiohttp

Permit = Callable[[], Awaitable[None]]
"""Returns when a message may go out."""

IDEMPOTENCY_KEY = "Idempotency-Key"
"""The header all sends have, and nothing else."""


async def at_once() -> None:
    """Permit everything."""


#: Of the message that is being sent: the SDK's client stands between us and the connection.
PERMIT: ContextVar[Permit] = ContextVar("permit", default=at_once)


def permitting() -> aiohttp.TraceConfig:
    """Return what a session needs to ask again, when a send has its connection and before it is written."""
    tracing = aiohttp.TraceConfig()
    tracing.on_request_start.append(_note)
    tracing.on_connection_create_end.append(_ask)
    tracing.on_connection_reuseconn.append(_ask)
    return tracing


async def _note(_: aiohttp.ClientSession, about: SimpleNamespace, request: aiohttp.TraceRequestStartParams) -> None:
    about.is_send = IDEMPOTENCY_KEY in request.headers


async def _ask(_: aiohttp.ClientSession, about: SimpleNamespace, _connection: object) -> None:
    if about.is_send:
        await PERMIT.get()()

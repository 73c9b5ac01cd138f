"""Whether, and through what, agents that speak gRPC are reached.

What is here works without the extra `grpc`, and says so where it is missing; the channels themselves are in `grpc.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from coordinator.core.model import AgentRef, Failure, FailureKind
from coordinator.directory import GRPC
from coordinator.extras import GRPC_EXTRA, speaks_grpc
from coordinator.outbound.failures import CallFailed, Trouble

CONNECT_S = 10.0
"""How long connecting to an agent may take, over whatever binding."""


class Channels(Protocol):
    """Connections to agents that speak gRPC."""

    def to(self, agent: AgentRef) -> Any:
        """Return the channel to *agent*. Raises `CallFailed` for a URL that names none."""

    async def connected(self, agent: AgentRef) -> None:
        """Wait until a call to *agent* goes out, or fails, at once. Raises as `to` does, and `httpx.ConnectError`."""

    def is_settled(self, agent: AgentRef) -> bool:
        """Whether a call to *agent* goes out, or fails, at once. Raises as `to` does."""


def check_installed(agent: AgentRef, channels: Channels | None) -> None:
    """Raise `CallFailed` for an agent that was chosen while the extra for gRPC was installed, and no longer is."""
    if agent.binding == GRPC and channels is None:
        words = f"it speaks gRPC, which is not installed here: {GRPC_EXTRA}"
        raise CallFailed(Trouble(Failure(FailureKind.REFUSED, words)))


@asynccontextmanager
async def channels_to_agents(tls_of: Callable[[str], str], max_answer: int) -> AsyncIterator[Channels | None]:
    """Yield the channels of this process, None where gRPC is not installed; close them in the end."""
    if not speaks_grpc():
        yield None
        return
    from coordinator.outbound.grpc import GrpcChannels  # noqa: PLC0415  # needs an extra

    channels = GrpcChannels(tls_of, max_answer)
    try:
        yield channels
    finally:
        await channels.close()

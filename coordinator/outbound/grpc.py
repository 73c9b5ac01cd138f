"""Connections to specialists that speak gRPC: one channel for each, made when it is needed and kept.

Only opens and closes channels; calls go through the SDK's clients like those of every other binding.
Needs the extra `grpc`, so nothing imports this module unless it is there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx

from coordinator.core.model import AgentRef, Failure, FailureKind
from coordinator.outbound.bounds import MOST_ANSWER
from coordinator.outbound.channels import CONNECT_S
from coordinator.outbound.failures import CallFailed, Trouble

TLS_BY_SCHEME = {"https": True, "grpcs": True, "http": False, "grpc": False}
PORTS = {True: 443, False: 80}
UNSETTLED = (grpc.ChannelConnectivity.IDLE, grpc.ChannelConnectivity.CONNECTING)

OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),  # who sends again, and when, is decided here: a send may have side effects
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", round(CONNECT_S * 1000)),  # gRPC's word for how long connecting may take, too
    ("grpc.max_reconnect_backoff_ms", 2_000),  # an agent that is back is found soon
    ("grpc.compression_enabled_algorithms_bitset", 1),  # a small answer could become any size
    ("grpc.enable_http_proxy", 0),  # as over HTTP: the environment's proxy is not asked
    ("grpc.use_local_subchannel_pool", 1),  # channels that are closed take their connections with them
)


class _Stream:
    """A stream that is canceled when nobody reads it any more.

    The SDK's clients leave it open when they are closed between two events, and gRPC's channel holds on to it.
    """

    def __init__(self, call: Any) -> None:
        self._call = call

    async def read(self) -> Any:
        """Return the next event."""
        return await self._call.read()

    def __del__(self) -> None:
        """Cancel what is still open; whatever has ended stays as it is."""
        self._call.cancel()


class _Channel:
    """A channel as the SDK's clients use one, whose streams end with their readers."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self.unary_unary = channel.unary_unary
        self.close = channel.close

    def unary_stream(self, *args: Any, **options: Any) -> Callable[..., _Stream]:
        """Return what opens streams of one method."""
        opening = self._channel.unary_stream(*args, **options)
        return lambda *request, **context: _Stream(opening(*request, **context))

    @property
    def is_settled(self) -> bool:
        """Whether there is a connection, or none to be had."""
        return self._channel.get_state() not in UNSETTLED

    async def settled(self) -> None:
        """Connect, and return once there is a connection, or none to be had."""
        while (state := self._channel.get_state(try_to_connect=True)) in UNSETTLED:
            await self._channel.wait_for_state_change(state)


@dataclass(slots=True)
class GrpcChannels:
    """The channels of one process, by target; `tls_of` says by an agent's name what its configuration says of TLS."""

    tls_of: Callable[[str], str] = lambda _: "auto"
    max_answer: int = MOST_ANSWER
    _open: dict[tuple[str, bool], Any] = field(default_factory=dict)

    def to(self, agent: AgentRef) -> Any:
        """Return the channel to *agent*. Raises `CallFailed` for a URL that names no host and port."""
        try:
            target, is_secure = target_of(agent.url, self.tls_of(agent.name))
        except ValueError as error:
            raise CallFailed(Trouble(Failure(FailureKind.REFUSED, f"nothing was sent: {error}"))) from error
        if (target, is_secure) not in self._open:
            options = [*OPTIONS, ("grpc.max_receive_message_length", self.max_answer)]
            self._open[target, is_secure] = _Channel(
                grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(_roots()), options)
                if is_secure
                else grpc.aio.insecure_channel(target, options)
            )
        return self._open[target, is_secure]

    async def connected(self, agent: AgentRef) -> None:
        """Wait until a call to *agent* goes out, or fails, at once. Raises as `to` does, and `httpx.ConnectError`.

        A call is kept by gRPC while it connects: it would go out later than it was permitted.
        """
        channel = self.to(agent)
        try:
            async with asyncio.timeout(CONNECT_S):
                await channel.settled()
        except TimeoutError:
            message = f"{agent.url}: nothing within {CONNECT_S:g} s"
            raise httpx.ConnectError(message) from None

    def is_settled(self, agent: AgentRef) -> bool:
        """Whether a call to *agent* goes out, or fails, at once. Raises as `to` does."""
        is_settled: bool = self.to(agent).is_settled
        return is_settled

    async def close(self) -> None:
        """Close all of them."""
        while self._open:
            _, channel = self._open.popitem()
            await channel.close()


def target_of(url: str, tls: str = "auto") -> tuple[str, bool]:
    """Return the `host:port` of a gRPC interface, and whether to speak TLS to it.

    A scheme decides (https, grpcs or http, grpc); a bare `host:port` gets TLS unless it is loopback; *tls* (on, off)
    goes before both. Raises `ValueError`.
    """
    parts = urlsplit(url if "://" in url else f"//{url}")
    if not parts.hostname or (parts.scheme and parts.scheme not in TLS_BY_SCHEME):
        raise ValueError(f"{url!r} is no gRPC target: give host:port, or a URL with https or http")
    is_secure = TLS_BY_SCHEME.get(parts.scheme, not _is_loopback(parts.hostname))
    if tls != "auto":
        is_secure = tls == "on"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{parts.port or PORTS[is_secure]}", is_secure


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _roots() -> bytes | None:
    """Return the certificates that are trusted, from where the rest of Python takes them; None for gRPC's own."""
    file = os.environ.get("SSL_CERT_FILE", "")
    return Path(file).read_bytes() if file else None

"""One notification, one POST: what goes out, and what its answer means.

Only a 2xx is a delivery. Redirects are not followed, the answer's body is not read, and nothing here is logged: URLs
and headers hold secrets of the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp

from coordinator.journal import PushConfig
from coordinator.notifying.targets import SCHEMES, PushTargets, TargetRefused
from coordinator.outbound.failures import retry_after

TOKEN_HEADER = "X-A2A-Notification-Token"  # noqa: S105 - the name of a header
CONNECT_S = 5.0
IDLE_S = 4.0  # common servers drop idle connections after five seconds
NOT_DEFINITE = frozenset({408, 425, 429})
"""Refusals that are meant for now, not for good."""


class DeliveryFailed(Exception):
    """A notification was not taken; `is_definite` says that its receiver does not want it as it is."""

    def __init__(self, words: str, *, is_definite: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(words)
        self.is_definite = is_definite
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Courier:
    """Delivers, over connections that lead only where *targets* allows."""

    targets: PushTargets
    sessions: dict[str, aiohttp.ClientSession]

    @classmethod
    @asynccontextmanager
    async def open(cls, targets: PushTargets, timeout_s: float) -> AsyncIterator[Courier]:
        """Keep connections inside the block; a delivery that takes longer than *timeout_s* failed."""
        timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(CONNECT_S, timeout_s))
        async with AsyncExitStack() as stack:
            sessions = {
                scheme: await stack.enter_async_context(
                    aiohttp.ClientSession(
                        connector=aiohttp.TCPConnector(
                            resolver=targets.resolver(scheme), use_dns_cache=False, limit=0, keepalive_timeout=IDLE_S
                        ),
                        timeout=timeout,
                        cookie_jar=aiohttp.DummyCookieJar(),
                        auto_decompress=False,
                    )
                )
                for scheme in SCHEMES
            }
            yield cls(targets, sessions)

    async def deliver(self, config: PushConfig, key: str, body: bytes) -> None:
        """Post *body*; *key* is the same whenever the same notification is sent. Raises `DeliveryFailed`."""
        try:
            url = self.targets.form(config.url)
            session = self.sessions[url.scheme]
            async with session.post(url, data=body, headers=_headers(config, key), allow_redirects=False) as response:
                status, headers = response.status, response.headers
        except TargetRefused as error:
            raise DeliveryFailed(str(error), is_definite=True) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise DeliveryFailed(_words(error), is_definite=isinstance(_cause(error), TargetRefused)) from error
        if 200 <= status < 300:
            return
        is_definite = 300 <= status < 500 and status not in NOT_DEFINITE
        raise DeliveryFailed(f"HTTP {status}", is_definite=is_definite, retry_after_s=retry_after(headers))


def _headers(config: PushConfig, key: str) -> dict[str, str]:
    """Return the headers; the token is shown as the SDK's own sender shows it."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    if config.token:
        headers[TOKEN_HEADER] = config.token
    if config.scheme and config.credentials:
        headers["Authorization"] = f"{config.scheme} {config.credentials}"
    return headers


def _cause(error: BaseException) -> BaseException:
    """Return what kept a connection from being made, where that is known."""
    return error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error


def _words(error: BaseException) -> str:
    """Return what happened without naming the URL, which may hold a secret."""
    cause = _cause(error)
    if isinstance(cause, TargetRefused):
        return str(cause)
    if isinstance(error, asyncio.TimeoutError):
        return "no answer in time"
    return f"no connection: {cause.strerror}" if isinstance(cause, OSError) and cause.strerror else type(error).__name__

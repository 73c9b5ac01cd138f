"""Push notifications of specialists: whose attempt one belongs to, and whether its token is right.

A push is only a hint to read the task: it is never believed, so one that is forged, comes twice, late or
in the wrong order changes nothing. Nothing is stored: an attempt taken up after a restart is polled.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from a2a.types import a2a_pb2 as a2a

WEBHOOK = "/-/pushes"
"""Path of the webhook below the coordinator's URL; no plan can be called like that."""

SCHEME = "Bearer"


@dataclass(frozen=True, slots=True)
class Expected:
    """One attempt that waits for pushes: where to, and the token only its specialist knows."""

    url: str
    token: str
    _stirred: asyncio.Event = field(default_factory=asyncio.Event)

    def configuration(self) -> a2a.TaskPushNotificationConfig:
        """Return what goes out with the message (spec 4.3.1); agents use the token or the authentication."""
        authentication = a2a.AuthenticationInfo(scheme=SCHEME, credentials=self.token)
        return a2a.TaskPushNotificationConfig(url=self.url, token=self.token, authentication=authentication)

    def stir(self) -> None:
        """Note that something was pushed."""
        self._stirred.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when something was pushed since the last time, at the latest after *timeout_s*."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._stirred.wait()
        except TimeoutError:
            pass
        self._stirred.clear()


class Pushes:
    """The attempts of this process that wait for pushes; *base* is our URL as specialists reach it."""

    def __init__(self, base: str = "") -> None:
        self._base = base.rstrip("/")
        self._expected: dict[str, Expected] = {}

    @property
    def is_on(self) -> bool:
        """Whether specialists can reach us."""
        return bool(self._base)

    @contextmanager
    def expecting(self) -> Iterator[Expected]:
        """Expect pushes for one attempt as long as the block runs."""
        key = secrets.token_urlsafe(16)
        expected = self._expected[key] = Expected(f"{self._base}{WEBHOOK}/{key}", secrets.token_urlsafe(32))
        try:
            yield expected
        finally:
            del self._expected[key]

    def take(self, key: str, tokens: Iterator[str]) -> bool | None:
        """Stir the attempt behind *key* when one of *tokens* is its own; None for a key nobody waits under."""
        expected = self._expected.get(key)
        if expected is None:
            return None
        known = [secrets.compare_digest(token.encode(), expected.token.encode()) for token in tokens]
        if any(known):
            expected.stir()
        return any(known)

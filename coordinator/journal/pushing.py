"""What a journal keeps about push notifications: where a task's client wants them, and how far each was told.

A configuration belongs to its task and goes with it. Its place moves only after a delivery, so what lies behind it
is owed; a lease says who delivers now, and runs out by itself when that process dies. What is told, and how, is not
known here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

ANY_TASK = "*"
"""Subscribing to this gives a hint for every task."""


class PushState(StrEnum):
    """Whether anything may still be delivered."""

    OPEN = "open"  #: something is owed, or may be some day
    DONE = "done"  #: the end of the task was told
    GIVEN_UP = "given_up"  #: it failed for too long; setting it anew goes on where it stood


@dataclass(frozen=True, slots=True)
class PushConfig:
    """Where to push about one task, and how the receiver knows that it is us; secrets never show in a repr.

    `version` is the protocol version it was made with, which decides what is sent.
    """

    config_id: str
    url: str
    version: str = "1.0"
    token: str = field(default="", repr=False)
    scheme: str = ""
    credentials: str = field(default="", repr=False)

    @property
    def origin(self) -> str:
        """Return whose machine it is: host and port, as the URL has them."""
        return urlsplit(self.url).netloc.lower()


@dataclass(frozen=True, slots=True)
class Place:
    """How far a configuration was told: all entries up to `seq`, and of the next change the first `sent` notices."""

    seq: int
    sent: int = 0


@dataclass(frozen=True, slots=True)
class OwedPush:
    """A configuration that lies behind its task; `failing_since` is when its next delivery first failed."""

    task_id: str
    config: PushConfig
    place: Place
    failures: int = 0
    failing_since: float | None = None


@dataclass(frozen=True, slots=True)
class PushCounts:
    """How many configurations lie behind their task, and how many were given up."""

    owed: int = 0
    given_up: int = 0


class PushBook(Protocol):
    """The part of a journal that is about push notifications."""

    async def set_push(self, task_id: str, config: PushConfig, *, most: int) -> None:
        """Keep *config*; a new one is told what comes from now on, one of a known id goes on where that stood.

        Raises `UnknownTask`; raises `TooManyPushes` when the task has *most* others.
        """
        ...

    async def pushes(self, task_id: str) -> Sequence[PushConfig]:
        """Return the task's configurations, by id."""
        ...

    async def delete_push(self, task_id: str, config_id: str) -> None:
        """Forget a configuration, with what was owed to it; one that is not there is no error."""
        ...

    async def owed(self, *, limit: int, without: Collection[str] = ()) -> Sequence[OwedPush]:
        """Return up to *limit* configurations that lie behind their task, or whose task has closed, longest due first.

        Those that wait for their next attempt are left out, those somebody delivers, and those of the origins
        *without*.
        """
        ...

    async def lease_push(self, owed: OwedPush, holder: str, for_s: float) -> bool:
        """Take the right to deliver for *for_s* seconds.

        False when it is another's, was told on or failed meanwhile, or waits for its next attempt.
        """
        ...

    async def move_push(
        self, owed: OwedPush, place: Place, holder: str, *, keep_s: float = 0.0, is_over: bool = False
    ) -> bool:
        """Note that everything up to *place* was told, and keep the lease for *keep_s*, or give it up.

        False, and nothing is written, when it is another's or no longer stands where *owed* says. With *is_over*
        nothing more will be told.
        """
        ...

    async def fail_push(self, owed: OwedPush, holder: str, *, wait_s: float, gives_up: bool = False) -> None:
        """Note a failed delivery, give the lease up, and leave it alone for *wait_s* seconds, or for good."""
        ...

    async def push_counts(self) -> PushCounts:
        """Return how much is owed."""
        ...

"""The points at which a coordinator process can be made to die: before and after every journal write and every send.

A fault is injected by wrapping the journal and the HTTP client of one process, which then kills itself with
SIGKILL. Only `server.py` beside this file does that: nothing a stranger could set reaches it.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from typing_extensions import override

from coordinator.journal import Journal

Die = Callable[[], None]

MOMENTS = ("before", "after")
"""Before: nothing was written or sent. After: it was, and nobody here has heard of it yet."""

FACTS = (
    "TurnStarted",
    "AttemptStarted",
    "TaskOpened",
    "Progressed",
    "AttemptSucceeded",
    "AttemptFailed",
    "Asked",
    "MessageReceived",
    "AnswerTaken",
    "CancelRequested",
    "CancelSettled",
    "StageExpanded",
    "TimePassed",
    "Merged",
)

WRITES = ("accept", "put", "claim", *(f"append:{fact}" for fact in FACTS))
SENDS: Mapping[str, str] = {
    "SendMessage": "send",
    "SendStreamingMessage": "send",
    "GetTask": "get",
    "ListTasks": "list",
    "CancelTask": "cancel",
    "SubscribeToTask": "subscribe",
}

PLACES = (*WRITES, *dict.fromkeys(SENDS.values()))
POINTS = tuple(f"{place}/{moment}" for place in PLACES for moment in MOMENTS)
"""All of them, such as `append:Merged/before` or `send/after` (accepted there, unanswered here)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The process dies when it comes to *point* for the *time*-th time."""

    point: str
    time: int = 1

    def __str__(self) -> str:
        """Return what `fault_from` reads."""
        return f"{self.point}@{self.time}"


def fault_from(text: str) -> Fault:
    """Read a fault. Raises `ValueError`."""
    point, _, time = text.partition("@")
    if point not in POINTS:
        raise ValueError(f"there is no fault point {point!r}")
    return Fault(point, int(time or 1))


def kill_self() -> None:
    """Die like a process that loses its power."""
    os.kill(os.getpid(), signal.SIGKILL)


class Trap:
    """Counts how often each point is passed, and springs at the one it was set for."""

    def __init__(self, fault: Fault | None, die: Die = kill_self) -> None:
        self._fault = fault
        self._die = die
        self.passed: Counter[str] = Counter()

    def passing(self, places: Sequence[str], moment: str) -> None:
        """Note that *places* are passed; several facts of one write are several places."""
        for place in places:
            point = f"{place}/{moment}"
            self.passed[point] += 1
            if self._fault is not None and self._fault == Fault(point, self.passed[point]):
                self._die()


class TrappedJournal:
    """A journal whose writes are fault points."""

    def __init__(self, inner: Journal, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        if name not in {"accept", "put", "claim", "append"}:
            return call

        async def calling(*args: Any, **kwargs: Any) -> Any:
            # An append is known by its facts: `records` is its second argument.
            places = list(dict.fromkeys(f"append:{record.type}" for record in args[1])) if name == "append" else [name]
            self._trap.passing(places, "before")
            written = await call(*args, **kwargs)
            self._trap.passing(places, "after")
            return written

        return calling


class TrappedTransport(httpx.AsyncBaseTransport):
    """A transport whose A2A requests are fault points; after: the head of the answer has come."""

    def __init__(self, inner: httpx.AsyncBaseTransport, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        places = [SENDS[method]] if (method := _method(request)) in SENDS else []
        self._trap.passing(places, "before")
        response = await self._inner.handle_async_request(request)
        self._trap.passing(places, "after")
        return response

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()


def _method(request: httpx.Request) -> str:
    return str(json.loads(request.content).get("method", "")) if request.method == "POST" else ""


def trapped_client(http: httpx.AsyncClient, trap: Trap) -> httpx.AsyncClient:
    """Put the trap into a client, whose own transport has no door for it."""
    http._transport = TrappedTransport(http._transport, trap)
    return http

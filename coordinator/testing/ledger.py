"""What a fleet was asked and what it sent, seen from its side: a journal of requests, one of answers, and counts."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from coordinator.testing.behaviour import Json
from coordinator.testing.pulse import Pulse

OPERATIONS: Mapping[str, str] = {
    "SendMessage": "send",
    "SendStreamingMessage": "send",
    "GetTask": "get",
    "ListTasks": "list",
    "CancelTask": "cancel",
    "SubscribeToTask": "subscribe",
}
"""Operations by method; anything else is counted as `other`."""

MOST_SENT = 10_000
"""Entries of what was sent that are kept."""

MOST_SHOWN = 400
"""Bytes of each that are kept."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request, as it came."""

    number: int
    at: float  #: seconds since the fleet started
    agent: str
    operation: str
    method: str
    message_id: str
    task_id: str
    headers: Mapping[str, str]  #: names in lower case
    params: Json = field(repr=False)

    def as_json(self, *, with_params: bool) -> Json:
        """Return what `GET /journal` shows."""
        return {f.name: getattr(self, f.name) for f in fields(self) if with_params or f.name != "params"}


@dataclass(frozen=True, slots=True)
class Sent:
    """Something an agent sent, or did instead of sending anything."""

    number: int
    at: float  #: seconds since the fleet started
    agent: str
    kind: str  #: reply, event, push, gush, or how an answer ended: cut, break, reset, silence
    size: int  #: bytes
    text: str  #: how it begins
    answer: str = ""  #: what came back, for a push

    def as_json(self) -> Json:
        """Return what `GET /sent` shows."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(slots=True)
class Counts:
    """How often one agent was asked for what; `most_open` is the most tasks it ever worked on at once."""

    sends: int = 0
    gets: int = 0
    lists: int = 0
    cancels: int = 0
    subscribes: int = 0
    others: int = 0
    cards: int = 0
    tasks: int = 0
    open: int = 0  #: at work now
    most_open: int = 0
    streams: int = 0  #: being told now
    pushes: int = 0  #: taken by a webhook
    pushes_refused: int = 0
    pushing: int = 0  #: tasks that may push more
    by_message: Counter[str] = field(default_factory=Counter)  #: sends by messageId
    tasks_by_message: Counter[str] = field(default_factory=Counter)

    @property
    def doubled(self) -> list[str]:
        """Return the messageIds that became more than one task."""
        return [message_id for message_id, number in self.tasks_by_message.items() if number > 1]

    def opened(self, change: int) -> None:
        """Count a task that begins or ends its work."""
        self.open += change
        self.most_open = max(self.most_open, self.open)

    def created(self, message_id: str) -> None:
        """Count a new task."""
        self.tasks += 1
        self.tasks_by_message[message_id] += 1

    def received(self, operation: str, message_id: str) -> None:
        """Count a request."""
        name = f"{operation}s"
        setattr(self, name, getattr(self, name) + 1)
        if operation == "send":
            self.by_message[message_id] += 1

    def as_json(self) -> Json:
        """Return what `GET /counts` shows."""
        return {**{f.name: getattr(self, f.name) for f in fields(self)}, "doubled": self.doubled}


@dataclass(slots=True)
class Ledger:
    """The journal of a fleet, the counts of its agents and of all of them together."""

    stirred: Pulse = field(default_factory=Pulse)
    journal: list[Received] = field(default_factory=list)
    agents: dict[str, Counts] = field(default_factory=dict)
    total: Counts = field(default_factory=Counts)
    sent: deque[Sent] = field(default_factory=lambda: deque(maxlen=MOST_SENT))
    _number: int = 0
    _started: float = field(default_factory=time.monotonic)

    def of(self, agent: str) -> Counts:
        """Return the counts of one agent."""
        return self.agents.setdefault(agent, Counts())

    def note(self, agent: str, method: str, params: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """Write a request down and count it."""
        operation = OPERATIONS.get(method, "card" if method == "GET" else "other")
        message = params.get("message")
        message_id = str(message.get("messageId", "")) if isinstance(message, Mapping) else ""
        received = Received(
            number=len(self.journal) + 1,
            at=time.monotonic() - self._started,
            agent=agent,
            operation=operation,
            method=method,
            message_id=message_id,
            task_id=str(params.get("id", "")),
            headers=headers,
            params=dict(params),
        )
        self.journal.append(received)
        for counts in (self.of(agent), self.total):
            counts.received(operation, message_id)
        self.stirred.beat()

    def created(self, agent: str, message_id: str) -> None:
        """Count a new task."""
        for counts in (self.of(agent), self.total):
            counts.created(message_id)

    def opened(self, agent: str, change: int) -> None:
        """Count a task that begins or ends its work."""
        for counts in (self.of(agent), self.total):
            counts.opened(change)
        self.stirred.beat()

    def streaming(self, agent: str, change: int) -> None:
        """Count a stream that began or ended."""
        for counts in (self.of(agent), self.total):
            counts.streams += change
        self.stirred.beat()

    def tell(self, agent: str, kind: str, body: bytes = b"", answer: str = "") -> None:
        """Write down what an agent sent; only the latest are kept."""
        self._number += 1
        text = body[:MOST_SHOWN].decode("utf-8", "replace")
        at = time.monotonic() - self._started
        self.sent.append(Sent(self._number, at, agent, kind, len(body), text, answer))

    def pushed(self, agent: str, *, is_taken: bool) -> None:
        """Count a push, and whether the webhook took it."""
        for counts in (self.of(agent), self.total):
            counts.pushes += is_taken
            counts.pushes_refused += not is_taken
        self.stirred.beat()

    def pushing(self, agent: str, change: int) -> None:
        """Count a task that begins or ends to push."""
        for counts in (self.of(agent), self.total):
            counts.pushing += change
        self.stirred.beat()

    def forget(self) -> None:
        """Start again with an empty journal; what is open now stays counted as open."""
        self.journal.clear()
        self.sent.clear()
        for name, counts in self.agents.items():
            self.agents[name] = _fresh(counts)
        self.total = _fresh(self.total)

    def as_json(self) -> Json:
        """Return what `GET /counts` shows."""
        return {
            "agents": {name: counts.as_json() for name, counts in self.agents.items()},
            "total": self.total.as_json(),
        }


def _fresh(counts: Counts) -> Counts:
    return Counts(open=counts.open, most_open=counts.open, streams=counts.streams, pushing=counts.pushing)

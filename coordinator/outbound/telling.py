"""What one attempt tells: its facts, with the payloads they refer to, on their way to the journal."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from coordinator.core.events import (
    AnswerRefused,
    AnswerTaken,
    Asked,
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    Event,
    Progressed,
    TaskOpened,
)
from coordinator.core.model import Failure, Payload, RemoteTask, TaskState
from coordinator.outbound.inquiries import inquiries_in
from coordinator.outbound.reading import Reading

NOTHING_SAID = (TaskState.SUBMITTED, "")
"""What every task says first, and `TaskOpened` has told already."""


@dataclass(frozen=True, slots=True)
class Fact:
    """An event on its way to the journal, with the payloads it refers to."""

    event: Event
    payloads: tuple[Payload, ...] = ()


Emit = Callable[[Fact], None]
Now = Callable[[], float]


class Telling:
    """The facts about one attempt; a specialist's words at most once in *pause_s*, the latest in the end."""

    def __init__(self, branch: str, attempt: int, emit: Emit, now: Now, pause_s: float) -> None:
        self.word: tuple[str, str] = ("", "")  #: what was told last of its state and its words
        self._branch, self._number = branch, attempt
        self._emit = emit
        self._now = now
        self._pause_s = pause_s
        self._told_at = float("-inf")
        self._waiting: asyncio.TimerHandle | None = None

    def started(self) -> None:
        """The request is going out."""
        self._emit(Fact(AttemptStarted(at=self._now(), branch=self._branch, attempt=self._number)))

    def opened(self, remote: RemoteTask) -> None:
        """The specialist has named its task."""
        self._emit(Fact(TaskOpened(at=self._now(), branch=self._branch, attempt=self._number, remote=remote)))

    def progressed(self, reading: Reading) -> None:
        """The specialist may have said something about its work."""
        self.hush()
        word = (reading.state or "", reading.text())
        now = self._now()
        if word in {self.word, NOTHING_SAID} or reading.is_over:
            return
        if (pause := self._told_at + self._pause_s - now) > 0:
            self._waiting = asyncio.get_running_loop().call_later(pause, self.progressed, reading)
            return
        self.word, self._told_at = word, now
        fact = Progressed(at=now, branch=self._branch, attempt=self._number, state=word[0], text=word[1])
        self._emit(Fact(fact))

    def hush(self) -> None:
        """Drop a word that waits for its time."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def passed_on(self, event: Event, payloads: tuple[Payload, ...]) -> None:
        """In plain delegation, the specialist has said *event*."""
        self._emit(Fact(event, payloads))

    def taken(self, message_id: str) -> None:
        """A message for its task has arrived."""
        fact = AnswerTaken(at=self._now(), branch=self._branch, attempt=self._number, message_id=message_id)
        self._emit(Fact(fact))

    def refused(self, message_id: str, failure: Failure) -> None:
        """A message for its task has not arrived."""
        fact = AnswerRefused(
            at=self._now(), branch=self._branch, attempt=self._number, message_id=message_id, failure=failure
        )
        self._emit(Fact(fact))

    def asked(self, reading: Reading) -> None:
        """Its task waits for its client."""
        inquiries, payloads = inquiries_in(reading.state, reading.status_message)
        fact = Asked(at=self._now(), branch=self._branch, attempt=self._number, inquiries=inquiries, mark=reading.mark)
        self._emit(Fact(fact, payloads))

    def succeeded(self, reading: Reading) -> None:
        """It has a result."""
        artifacts, payloads = reading.artifacts()
        message, more = reading.message()
        fact = AttemptSucceeded(
            at=self._now(),
            branch=self._branch,
            attempt=self._number,
            artifacts=artifacts,
            message=message,
            is_direct=reading.direct is not None,
            context_id=reading.direct.context_id if reading.direct is not None else "",
        )
        self._emit(Fact(fact, (*payloads, *more)))

    def failed(self, failure: Failure, rng: random.Random, *, is_open: bool) -> None:
        """It is over without a result."""
        fact = AttemptFailed(
            at=self._now(),
            branch=self._branch,
            attempt=self._number,
            failure=failure,
            jitter=rng.random(),
            is_open=is_open,
        )
        self._emit(Fact(fact))

"""One task of a specialist: what it is, and what streams were told about it.

The two differ when the behaviour says so. A task knows nothing of connections: it goes on
when a stream is cut, and a stream reads its log from wherever it stands.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from coordinator.testing import wire
from coordinator.testing.behaviour import Behaviour, Json
from coordinator.testing.life import Beat, Chunk, Restart, Speech, Status
from coordinator.testing.pulse import Pulse

INTERRUPTED = frozenset({"TASK_STATE_INPUT_REQUIRED", "TASK_STATE_AUTH_REQUIRED"})
TERMINAL = frozenset(f"TASK_STATE_{state}" for state in ("COMPLETED", "FAILED", "CANCELED", "REJECTED"))


@dataclass(slots=True)
class Performance:
    """A behaviour while it is played."""

    behaviour: Behaviour
    rng: random.Random
    _strikes: Counter[str] = field(default_factory=Counter)

    def strikes(self, operation: str) -> bool:
        """Whether this request gets something else than its answer, where the behaviour has that; counts it."""
        if operation not in self.behaviour.during:
            return False
        self._strikes[operation] += 1
        return not self.behaviour.times or self._strikes[operation] <= self.behaviour.times


class SpecialistTask:
    """A task, or a direct Message on its way."""

    def __init__(self, agent: str, message: Json, performance: Performance, stir: Callable[[], None]) -> None:
        self.id = f"{agent}-{uuid.uuid4().hex[:12]}"
        self.context_id = str(message.get("contextId") or uuid.uuid4())
        self.message_id = str(message["messageId"])
        self.performance = performance
        self.log: list[Json] = []
        self.pulse = Pulse()
        self.is_done = False  #: nothing more will be told
        self.streams = 0  #: how many have been opened
        self.playing: asyncio.Task[None] | None = None
        self._stir = stir
        self._told_id = self.id
        self._history = [self._own(message)]
        self._status: Json = {"state": "TASK_STATE_SUBMITTED"}
        if performance.behaviour.stamps:
            self._status["timestamp"] = wire.now()
        self._artifacts: dict[str, Json] = {}
        self._last_chunk: Json | None = None

    @property
    def behaviour(self) -> Behaviour:
        """Return how it behaves."""
        return self.performance.behaviour

    @property
    def state(self) -> str:
        """Return the state, as GetTask shows it."""
        return str(self._status["state"])

    @property
    def stamp(self) -> str:
        """Return the time of the last status, empty when it has none."""
        return str(self._status.get("timestamp", ""))

    @property
    def is_terminal(self) -> bool:
        """Whether it is over for the protocol."""
        return self.state in TERMINAL

    @property
    def is_settled(self) -> bool:
        """Whether a blocking send may be answered (spec 3.2.2)."""
        return self.is_done or self.is_terminal or self.state in INTERRUPTED

    def take(self, beat: Beat) -> None:
        """Let something happen to it."""
        match beat.told:
            case Status():
                self._take_status(beat, beat.told)
            case Chunk():
                self._take_chunk(beat, beat.told)
            case Speech(words):
                spoken = {"messageId": f"{self.id}-answer", "role": "ROLE_AGENT", "parts": [{"text": words}]}
                self.log.append({"message": {**spoken, "contextId": self.context_id}})
            case Restart():
                raise AssertionError("an agent restarts, a task does not")
        if self.behaviour.wrong_ids:
            self._told_id = f"{self.id}-of-another"
        self._changed()

    def resume(self, message: Json, performance: Performance) -> None:
        """Go on with a client's answer."""
        self._history.append(self._own(message))
        self.performance = performance
        self.is_done = False
        self._changed()

    def finish(self) -> None:
        """Nothing more will happen by itself."""
        self.is_done = True
        self._changed()

    def stop(self) -> None:
        """End its work, wherever it is."""
        if self.playing is not None:
            self.playing.cancel()
        self.is_done = True
        self._changed()

    def snapshot(self, history_length: int | None = None, *, with_artifacts: bool = True) -> Json:
        """Return the task, with the newest messages of its history."""
        task: Json = {"id": self._told_id, "contextId": self.context_id, "status": self._status}
        if with_artifacts and self._artifacts:
            task["artifacts"] = list(self._artifacts.values())
        kept = self._history if history_length is None else self._history[len(self._history) - history_length :]
        if self.behaviour.keeps_history and kept and history_length != 0:
            task["history"] = kept
        return task

    def opening(self, *, is_first: bool) -> list[Json]:
        """Return the events a new stream begins with."""
        if self.behaviour.message or (is_first and not self.behaviour.opens_with_task):
            return []
        events: list[Json] = [{"task": self.snapshot(0)}]
        if not is_first and self.behaviour.double_on_reattach and self._last_chunk is not None:
            events.append(self._last_chunk)
        return events

    def _take_status(self, beat: Beat, told: Status) -> None:
        task_id = self._id(beat)
        status = wire.status(told.state, told.words, task_id=task_id, context_id=self.context_id)
        if beat.is_kept:
            self._status = status
        if beat.is_told:
            update = {"taskId": task_id, "contextId": self.context_id, "status": status}
            self.log.append({"statusUpdate": update})

    def _take_chunk(self, beat: Beat, told: Chunk) -> None:
        artifact = told.artifact
        known = self._artifacts.get(artifact["artifactId"])
        if beat.is_kept:
            parts = [*known["parts"], *artifact["parts"]] if told.append and known else artifact["parts"]
            self._artifacts[artifact["artifactId"]] = {**artifact, "parts": parts}
        update = {"taskId": self._id(beat), "contextId": self.context_id, "artifact": artifact}
        self._last_chunk = {"artifactUpdate": {**update, "append": told.append, "lastChunk": told.is_last}}
        if beat.is_told and self.behaviour.streams_artifacts:
            self.log.append(self._last_chunk)

    def _id(self, beat: Beat) -> str:
        return f"{self.id}-of-another" if beat.of_another else self._told_id

    def _own(self, message: Json) -> Json:
        own: dict[str, Any] = {**message, "taskId": self.id, "contextId": self.context_id}
        return own

    def _changed(self) -> None:
        self.pulse.beat()
        self._stir()

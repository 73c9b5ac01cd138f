"""One specialist of a fleet: its script, its tasks, its gates.

The first half is for tests; the second half serves requests.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

from coordinator.testing import wire
from coordinator.testing.behaviour import Json, Point, Scripted, Specialist, drawn, script_of
from coordinator.testing.connection import Connection
from coordinator.testing.faults import bent
from coordinator.testing.ledger import Counts, Ledger, Received
from coordinator.testing.life import Beat, Restart, life
from coordinator.testing.pulse import Gates, Pulse, next_beat
from coordinator.testing.pushing import Hook, push
from coordinator.testing.tasks import Performance, SpecialistTask


class Agent:
    """A specialist that serves requests to order; tests steer it by the methods down to `close`."""

    def __init__(
        self, specialist: Specialist, url: str, group: asyncio.TaskGroup, ledger: Ledger, rng: random.Random
    ) -> None:
        self.specialist = specialist
        self.name = specialist.name
        self.url = url
        self.ledger = ledger
        self.tasks: dict[str, SpecialistTask] = {}
        self.gates = Gates(ledger.stirred.beat)
        self.connections: set[Connection] = set()
        self._group = group
        self._rng = rng
        self._open: set[SpecialistTask] = set()
        self._pushing: set[asyncio.Task[None]] = set()
        self.behave(specialist.script)

    @property
    def counts(self) -> Counts:
        """Return how often it was asked for what."""
        return self.ledger.of(self.name)

    @property
    def received(self) -> list[Received]:
        """Return what it was asked, in order."""
        return [received for received in self.ledger.journal if received.agent == self.name]

    def behave(self, script: Scripted) -> None:
        """Begin another script; tasks under way go on as they were."""
        self._script = script_of(script)
        self._sent = 0
        self.current = Performance(self._script.at(0, self._rng), self._rng)

    def hold(self, *points: Point) -> None:
        """Close gates, `end` if none is named: what comes there waits for `release`."""
        self.gates.hold(points or ("end",))

    def release(self, *points: Point) -> None:
        """Open gates, all if none is named."""
        self.gates.release(points)

    def waiting(self, point: Point = "end") -> int:
        """Return how many wait at a gate."""
        return self.gates.waiting[point]

    def restart(self) -> None:
        """Forget every task and reset every connection, like a process that was killed."""
        for task in list(self._open):
            task.stop()
        for pushing in list(self._pushing):
            pushing.cancel()
        self.tasks.clear()
        for connection in list(self.connections):
            connection.reset()

    def reset(self) -> None:
        """Become as it was at the start."""
        self.restart()
        self.release()
        self.behave(self.specialist.script)

    def close(self) -> None:
        """Stop for good."""
        self.gates.close()
        self.restart()

    def card(self) -> Json:
        """Return its Agent Card."""
        it = self.specialist
        card = wire.card(self.url, it.name, it.skills, it.tags, streaming=it.streaming, pushing=it.pushing)
        return {**card, **it.card}

    def next_performance(self) -> Performance:
        """Return what the send that has just arrived gets."""
        self.current = Performance(self._script.at(self._sent, self._rng), self._rng)
        self._sent += 1
        if self.current.behaviour.holds:
            self.hold(*self.current.behaviour.holds)
        return self.current

    def known(self, message_id: str) -> SpecialistTask | None:
        """Return the latest task a message has created."""
        return next((task for task in reversed(self.tasks.values()) if task.message_id == message_id), None)

    def create(self, message: Json, performance: Performance) -> SpecialistTask:
        """Return a new task, which begins to live at once."""
        task = SpecialistTask(self.name, message, performance, self.ledger.stirred.beat)
        if not performance.behaviour.message:
            self.tasks[task.id] = task
        self.ledger.created(self.name, task.message_id)
        self._start(task)
        return task

    def resume(self, task: SpecialistTask, message: Json, performance: Performance) -> None:
        """Go on with a task that has waited for an answer."""
        task.resume(message, performance)
        self._start(task)

    def push(self, task: SpecialistTask, hook: Hook) -> None:
        """Begin to tell a webhook about a task."""
        pushing = self._group.create_task(push(self, task, hook), name=f"push:{task.id}")
        self._pushing.add(pushing)
        self.ledger.pushing(self.name, +1)
        pushing.add_done_callback(self._pushed)

    def _pushed(self, pushing: asyncio.Task[None]) -> None:
        self._pushing.discard(pushing)
        self.ledger.pushing(self.name, -1)

    def _start(self, task: SpecialistTask) -> None:
        behaviour, rng = task.performance.behaviour, task.performance.rng
        beats = bent(behaviour, life(behaviour, drawn(behaviour.work_s, rng)))
        self._open.add(task)
        self.ledger.opened(self.name, +1)
        task.playing = self._group.create_task(self._play(task, beats), name=task.id)
        task.playing.add_done_callback(lambda _: self._ended(task))

    def _ended(self, task: SpecialistTask) -> None:
        self._open.discard(task)
        self.ledger.opened(self.name, -1)

    async def _play(self, task: SpecialistTask, beats: Iterator[Beat]) -> None:
        for beat in beats:
            if beat.after_s is None:
                await next_beat(Pulse())  # which nobody beats
            elif beat.after_s > 0:
                await asyncio.sleep(beat.after_s)
            if beat.gate:
                await self.gates.passed(beat.gate)
            if isinstance(beat.told, Restart):
                self.restart()
                return
            task.take(beat)
        task.finish()

"""Turns on any number of replicas: each is a workflow of DBOS, the head rows in PostgreSQL say what is due.

What a replica drives stays with it as long as it lives. Whoever finds one dead gives its turns to those who are
alive; whatever DBOS does not know of is found by the sweep. Who writes is decided by the journal's claim alone.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from typing_extensions import override

from coordinator.drivers.dbos.guard import TICK_S, Guard, executor_name
from coordinator.drivers.dbos.slots import SharedSlots
from coordinator.drivers.dbos.workflows import Flight, Workflows
from coordinator.drivers.turns import Turns
from coordinator.errors import JournalUnavailable
from coordinator.journal import Head, Status

__all__ = ["DbosDriver", "executor_name"]

FORGET_S = 60.0

Heed = Callable[[Callable[[str | None], None]], AbstractContextManager[None]]
"""Tells, inside the context, of each coordination another process changed; None: any may have."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Hosting:
    """One turn under way here."""

    workflow_id: str
    turn: int
    ended: asyncio.Future[bool]
    after: int | None  #: the epoch seen before the turn was ours, to claim on top of; None: that was not looked up yet
    task: asyncio.Task[None] | None = None
    is_followed: bool = False  #: another turn is due


@dataclass(slots=True)
class DbosDriver(Turns):
    """Runs turns here that were started here, or left behind by others; *journal* is on PostgreSQL, at *url*."""

    url: str = field(kw_only=True)
    heed: Heed = field(kw_only=True)
    sweep_s: float = TICK_S
    guard: Guard = field(init=False)
    _workflows: Workflows = field(init=False)
    _slots: SharedSlots = field(init=False)
    _group: asyncio.TaskGroup | None = None
    _guarding: asyncio.Task[None] | None = None
    _hosted: dict[str, _Hosting] = field(default_factory=dict)
    _started: dict[str, int] = field(default_factory=dict)  #: by workflow: the epoch seen before it was started
    _stray: frozenset[str] = frozenset()  #: workflows of ours that did not run here, as of the last sweep
    _too_new: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Let nothing be sent while others may have taken this process for dead, and share slots with them."""
        self.guard = Guard(self.url, self.engine.name, self._return)
        self._workflows = Workflows(self.url, self.engine.name, self._host)
        self._slots = SharedSlots(self.guard)
        self.engine.calls.permit = self.guard.fresh
        self.engine.calls.slots = self._slots

    @override
    def why_not_ready(self) -> str:
        """Return why nothing can be driven here now."""
        return "" if self.guard.is_fresh else "the guard session is away"

    @override
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Give and take turns inside the context. Raises `ConfigurationError` when DBOS cannot be started."""
        async with self._workflows.running():
            yield

    @override
    async def run(self) -> None:
        """Drive until canceled."""
        async with asyncio.TaskGroup() as group:
            self._guarding = group.create_task(self.guard.hold(), name="guard")
            await self.guard.fresh()
            log.info("driving as one of the replicas", extra={"detail": self.executor})
            group.create_task(self._sweep(), name="sweep")
            group.create_task(self._forget(), name="forget")
            group.create_task(self._slots.give_back(), name="slots")
            with self.heed(self._overheard), self._hosting_in(group):
                await self._take_turns(group)

    @contextmanager
    def _hosting_in(self, group: asyncio.TaskGroup) -> Iterator[None]:
        """Host turns inside the context; those that come later are let go, and stay with whoever comes next."""
        self._group = group
        try:
            yield
        finally:
            self._group = None

    @override
    async def release(self) -> None:
        """Let go of every turn once it has written what it knows, and leave: others take them up at once."""
        self._workflows.take_no_more()
        await super(DbosDriver, self).release()
        await self._workflows.stop()
        if self._guarding is not None:
            self._guarding.cancel()
            await asyncio.wait({self._guarding})  # only then is its lock free

    @override
    async def _begin(self, task_id: str) -> None:
        """Start the workflow of the turn, which then is hosted here; unless somebody has it, or it is not due."""
        is_started = False
        try:
            head = await self.journal.head(task_id)
            if head is not None and await self._is_due(head):
                is_started = await self._start(head)
        except JournalUnavailable as error:
            log.warning("a turn could not be started", extra={"task": task_id, "error": str(error)})
        finally:
            if not is_started and task_id not in self._hosted:
                self._over(task_id)

    async def _is_due(self, head: Head) -> bool:
        if head.status is Status.IDLE:
            return head.wake_at is not None and head.wake_at <= await self.journal.now()
        return head.status is Status.DUE

    async def _start(self, head: Head) -> bool:
        """Start the workflow of the turn unless it has one: all that look before the next claim name it the same.

        It is named after the turn as well: one that follows is due before the last one is noted as ended.
        """
        turn_id = f"{head.task_id}:{head.turn}"
        if head.epoch and await self._workflows.of_turn(turn_id):
            return False
        workflow_id = f"{turn_id}:{head.epoch}"
        self._started[workflow_id] = head.epoch
        is_started = False
        try:
            is_started = await self._workflows.start(workflow_id, head.task_id, head.turn)
        finally:
            if not is_started:
                self._started.pop(workflow_id, None)
        return is_started

    async def _host(self, workflow_id: str, task_id: str, turn: int) -> bool:
        """Run a turn in our own task group, whoever started it; return whether it came to its end."""
        after = self._started.pop(workflow_id, None)
        while (earlier := self._hosted.get(task_id)) is not None:
            if earlier.turn > turn:
                return True
            has_ended = await asyncio.shield(earlier.ended)
            if earlier.turn == turn:
                return has_ended
        if self.engine.is_released or self._group is None:
            self._over(task_id)
            return False
        hosting = _Hosting(workflow_id, turn, asyncio.get_running_loop().create_future(), after)
        self._hosted[task_id] = hosting
        self._turns.add(task_id)
        # Not in the context of the workflow: DBOS would take what is done in it for steps.
        running, context = self._run_turn(task_id, hosting), contextvars.Context()
        hosting.task = self._group.create_task(running, name=f"turn:{task_id}", context=context)
        return await asyncio.shield(hosting.ended)

    async def _run_turn(self, task_id: str, hosting: _Hosting) -> None:
        has_ended = False
        try:
            if hosting.after is None:
                has_ended = await self._take_on(task_id, hosting)
            else:
                has_ended = await self._drive(task_id, hosting.after)
        finally:
            del self._hosted[task_id]
            hosting.ended.set_result(has_ended)
            self._over(task_id)
            if hosting.is_followed:
                self.wake(task_id)

    async def _take_on(self, task_id: str, hosting: _Hosting) -> bool:
        """Drive a turn that was given to us, if it still is and is not over; return whether it came to its end.

        The head first, then whose the turn is: whoever has it after us claims on top of an epoch that is not older.
        So our claim changes nothing when it comes late, from a process that stood still before it.
        """
        try:
            head = await self.journal.head(task_id)
            if head is None or head.status is Status.CLOSED or head.turn != hosting.turn:
                return True  # it had ended before, and that could not be noted
            flights = await self._workflows.of_turn(f"{task_id}:{hosting.turn}")
        except JournalUnavailable as error:
            log.warning("a turn could not be taken up", extra={"task": task_id, "error": str(error)})
            return False
        others = {flight.executor for flight in flights if flight.workflow_id != hosting.workflow_id}
        if head.driver in others & self.guard.alive - {self.engine.name}:
            return True  # it was started twice, and the other workflow drives it
        if Flight(hosting.workflow_id, self.engine.name) not in flights:
            return False
        hosting.after = head.epoch
        return await self._drive(task_id, head.epoch)

    @override
    def _goes_on(self, head: Head | None) -> bool:
        """A turn of another number is another workflow, which somebody else may have started."""
        if head is None or not super(DbosDriver, self)._goes_on(head):
            return False
        hosting = self._hosted[head.task_id]
        hosting.is_followed = head.turn != hosting.turn
        return not hosting.is_followed

    @override
    def _note_too_new(self, task_id: str, why: str) -> None:
        super(DbosDriver, self)._note_too_new(task_id, why)
        self._too_new.add(task_id)

    @override
    async def _due(self) -> Sequence[str]:
        """Return what nobody drives who is alive; what an executor left behind is given to whoever takes it first."""
        if not self.guard.may_judge or self.engine.is_released:
            return ()
        await self._give_back()
        waiting, others = tuple(self._waiting), self.guard.alive - {self.engine.name}
        due = await self.journal.due(await self.journal.now(), others)
        for task_id in set(waiting).difference(due):
            self._waiting.pop(task_id, None)  # it has begun elsewhere
        self._too_new.intersection_update(due)
        open_here = self._turns | self._waiting.keys() | self._too_new
        lost = [task_id for task_id in due if task_id not in open_here]
        if not lost:
            return ()
        flights = await self._workflows.in_flight()
        await self._hand_over(flights)
        in_flight = {flight.task_id for flight in flights}
        return [task_id for task_id in lost if task_id not in in_flight]

    async def _give_back(self) -> None:
        """Give away turns of ours that do not run here: their start failed, their claim was lost, their end not noted.

        Not at first sight: they may be about to begin, or their end about to be noted.
        """
        own = await self._workflows.in_flight([self.engine.name])
        hosted = {(task_id, hosting.turn) for task_id, hosting in self._hosted.items()}
        stray = [flight for flight in own if (flight.task_id, flight.turn) not in hosted]
        await self._workflows.give_away([flight for flight in stray if flight.workflow_id in self._stray])
        self._stray = frozenset(flight.workflow_id for flight in stray)

    async def _hand_over(self, flights: Sequence[Flight]) -> None:
        """Give away the turns of the dead."""
        for executor in {flight.executor for flight in flights} - self.guard.alive - {"", self.engine.name}:
            async with self.guard.standing_in_for(executor) as is_dead:
                if is_dead:
                    left = await self._workflows.in_flight([executor])
                    log.info("taking over", extra={"detail": f"{len(left)} turns of {executor}"})
                    await self._workflows.give_away(left)

    async def _return(self) -> None:
        """Drop the turns that others took up while this process seemed dead. Raises `JournalUnavailable`."""
        await self._slots.hold_again()
        flights = await self._workflows.in_flight([self.engine.name])
        ours = {flight.task_id for flight in flights}
        for task_id, hosting in tuple(self._hosted.items()):
            head = await self.journal.head(task_id)
            # One that has not claimed yet finds out by its claim.
            is_ours = head is not None and (head.driver == self.engine.name or hosting.after in {None, head.epoch})
            if not (is_ours and task_id in ours) and hosting.task is not None:
                log.info("somebody else drives this coordination now", extra={"task": task_id})
                hosting.task.cancel()

    def _overheard(self, task_id: str | None) -> None:
        """Another replica changed a task, perhaps by a message for a turn that runs here; None: any may have."""
        for each in tuple(self._hosted) if task_id is None else (task_id,):
            self.engine.nudge(each)

    async def _forget(self) -> None:
        """Forget the workflows that came to their end, a while later: until then they say that they did."""
        while True:
            await asyncio.sleep(FORGET_S)
            try:
                before = datetime.fromtimestamp(await self.journal.now() - FORGET_S, UTC)
                await self._workflows.forget(before.isoformat())
            except JournalUnavailable as error:
                log.warning("turns that are over are forgotten later", extra={"error": str(error)})

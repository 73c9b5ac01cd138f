"""One turn of one coordination: claim, replay, drive until it is closed or parked.

Facts first, then acts: a batch of facts is folded into the state, committed, and only then
are the commands performed that follow from it. Who calls `turn`, and where, is a driver's business.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial

from coordinator.core import events as ev
from coordinator.core.commands import Command
from coordinator.core.coordination import Coordination
from coordinator.core.view import view_of
from coordinator.dispatch import Dispatch
from coordinator.errors import IllegalTransition, JournalTooNew
from coordinator.journal import HIDDEN, Claim, Head, HeadChange, InboxItem, Journal, Status, outage
from coordinator.journal.codec import decode, decode_all, encode, encode_view
from coordinator.journal.outage import outlast
from coordinator.outbound import AgentCalls, Allowance, Fact

MOST_IDLE_CLAIMS = 5
NO_PROGRESS = (ev.TurnStarted, ev.AttemptStarted, ev.Progressed, ev.Looked)
PARK_S = 30.0
PARK_ASKING_S = 2.0
RECHECK_S = 5.0

log = logging.getLogger(__name__)


class Mailbox:
    """Facts of one turn on their way to the next commit."""

    def __init__(self) -> None:
        self.is_released = False  #: the turn is to end as soon as it has written what it knows
        self._facts: list[Fact] = []
        self._stirred = asyncio.Event()
        self._is_nudged = False

    def put(self, fact: Fact) -> None:
        """Leave a fact; never blocks, never loses one."""
        self._facts.append(fact)
        self._stirred.set()

    def nudge(self) -> None:
        """Make the turn look at its inbox."""
        self._is_nudged = True
        self._stirred.set()

    def release(self) -> None:
        """Make the turn write what it knows and end."""
        self.is_released = True
        self.nudge()

    async def take(self, timeout_s: float) -> tuple[list[Fact], bool]:
        """Return everything left so far and whether somebody nudged, waiting for something up to *timeout_s*."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._stirred.wait()
        except TimeoutError:
            pass
        self._stirred.clear()
        facts, self._facts = self._facts, []
        is_nudged, self._is_nudged = self._is_nudged, False
        return facts, is_nudged


class _Released(Exception):
    """A turn ends before its coordination does: what it has under way here is stopped, and nothing else."""


@dataclass(slots=True)
class Engine:
    """Everything a turn needs; one per process."""

    journal: Journal
    calls: AgentCalls
    name: str  #: who claims, as the head row shows it
    proven_s: float = 60.0  #: a turn that has lived so long is not what ends the process
    live: dict[str, Mailbox] = field(default_factory=dict)
    is_released: bool = False

    async def turn(self, task_id: str, after: int | None = None) -> int | None:
        """Drive *task_id* until it is closed or parked; return the epoch it was driven in, None when it was closed.

        With *after*, it is claimed on top of that epoch only. Raises `ClaimLost` when somebody else took over.
        """
        claim = await outage.claim(self.journal, task_id, self.name, after)
        if claim is None:
            return None
        clock = await outlast(partial(database_clock, self.journal))
        coordination, first = await self._taken_up(claim, clock)
        mailbox = self.live[task_id] = Mailbox()
        if self.is_released:
            mailbox.release()
        try:
            turn = _Turn(self.journal, coordination, claim, mailbox, clock, proven_at=clock() + self.proven_s)
            allowance = Allowance(self.calls.bounds.results, sum(b.size for b in coordination.branches()))
            with ExitStack() as afterwards:
                async with asyncio.TaskGroup() as group:
                    dispatch = Dispatch(group, self.calls, self.journal, mailbox.put, clock, allowance)
                    afterwards.callback(dispatch.let_go)
                    await turn.drive(dispatch, first)
        except* _Released:
            log.info("left for the next start", extra={"task": task_id})
        finally:
            del self.live[task_id]
        return claim.epoch

    def release(self) -> None:
        """Let every turn write what it knows and end, now and from now on; remote tasks go on."""
        self.is_released = True
        for mailbox in self.live.values():
            mailbox.release()

    def nudge(self, task_id: str) -> bool:
        """Tell a live turn that its inbox has something; False when there is none."""
        mailbox = self.live.get(task_id)
        if mailbox is not None:
            mailbox.nudge()
        return mailbox is not None

    async def _taken_up(self, claim: Claim, clock: Callable[[], float]) -> tuple[Coordination, ev.Event]:
        """Return the coordination and the fact its turn starts with: what kills its drivers is given up."""
        # Read only after the claim has committed: nobody else can append behind what is read now.
        head = await outlast(partial(self.journal.head, claim.task_id))
        entries = await outlast(partial(self.journal.read, claim.task_id))
        assert head is not None  # noqa: S101 - it was claimed a moment ago
        try:
            events = decode_all(entries)
        except JournalTooNew:
            await self._leave(claim, head)
            raise
        if head.idle_claims <= MOST_IDLE_CLAIMS:
            return Coordination.replay(events), ev.TurnStarted(at=clock(), epoch=claim.epoch)
        reason = f"given up after {head.idle_claims - 1} attempts to go on without any progress"
        return _as_far_as_it_goes(events), ev.CoordinationFailed(at=clock(), reason=reason)

    async def _leave(self, claim: Claim, head: Head) -> None:
        """Leave what a newer program wrote to that: nobody drives it now, and these claims are not held against it."""
        nobody = await self.journal.claim(claim.task_id, "", after=claim.epoch)
        if nobody is not None:
            change = HeadChange(head.state, head.status, head.status_at, head.wake_at)
            await self.journal.append(nobody, [], change)


def _as_far_as_it_goes(events: Sequence[ev.Event]) -> Coordination:
    """Replay what is to be given up; what cannot be replayed may be the reason for it."""
    coordination = Coordination.replay(events[:1])
    with suppress(IllegalTransition, LookupError):
        for event in events[1:]:
            coordination.receive(event)
    return coordination


@dataclass(slots=True)
class _Turn:
    journal: Journal
    coordination: Coordination
    claim: Claim
    mailbox: Mailbox
    now: Callable[[], float]
    proven_at: float  #: when claims without progress are forgiven
    looked_at: float = 0.0

    async def drive(self, dispatch: Dispatch, first: ev.Event) -> None:
        """Take facts, commit them, perform what follows, until nothing is left to wait for.

        Raises `_Released` when the turn is to end before that.
        """
        facts: Sequence[Fact] = [Fact(first)]
        items: Sequence[InboxItem] = await self._inbox()
        if isinstance(first, ev.CoordinationFailed):
            # What is given up is not begun once more: it may be what has ended the process again and again.
            status, _ = await self._commit(facts, items)
            if status is not Status.DUE:
                return
            facts, items = (), ()
        # A crash may have left commands half done. Before the very first turn nothing can have gone out.
        dispatch.perform(self.coordination.outstanding(), in_doubt=True)
        while True:
            is_last = self.mailbox.is_released
            status, commands = await self._commit(facts, items)
            if status is not Status.DUE:
                return
            if is_last:
                raise _Released
            if self.mailbox.is_released:
                facts, items = (), ()  # it came during the commit, which did not forgive the claims yet
                continue
            dispatch.perform(commands)
            facts, items = await self._wait()

    async def _wait(self) -> tuple[Sequence[Fact], Sequence[InboxItem]]:
        """Return the next facts and inbox items, at least one of either; a timer that went off is a fact."""
        while True:
            wake_at = self.coordination.wake_at()
            patience = min(RECHECK_S, max(0.0, min(wake_at or math.inf, self.proven_at) - self.now()))
            facts, is_nudged = await self.mailbox.take(patience)
            at = self.now()
            if wake_at is not None and wake_at <= at:
                facts.append(Fact(ev.TimePassed(at=at)))
            items: Sequence[InboxItem] = ()
            if is_nudged or at - self.looked_at >= RECHECK_S:
                self.looked_at = at
                items = await self._inbox()
            if facts or items or self.mailbox.is_released or at >= self.proven_at:
                return facts, items

    async def _inbox(self) -> Sequence[InboxItem]:
        return await outlast(partial(self.journal.inbox, self.claim.task_id))

    async def _commit(self, facts: Sequence[Fact], items: Sequence[InboxItem]) -> tuple[Status, list[Command]]:
        """Fold and journal one batch; return the status written and the commands to perform."""
        events = [decode(item.record) for item in items] + [fact.event for fact in facts]
        issued = [command.id for event in events for command in self.coordination.receive(event)]
        change = self._change(events)
        self.claim = await outage.append(
            self.journal,
            self.claim,
            [encode(event) for event in events],
            change,
            consumed=[item.number for item in items],
            payloads=[payload for fact in facts for payload in fact.payloads],
        )
        for event in events:
            _log(self.claim.task_id, event)
        # A command may have been closed, or completed with a remote id, later in the same batch.
        current = (self.coordination.open_command(command_id) for command_id in dict.fromkeys(issued))
        return change.status, [command for command in current if command is not None]

    def _change(self, events: Sequence[ev.Event]) -> HeadChange:
        coordination = self.coordination
        status, wake_at, final = Status.DUE, coordination.wake_at(), None
        if coordination.is_closed:
            status, final = Status.CLOSED, encode_view(view_of(coordination, coordination.state_at))
        elif not coordination.outstanding() and wake_at is not None and wake_at - self.now() > self._patience():
            status = Status.IDLE
        return HeadChange(
            state=coordination.state if coordination.is_shown else HIDDEN,
            status=status,
            status_at=coordination.state_at,
            wake_at=wake_at,
            final=final,
            is_progress=status is not Status.DUE or self._is_progress(events),
        )

    def _patience(self) -> float:
        """Return how long a turn stays for a timer; one that waits for answers is parked at once."""
        return PARK_ASKING_S if self.coordination.is_waiting else PARK_S

    def _is_progress(self, events: Sequence[ev.Event]) -> bool:
        """Whether to forget earlier claims: something was reached, or this turn did not end the process.

        What a specialist says about its work is told anew after every restart, so it does not count. A turn that
        parks has ended in good order, too.
        """
        is_proven = self.mailbox.is_released or self.now() >= self.proven_at
        if is_proven:
            self.proven_at = math.inf
        return is_proven or not all(isinstance(event, NO_PROGRESS) for event in events)


async def database_clock(journal: Journal) -> Callable[[], float]:
    """Return a clock that starts at the database's time and runs on this machine's monotonic one."""
    base = await journal.now()
    started = time.monotonic()
    return lambda: base + (time.monotonic() - started)


def _log(task_id: str, event: ev.Event) -> None:
    extra: dict[str, object] = {"task": task_id, "action": type(event).__name__}
    if isinstance(event, ev.AttemptEvent):
        extra |= {"branch": event.branch, "attempt": event.attempt}
    if isinstance(event, ev.AttemptFailed):
        log.warning("attempt failed", extra=extra | {"error": f"{event.failure.kind}: {event.failure.message}"})
    else:
        log.debug("fact", extra=extra)

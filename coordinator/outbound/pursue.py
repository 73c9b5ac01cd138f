"""One attempt, from the request to its outcome.

Sends, follows the stream, re-attaches when it breaks; reads the task when it is pushed about, or now and then. Ends
with exactly one AttemptSucceeded or AttemptFailed, unless it is canceled from outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from a2a.types import a2a_pb2 as a2a

from coordinator.core.commands import Follow, Send
from coordinator.core.model import Failure, FailureKind, RemoteTask
from coordinator.outbound.bounds import Allowance, AnswerTooLarge
from coordinator.outbound.calls import AgentCalls
from coordinator.outbound.envelope import Envelope
from coordinator.outbound.failures import CallFailed, Trouble
from coordinator.outbound.outgoing import Outgoing
from coordinator.outbound.places import CircuitOpen, Place
from coordinator.outbound.reading import AnswerNotJson, Reading
from coordinator.outbound.relay import Relay
from coordinator.outbound.schemas import mismatch
from coordinator.outbound.slots import Slot
from coordinator.outbound.telling import Emit, Fact, Now, Telling
from coordinator.outbound.waiting import Waiting

MOST_SENDS = 3
"""How often one message goes out under one id when nobody can say whether it arrived."""

PASSING = frozenset({FailureKind.UNREACHABLE, FailureKind.OVERLOADED})
"""Failures after which an answer is sent again: it did not arrive, and may a little later."""

MOST_MISSES = 5
"""Snapshots in a row that may fail before a task is given up."""

FINAL = frozenset({FailureKind.LOST, FailureKind.TOO_LARGE})
"""Failures another snapshot would not change."""


LoadParts = Callable[[Send], Awaitable[Sequence[a2a.Part]]]


@dataclass(slots=True)
class Attempt:
    """What others may know of a running attempt: whether it went out, and whose task it became."""

    was_sent: bool = False
    is_in_doubt: bool = False  #: it may have gone out before a restart
    remote: RemoteTask | None = None
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    slot: Slot | None = None  #: where the plan has a cap that all tasks share
    place: Place | None = None
    keeps_place: bool = False  #: its remote task may go on: the place is free once that is canceled

    def noting(self, emit: Emit) -> Emit:
        """Return *emit*, but the place learns from every fact."""

        def tell(fact: Fact) -> None:
            if self.place is not None:
                self.place.note(fact.event)
            emit(fact)

        return tell

    def leave(self) -> None:
        """Give the place and the slot back, if there are any."""
        if self.place is not None:
            self.place.leave()
        if self.slot is not None:
            self.slot.leave()


async def pursue(
    calls: AgentCalls,
    command: Send | Follow,
    attempt: Attempt,
    *,
    emit: Emit,
    now: Now,
    load: LoadParts,
    in_doubt: bool,
    allowance: Allowance | None = None,
) -> None:
    """Bring *command* to its end and emit facts on the way.

    A send waits for a place first; a task that is known to be under way has one. *in_doubt* says a send may
    already have gone out before a restart: it is looked up first. What comes back counts against *allowance*, and
    goes on doing so only when it is a result.
    """
    tell = attempt.noting(emit)
    pursuit = Pursuit(calls, command, attempt, tell, now, allowance)
    try:
        await _enter(calls, command, attempt)
        if isinstance(command, Follow):
            attempt.remote = command.remote  # journaled already: told again, it would look like progress
            pursuit.attach(command.remote)
        elif command.remote is not None:
            if not await pursuit.deliver(command, await load(command), command.remote, in_doubt=in_doubt):
                return
        else:
            pursuit.telling.started()
            await pursuit.obtain(command, await load(command), in_doubt=in_doubt)
        await pursuit.follow()
        await pursuit.conclude(command.expect)
    except CallFailed as error:
        failure, is_known = error.trouble.failure, attempt.remote is not None
        # Who answers more than is read has the task as well, though its id may have gone by unread.
        is_open = error.trouble.is_ambiguous or is_known or failure.kind is FailureKind.TOO_LARGE
        pursuit.fail(failure, is_open=is_open)
    except CircuitOpen as error:
        pursuit.fail(Failure(FailureKind.CIRCUIT_OPEN, str(error), retry_after_s=error.seconds), is_open=in_doubt)
    except AnswerTooLarge as error:
        pursuit.fail(Failure(FailureKind.TOO_LARGE, str(error)), is_open=True)
    except AnswerNotJson as error:
        pursuit.fail(Failure(FailureKind.MALFORMED, str(error)), is_open=True)
    finally:
        pursuit.end()


async def _enter(calls: AgentCalls, command: Send | Follow, attempt: Attempt) -> None:
    """Wait for slot and place, unless the specialist has the task: that is under way whether there is room or not."""
    agent = command.agent.name
    is_known = isinstance(command, Follow) or command.remote is not None
    if command.shared is not None:
        attempt.slot = await calls.slots.take(command.shared, is_known=is_known)
    attempt.place = calls.places.occupy(agent) if is_known else await calls.places.enter(agent)


class Pursuit:
    """One attempt on its way: what was read of its task, and the facts that are told of it."""

    def __init__(
        self,
        calls: AgentCalls,
        command: Send | Follow,
        attempt: Attempt,
        emit: Emit,
        now: Now,
        allowance: Allowance | None = None,
    ) -> None:
        self._calls = calls
        self._agent = command.agent
        self._attempt = attempt
        self._now = now
        self.telling = Telling(command.branch, command.attempt, emit, now, calls.patience.progress_s)
        self._credential = command.credential
        allowance = allowance or Allowance(calls.bounds.results)
        self._reading = Reading(calls.bounds, allowance, command.mark if isinstance(command, Send) else "")
        self._waiting = Waiting(calls, command.agent)
        self._is_kept = False  #: what was read has become a result
        passes = command.unchanged is not None if isinstance(command, Send) else command.passes_through
        self._relay = Relay(command.branch, command.attempt) if passes else None
        self._sending: Send | None = None  #: a message for a known task that has not been answered yet
        self._was_cut = False  #: chunks may be missing or doubled; only a snapshot gives the outcome
        self._sent_at: float | None = None
        self._is_whole = False  #: the last thing read was a snapshot

    async def obtain(self, command: Send, parts: Sequence[a2a.Part], *, in_doubt: bool) -> None:
        """Send until the specialist is known to have the message. Raises `CallFailed`."""
        failed = _doubt("nobody answers")
        for _ in range(MOST_SENDS):
            if in_doubt and await self._look_up(command):
                return
            self._attempt.was_sent = True
            self._sent_at = self._now()
            failed = await self._send(Outgoing(command, parts, self._envelope(command)))
            self._was_cut = not self._reading.is_over
            if self._reading.has_begun:
                return
            if not failed.trouble.is_ambiguous:
                raise failed
            in_doubt = True
        raise failed

    async def _send(self, outgoing: Outgoing) -> CallFailed:
        """Send in the best way the agent takes, and return why nothing more came. Raises `CallFailed` for a flood."""
        failed = await self._send_once(outgoing)
        while self._waiting.gives_way(failed.trouble):
            failed = await self._send_once(outgoing)
        if failed.trouble.failure.kind is FailureKind.TOO_LARGE:
            raise failed
        if self._reading.has_begun and self._sending is None:
            self._waiting.accepted()
        return failed

    async def _send_once(self, outgoing: Outgoing) -> CallFailed:
        stream = self._calls.send(
            self._agent,
            outgoing,
            self._credential,
            streaming=self._waiting.is_streaming,
            webhook=self._waiting.webhook(),
        )
        try:
            await self._take_all(stream)
        except CallFailed as error:
            return error
        return _doubt("the answer ended before it began")

    async def deliver(self, command: Send, parts: Sequence[a2a.Part], remote: RemoteTask, *, in_doubt: bool) -> bool:
        """Send a message to a task the specialist has; False when it did not take it, which is told as a fact.

        Nothing was lost then: the task is as it was before.
        """
        self._reading.remote = self._attempt.remote = remote
        self._attempt.opened.set()
        self._was_cut, self._attempt.was_sent = True, True
        outgoing = Outgoing(command, parts, self._envelope(command))
        failure = Failure(FailureKind.IN_DOUBT, "nobody answers")
        for number in range(MOST_SENDS):
            try:
                await asyncio.sleep(number * self._calls.patience.doubt_s)
                if in_doubt and await self._calls.has_message(
                    self._agent, remote, command.message_id, self._credential
                ):
                    self._note_taken(command)
                    return True
                self._sending = command
                failed = await self._send(outgoing)
            except CallFailed as error:
                failed = error
            if self._sending is None:
                return True
            failure, in_doubt = failed.trouble.failure, True
            if failure.kind is FailureKind.TOO_LARGE:
                raise failed
            if not failed.trouble.is_ambiguous and failure.kind not in PASSING:
                break
        self.telling.refused(command.message_id, failure)
        return False

    def _note_taken(self, command: Send) -> None:
        self._sending = None
        self.telling.taken(command.message_id)

    def _envelope(self, command: Send) -> Envelope:
        remaining = None if command.until is None else command.until - self._now()
        return Envelope(command.journey, remaining)

    def attach(self, remote: RemoteTask) -> None:
        """Take up a task the specialist is known to have."""
        self._reading.remote = remote
        self._was_cut = True
        self._note_remote()

    async def follow(self) -> None:
        """Stay with the task until it is over. Raises `CallFailed`."""
        streaming, misses = self._waiting.is_streaming, 0
        answered_until = self._now() + self._calls.patience.silence_s
        while not self._reading.is_over:
            before = self.telling.word
            if self._now() > answered_until:
                self._reading.answered = ""  # it has the answer, and still asks the same
            try:
                await self._snapshot()
                misses = 0
                if streaming and not self._reading.is_over:
                    streaming = await self._subscribe()
            except CallFailed as error:
                misses += 1
                if misses >= MOST_MISSES or error.trouble.failure.kind in FINAL:
                    raise
            if not self._reading.is_over:
                await self._waiting.pause(is_moving=self.telling.word != before and not misses)

    async def conclude(self, expect: str) -> None:
        """Emit the outcome of a task that is over. Raises `CallFailed`."""
        if (self._was_cut or self._reading.is_bare) and not self._is_whole and self._reading.direct is None:
            await self._snapshot()
        if self._reading.direct is None and self._reading.is_asking:
            self.telling.asked(self._reading)
            return
        failure = self._reading.failure()
        if failure is None and expect:
            problem = await asyncio.to_thread(mismatch, expect, self._reading.raw_artifacts())
            failure = Failure(FailureKind.MALFORMED, f"its answer does not fit: {problem}") if problem else None
        if failure is not None:
            self.fail(failure, is_open=False)
            return
        if self._sent_at is not None:
            self._calls.run_times.note(self._agent.name, self._now() - self._sent_at)
        self._is_kept = True
        self.telling.succeeded(self._reading)

    def end(self) -> None:
        """Leave nothing behind: no word that waits for its time, no webhook, no bytes but those of a result."""
        self.telling.hush()
        self._waiting.end()
        if not self._is_kept:
            self._reading.let_go()

    def fail(self, failure: Failure, *, is_open: bool) -> None:
        """Tell the end of an attempt without a result."""
        self._attempt.keeps_place = is_open
        self.telling.failed(failure, self._calls.rng, is_open=is_open)

    async def _look_up(self, command: Send) -> bool:
        """Look for the message at the specialist, twice, since it may still be travelling."""
        for pause in (0.0, self._calls.patience.doubt_s):
            await asyncio.sleep(pause)
            remote = await self._calls.look_up(self._agent, command.message_id, command.since)
            if remote is not None:
                self.attach(remote)
                return True
        return False

    async def _snapshot(self) -> None:
        if self._reading.remote is None:
            raise CallFailed(Trouble(Failure(FailureKind.MALFORMED, "it named no task")))
        self.take_snapshot(await self._calls.task(self._agent, self._reading.remote, self._credential))

    def take_snapshot(self, task: a2a.Task) -> None:
        """Let *task* replace everything read so far. Raises `CallFailed`, or like `Reading.take`."""
        self._checked(self._reading.take_task, task)
        self._is_whole = True
        if self._relay is None:
            self.telling.progressed(self._reading)
            return
        for told, payloads in self._relay.of_task(task, self._now()):
            self.telling.passed_on(told, payloads)

    async def _subscribe(self) -> bool:
        """Follow the task's stream to its end; False when the agent does not stream this task."""
        if self._reading.remote is None:
            return False
        self._was_cut = True
        try:
            await self._take_all(self._calls.subscribe(self._agent, self._reading.remote, self._credential))
        except CallFailed as error:
            if error.trouble.failure.kind in FINAL:
                raise
            return error.trouble.is_ambiguous
        return True

    async def _take_all(self, stream: AsyncGenerator[a2a.StreamResponse]) -> None:
        async with aclosing(stream) as responses:
            async for response in responses:
                if self._sending is not None:
                    self._note_taken(self._sending)
                self._checked(self._reading.take, response)
                self._is_whole = False
                self._note_remote()
                self._hand_on(response)
                if self._reading.is_over:
                    return

    def _hand_on(self, response: a2a.StreamResponse) -> None:
        if self._relay is None:
            self.telling.progressed(self._reading)
            return
        for told, payloads in self._relay.of(response, self._now()):
            self.telling.passed_on(told, payloads)

    def _checked(self, take: Callable[..., None], given: a2a.StreamResponse | a2a.Task) -> None:
        try:
            take(given)
        except (AnswerTooLarge, AnswerNotJson):
            raise
        except ValueError as error:
            raise CallFailed(Trouble(Failure(FailureKind.MALFORMED, str(error)))) from error

    def _note_remote(self) -> None:
        remote = self._reading.remote
        if remote is not None and self._attempt.remote is None:
            self._attempt.remote = remote
            self._attempt.opened.set()
            self.telling.opened(remote)


def _doubt(words: str) -> CallFailed:
    return CallFailed(Trouble(Failure(FailureKind.IN_DOUBT, words), is_ambiguous=True))

"""A shell that crashes, repeats itself and reports late.

The machine knows only what a shell knows: the commands it was given. It may report on any of
them at any time, also on those that are no longer wanted.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from coordinator.core import events as ev
from coordinator.core.commands import Cancel, Command, Follow, Merge, Send
from coordinator.core.coordination import Coordination
from coordinator.core.failure import RETRYABLE
from coordinator.core.model import (
    Exhausted,
    Failure,
    FailureKind,
    Limits,
    Need,
    Release,
    RemoteTask,
    Retry,
    Stage,
)
from tests.core.building import T0, accepted, artifact, remote_of, stage

DELAYS = st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.0])
DURATIONS = st.sampled_from([None, None, 3.0, 12.0, 50.0])
NEEDS = [
    ("count", 0),
    ("count", 1),
    ("count", 2),
    ("count", 4),
    ("count", 9),
    ("ratio", 0.25),
    ("ratio", 0.6),
    ("all", 0),
]
STAGES = st.builds(
    stage,
    branches=st.sampled_from(range(1, 9)),
    limits=st.builds(Limits, st.sampled_from([None, 1, 2, 3, 8]), DURATIONS, DURATIONS),
    retry=st.builds(Retry, st.sampled_from([1, 2, 3, 3, 3]), st.sampled_from([0.0, 1.0]), st.just(2.0)),
    exhausted=st.sampled_from([Exhausted.COUNT] * 4 + [Exhausted.FAIL_FAST]),
    release=st.sampled_from(Release),
    need=st.sampled_from([Need(*need) for need in NEEDS]),
)
"""Small plans, most of them forgiving, so that there is something left to go wrong."""

KINDS = st.sampled_from([kind for kind in FailureKind if RETRYABLE[kind]]) | st.sampled_from(FailureKind)
FAILURES = st.builds(Failure, KINDS, st.just("it broke"), st.none() | DELAYS)
ARTIFACTS = st.sampled_from([(), (artifact("f"),), (artifact("f"), artifact("g"))])
ANY = {"at": T0, "branch": "", "attempt": 0}
REPORTS = st.one_of(
    st.just(ev.AttemptStarted(**ANY)),
    st.just(ev.TaskOpened(**ANY, remote=remote_of("", 0))),
    st.just(ev.Progressed(**ANY, state="TASK_STATE_WORKING", text="half way")),
    st.builds(partial(ev.AttemptSucceeded, **ANY), artifacts=ARTIFACTS),
    st.builds(partial(ev.AttemptFailed, **ANY), failure=FAILURES, jitter=st.floats(0, 0.9), is_open=st.booleans()),
    st.builds(partial(ev.CancelSettled, **ANY), result=st.sampled_from(["confirmed", "finished", "not_sent"])),
)
"""What can be said of an attempt; which one, and when, is filled in."""

OTHERS = st.sampled_from(
    [
        ev.TimePassed(at=T0),
        ev.TimePassed(at=T0),
        ev.TurnStarted(at=T0, epoch=2),
        ev.Merged(at=T0, stage="review", artifacts=(artifact("report"),), summary={"parts": 1}),
        ev.MergeFailed(at=T0, stage="review", reason="they do not fit"),
        ev.CancelRequested(at=T0),
        ev.CoordinationFailed(at=T0, reason="claims without progress"),
    ]
)
BEFORE = st.sampled_from([[]] * 8 + [[ev.TimePassed(at=T0)], [ev.CancelRequested(at=T0)]])
"""What is told before the first turn: seldom anything."""

WHICH = st.sampled_from(range(100))
"""Picks an attempt: three times out of four one that is open, otherwise any."""


@dataclass
class Attempt:
    """What the shell knows of one attempt, and what the machine has seen happen to it."""

    send: Send
    started_at: float | None = None
    is_reported: bool = False  #: its own event closed it
    was_left_open: bool = False  #: that event said the remote task may still run
    is_opened: bool = False
    cancels: list[Cancel] = field(default_factory=list)

    @property
    def about(self) -> dict[str, Any]:
        return {"branch": self.send.branch, "attempt": self.send.attempt}

    @property
    def remote(self) -> RemoteTask:
        return remote_of(self.send.branch, self.send.attempt)

    def note(self, fact: ev.AttemptEvent, *, is_wanted: bool) -> None:
        """Remember what *fact* says; most of it counts only while the attempt is wanted."""
        if isinstance(fact, ev.TaskOpened):
            self.is_opened = True
        if not is_wanted:
            return
        if isinstance(fact, ev.AttemptStarted) and self.started_at is None:
            self.started_at = fact.at
        if isinstance(fact, ev.AttemptSucceeded | ev.AttemptFailed):
            self.is_reported = True
            self.was_left_open = isinstance(fact, ev.AttemptFailed) and fact.is_open


class HostileShell(RuleBasedStateMachine):
    """Tells facts, and checks what each command it is given has to be."""

    @initialize(planned=STAGES, patience=st.integers(10, 100), before=BEFORE, delay=DELAYS)
    def accept(self, planned: Stage, patience: int, before: list[ev.Event], delay: float) -> None:
        self.stage = planned
        self.patience = patience
        self.facts: list[ev.Event] = [accepted(planned)]
        self.coordination = Coordination(self.facts[0])
        self.now = self.at = T0
        self.attempts: dict[str, Attempt] = {}
        self.ids: set[str] = set()
        self.merges: list[Merge] = []
        self.ended: tuple[Any, ...] | None = None
        self.outcomes: dict[str, str] = {}
        self.told_after_the_end = 0
        for fact in before:
            self.tell(fact)
        self.now += delay
        self.tell(ev.TurnStarted(at=self.now, epoch=1))

    # One rule, because a machine with several leaves some of them out of most of its runs.
    @rule(said=REPORTS | REPORTS | OTHERS, which=WHICH, delay=DELAYS, late_by=DELAYS)
    def happen(self, said: ev.Event, which: int, delay: float, late_by: float) -> None:
        self.now += delay
        if self.told_after_the_end > 5:
            return
        if isinstance(said, ev.AttemptEvent):
            self.report(said, which, late_by)
        elif self.can_be_told(said):
            self.tell(dataclasses.replace(said, at=self.now))

    @precondition(lambda self: self.coordination.wake_at() is not None)
    @rule()
    def wake_up_when_asked(self) -> None:
        self.now = max(self.now, self.coordination.wake_at())
        self.tell(ev.TimePassed(at=self.now))

    def report(self, said: ev.AttemptEvent, which: int, late_by: float) -> None:
        if isinstance(said, ev.CancelSettled):
            among = [attempt for attempt in self.attempts.values() if attempt.cancels]
        else:
            among = self.candidates(which)
        if among:
            attempt = among[which // 4 % len(among)]
            fact = dataclasses.replace(said, at=max(T0, self.now - late_by), **attempt.about)
            if isinstance(fact, ev.TaskOpened):
                fact = dataclasses.replace(fact, remote=attempt.remote)
            attempt.note(fact, is_wanted=self.coordination.open_command(attempt.send.id) is not None)
            self.tell(fact)

    def can_be_told(self, fact: ev.Event) -> bool:
        """Say whether the shell could know this; a client and a driver wait before they give up."""
        match fact:
            case ev.TurnStarted():
                self.coordination = Coordination.replay(self.facts)
                return True
            case ev.Merged() | ev.MergeFailed():
                return bool(self.merges)
            case ev.CancelRequested() | ev.CoordinationFailed():
                return len(self.facts) > self.patience
            case _:
                return True

    # -- the shell --------------------------------------------------------------------------------

    def candidates(self, which: int) -> list[Attempt]:
        known = list(self.attempts.values())
        wanted = [attempt for attempt in known if self.coordination.open_command(attempt.send.id)]
        return wanted if wanted and which % 4 else known

    def tell(self, fact: ev.Event) -> None:
        self.facts.append(fact)
        self.at = fact.at
        self.told_after_the_end += self.coordination.is_closed
        issued = self.coordination.receive(fact)
        assert [command for command in self.coordination.outstanding() if command in issued] == issued
        for command in issued:
            self.take(command)

    def take(self, command: Command) -> None:
        assert command.id not in self.ids, "an id is used once"
        self.ids.add(command.id)
        match command:
            case Send():
                assert command.message_id not in {attempt.send.message_id for attempt in self.attempts.values()}
                assert command.since == self.at
                assert not [one for one in self.coordination.outstanding() if is_cancel_of(one, command.branch)]
                self.attempts[command.id] = Attempt(command)
            case Cancel():
                attempt = self.attempts[f"attempt:{command.branch}:{command.attempt}"]
                assert (command.message_id, command.since) == (attempt.send.message_id, attempt.send.since)
                attempt.cancels.append(command)
            case Merge():
                self.check_judgement(command)
                self.merges.append(command)
            case Follow():
                raise AssertionError("a follow takes the place of a send without being issued")

    def check_judgement(self, merge: Merge) -> None:
        tally = self.coordination.tally()
        assert tally.open == 0
        assert len(merge.outcomes) == tally.succeeded >= self.stage.need.of(tally.total)
        order = [branch.key for branch in self.coordination.branches()]
        assert [outcome.branch for outcome in merge.outcomes] == sorted(
            (outcome.branch for outcome in merge.outcomes), key=order.index
        )
        if self.stage.exhausted is Exhausted.FAIL_FAST:
            assert tally.failed == 0
        if self.stage.release is Release.SETTLED:
            assert tally.canceled == 0

    # -- and it ends ------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Let an honest shell take over: whatever has happened, it brings the coordination to its end."""
        if not hasattr(self, "facts"):
            return
        self.tell(ev.TurnStarted(at=self.now, epoch=3))
        for _ in range(8 * 3 * 4 + 10):
            if self.coordination.is_closed:
                return
            self.do_next()
        raise AssertionError(f"stuck: {self.coordination.outstanding()}")

    def do_next(self) -> None:
        match next(iter(self.coordination.outstanding()), None):
            case Send() | Follow() as command:
                fact = ev.AttemptSucceeded(at=self.now, **self.attempts[command.id].about)
                self.attempts[command.id].note(fact, is_wanted=True)
                self.tell(fact)
            case Cancel() as command:
                about = {"branch": command.branch, "attempt": command.attempt}
                self.tell(ev.CancelSettled(at=self.now, **about, result="confirmed"))
            case Merge():
                self.tell(ev.Merged(at=self.now, stage="review", artifacts=(artifact("report"),)))
            case None:
                self.wake_up_when_asked()


def is_cancel_of(command: Command, branch: str) -> bool:
    return isinstance(command, Cancel) and command.branch == branch

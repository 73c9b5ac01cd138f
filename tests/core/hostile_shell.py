"""A shell that crashes, repeats itself and reports late.

The machine knows only what a shell knows: the commands it was given. It may report on any of
them at any time, also on those that are no longer wanted.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from coordinator.core import events as ev
from coordinator.core.commands import Cancel, Command, Expand, Follow, Merge, Send
from coordinator.core.coordination import Coordination, merge_id
from coordinator.core.model import RemoteTask, Stage
from tests.core.building import T0, artifact, remote_of, taken_on
from tests.core.hostile_plans import ANSWERS, BEFORE, DELAYS, OTHERS, REPORTS, Planned, plans

WHICH = st.sampled_from(range(100))
"""Picks an attempt: three times out of four one that is open, otherwise any."""

GIVING_UP = (ev.CancelRequested, ev.CoordinationFailed, ev.MergeFailed, ev.ExpansionFailed)


def budget(*, steps: int) -> settings:
    """Return what every machine may spend: seconds when it runs alone, and far from the time limit on a busy machine.

    One failure is enough to look at. What explains it traces every line, so shrinking would get less far in its time.
    """
    phases = [phase for phase in Phase if phase is not Phase.explain]
    return settings(
        max_examples=50, stateful_step_count=steps, deadline=None, report_multiple_bugs=False, phases=phases
    )


@dataclass
class Attempt:
    """What the shell knows of one attempt, and what the machine has seen happen to it."""

    send: Send
    is_reported: bool = False  #: its own event closed it
    was_left_open: bool = False  #: that event said the remote task may still run
    is_opened: bool = False
    cancels: list[Cancel] = field(default_factory=list)
    settled_cancels: int = 0

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
        if isinstance(fact, ev.CancelSettled):
            self.settled_cancels = len(self.cancels)
        if is_wanted and isinstance(fact, ev.AttemptSucceeded | ev.AttemptFailed):
            self.is_reported = True
            self.was_left_open = isinstance(fact, ev.AttemptFailed) and fact.is_open


class HostileShell(RuleBasedStateMachine):
    """Tells facts, and remembers the commands it is given."""

    most_steps = 500
    """How many facts an honest shell needs at most to bring any plan to its end."""

    @initialize(planned=plans(), patience=st.integers(10, 100), before=BEFORE, delay=DELAYS)
    def accept(self, planned: Planned, patience: int, before: list[ev.Event], delay: float) -> None:
        self.set_out(planned, patience, before, delay)

    def set_out(self, planned: Planned, patience: int, before: list[ev.Event], delay: float) -> None:
        self.planned = planned
        self.patience = patience
        self.facts: list[ev.Event] = [taken_on(planned.plan)]
        self.coordination = Coordination(self.facts[0])
        self.now = self.at = T0
        self.attempts: dict[str, Attempt] = {}
        self.started: dict[str, float] = {}  #: when the first attempt of a branch was said to have gone out
        self.reported_at: dict[str, int] = {}  #: number of the fact that closed an attempt
        self.ids: set[str] = set()
        self.merges: list[Merge] = []
        self.expands: list[Expand] = []
        self.begun: dict[str, float] = {}
        self.reports: dict[str, list[str]] = {stage.name: [] for stage in planned.plan.stages}
        self.ended: tuple[Any, ...] | None = None
        self.outcomes: dict[str, str] = {}
        self.told_after_the_end = 0
        for fact in before:
            self.tell(fact)
        self.now += delay
        self.tell(ev.TurnStarted(at=self.now, epoch=1))

    # One rule, because a machine with several leaves some of them out of most of its runs.
    @rule(said=REPORTS | REPORTS | REPORTS | ANSWERS | OTHERS, which=WHICH, delay=DELAYS, late_by=DELAYS)
    def happen(self, said: ev.Event, which: int, delay: float, late_by: float) -> None:
        self.now += delay
        if self.told_after_the_end > 5 or (isinstance(said, GIVING_UP) and len(self.facts) <= self.patience):
            return
        match said:
            case ev.AttemptEvent():
                self.report(said, which, late_by)
            case ev.Merged() | ev.MergeFailed():
                self.answer_merge(said, which)
            case ev.StageExpanded() | ev.ExpansionFailed():
                self.answer_expand(said, which)
            case ev.TurnStarted():
                self.coordination = Coordination.replay(self.facts)
                self.tell(dataclasses.replace(said, at=self.now))
            case _:
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
            self.tell_of(attempt, fact)

    def is_wanted(self, attempt: Attempt) -> bool:
        return self.coordination.open_command(attempt.send.id) is not None

    def tell_of(self, attempt: Attempt, fact: ev.AttemptEvent) -> None:
        is_wanted = self.is_wanted(attempt)
        attempt.note(fact, is_wanted=is_wanted)
        if is_wanted and attempt.is_reported:
            self.reported_at[attempt.send.id] = len(self.facts)
        if is_wanted and isinstance(fact, ev.AttemptStarted):
            self.started.setdefault(fact.branch, fact.at)
        self.tell(fact)

    def answer_merge(self, said: ev.Merged | ev.MergeFailed, which: int) -> None:
        if not self.merges:
            return
        # Most answers are about the latest merge; now and then an earlier one is answered again.
        merge = self.merges[-1 if which % 4 else which // 4 % len(self.merges)]
        fact = dataclasses.replace(said, at=self.now, stage=merge.stage, is_late=merge.is_late)
        if isinstance(fact, ev.Merged):
            name = f"{merge.stage}-late" if merge.is_late else f"{merge.stage}-report"
            fact = dataclasses.replace(fact, artifacts=(artifact(name),))
            if self.coordination.open_command(merge_id(merge.stage, is_late=merge.is_late)):
                self.reports[merge.stage].append(name)
        self.tell(fact)

    def answer_expand(self, said: ev.StageExpanded | ev.ExpansionFailed, which: int) -> None:
        if not self.expands:
            return
        stage = self.expands[which % len(self.expands)].stage
        fact = dataclasses.replace(said, at=self.now, stage=stage.name)
        if isinstance(fact, ev.StageExpanded):
            fact = dataclasses.replace(fact, sub_tasks=self.planned.sub_tasks(stage))
        self.tell(fact)

    # -- the shell --------------------------------------------------------------------------------

    def candidates(self, which: int) -> list[Attempt]:
        known = list(self.attempts.values())
        wanted = [attempt for attempt in known if self.is_wanted(attempt)]
        return wanted if wanted and which % 4 else known

    def stage_of(self, branch: str) -> Stage:
        return self.coordination.stages[branch.partition("/")[0]].stage

    def attempts_of(self, branch: str) -> list[Attempt]:
        return [attempt for attempt in self.attempts.values() if attempt.send.branch == branch]

    def tell(self, fact: ev.Event) -> None:
        self.facts.append(fact)
        self.at = fact.at
        self.told_after_the_end += self.coordination.is_closed
        issued = self.coordination.receive(fact)
        outstanding = self.coordination.outstanding()
        wanted = [command for command in issued if self.coordination.open_command(command.id)]
        assert [command for command in outstanding if command in issued] == wanted
        for name, run in self.coordination.stages.items():
            if run.branches:
                self.begun.setdefault(name, self.at)
        for command in issued:
            self.take(command)

    def take(self, command: Command) -> None:
        assert command.id not in self.ids, "an id is used once"
        self.ids.add(command.id)
        match command:
            case Send():
                self.check_send(command)
                self.attempts[command.id] = Attempt(command)
            case Cancel():
                attempt = self.attempts[f"attempt:{command.branch}:{command.attempt}"]
                assert (command.message_id, command.since) == (attempt.send.message_id, attempt.send.since)
                attempt.cancels.append(command)
            case Merge():
                if self.coordination.open_command(command.id):
                    self.check_merge(command)
                self.merges.append(command)
            case Expand():
                self.check_expand(command)
                self.expands.append(command)
            case Follow():
                raise AssertionError("a follow takes the place of a send without being issued")

    def check_send(self, send: Send) -> None:
        """Say what a send has to be."""

    def check_merge(self, merge: Merge) -> None:
        """Say what a merge has to be."""

    def check_expand(self, expand: Expand) -> None:
        """Say what an expansion has to be."""

    # -- and it ends ------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Let an honest shell take over: whatever has happened, it brings the coordination to its end."""
        if not hasattr(self, "facts"):
            return
        self.tell(ev.TurnStarted(at=self.now, epoch=3))
        for _ in range(self.most_steps):
            if self.coordination.is_closed:
                return
            self.do_next()
        raise AssertionError(f"stuck: {self.coordination.outstanding()}")

    def do_next(self) -> None:
        match next(iter(self.coordination.outstanding()), None):
            case Send() | Follow() as command:
                attempt = self.attempts[command.id]
                self.tell_of(attempt, ev.AttemptSucceeded(at=self.now, **attempt.about))
            case Cancel() as command:
                attempt = self.attempts[f"attempt:{command.branch}:{command.attempt}"]
                self.tell_of(attempt, ev.CancelSettled(at=self.now, **attempt.about, result="confirmed"))
            case Merge() as command:
                self.answer_merge(ev.Merged(at=self.now, stage="", artifacts=()), 4 * self.merges.index(command))
            case Expand() as command:
                self.answer_expand(ev.StageExpanded(at=self.now, stage="", sub_tasks=()), self.expands.index(command))
            case None:
                assert self.coordination.wake_at() is not None, "stuck: nothing will ever happen"
                self.wake_up_when_asked()

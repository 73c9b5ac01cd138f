"""What holds of questions and answers after every fact, whatever specialists and clients do."""

from __future__ import annotations

import pytest
from hypothesis.stateful import invariant

from coordinator.core.commands import Cancel, Follow, Look, Send
from coordinator.core.model import TaskState
from coordinator.core.questions import Inquiry
from coordinator.core.scheduling import Phase
from coordinator.core.states import BranchState
from coordinator.core.view import view_of
from tests.core.building import T0
from tests.core.hostile_shell import budget
from tests.core.questioning_shell import AFTER, Asking, QuestioningShell, is_ours

LIVE = {Phase.RUNNING, Phase.TRAILING}
Wanted = tuple[str, str]
"""A branch, and the key of a question of its specialist; that of a failure is "!"."""


class QuestionInvariants(QuestioningShell):
    """Compares what is asked and sent with the machine's own account of it."""

    # -- questions --------------------------------------------------------------------------------

    @invariant()
    def no_question_is_lost(self) -> None:
        """When nothing but answers is awaited, everything anybody wants to know is asked."""
        if self.coordination.is_waiting:
            wanted = self.wanted()
            level = {about for about, one in wanted.items() if one.kind != "auth"} or set(wanted)
            assert self.asked() == level

    @invariant()
    def nothing_is_asked_that_nobody_wants_to_know(self) -> None:
        assert self.asked() <= set(self.wanted())
        assert len(self.asked()) == len(self.coordination.asked), "and nothing twice"

    @invariant()
    def what_was_answered_is_not_asked(self) -> None:
        assert not self.decided & {question.number for question in self.coordination.asked}

    @invariant()
    def an_inner_question_keeps_its_number_as_long_as_it_stands(self) -> None:
        for question in self.coordination.asked:
            about = (question.branch, question.attempt, question.inquiry)
            earlier = [number for number, one in self.numbers.items() if one == about and number < question.number]
            assert not question.inquiry.key or all(
                number in self.decided or number in self.dropped for number in earlier
            )

    @invariant()
    def the_state_says_what_is_asked(self) -> None:
        kinds = {question.kind for question in self.coordination.asked}
        state = self.coordination.state
        if not kinds:
            assert not state.is_interrupted
        elif "auth" in kinds:
            assert (kinds, state) == ({"auth"}, TaskState.AUTH_REQUIRED)
        else:
            assert state is TaskState.INPUT_REQUIRED

    @invariant()
    def a_default_applies_in_its_time_and_not_before(self) -> None:
        for question in self.coordination.asked:
            assert question.default_at == self.told_at[question.number] + AFTER
            assert question.default_at > self.at

    # -- answers ----------------------------------------------------------------------------------

    @invariant()
    def no_answer_is_lost(self) -> None:
        """One that was accepted has gone down, or waits for another one, or what it was for is over."""
        for given in self.given.values():
            attempt = self.attempts[given.about]
            if not given.sent and not given.is_told_late and self.is_wanted(attempt):
                assert not self.asking[given.about].is_parked

    # -- attempts ---------------------------------------------------------------------------------

    @invariant()
    def who_asks_is_not_followed_and_who_works_is(self) -> None:
        for command_id, attempt in self.attempts.items():
            command = self.coordination.open_command(command_id)
            if not self.is_wanted(attempt):
                assert command is None
            elif self.asking.get(command_id, Asking()).is_parked:
                assert command is None or isinstance(command, Look)
            else:
                assert isinstance(command, Send | Follow)

    @invariant()
    def every_attempt_ends_by_its_own_event_or_is_canceled_once(self) -> None:
        for attempt in self.attempts.values():
            branch = self.coordination.stages[attempt.send.branch.partition("/")[0]].branches[attempt.send.branch]
            assert len(attempt.cancels) <= 1
            if attempt.is_reported:
                assert len(attempt.cancels) == attempt.was_left_open
            elif branch.state.is_settled or (branch.state is BranchState.ASKING and not self.parked(branch.key)):
                assert len(attempt.cancels) == 1

    # -- time -------------------------------------------------------------------------------------

    @invariant()
    def something_always_happens_next(self) -> None:
        seen = self.coordination
        if not seen.state.is_terminal and seen.state is not TaskState.SUBMITTED:
            wake_at = seen.wake_at()
            assert seen.outstanding() or wake_at is not None
            assert wake_at is None or wake_at > self.at, "a timer that is due has gone off"

    @invariant()
    def deadlines_stand_still_exactly_while_only_answers_are_awaited(self) -> None:
        for name, run in self.coordination.stages.items():
            within = run.stage.limits.deadline_s
            if run.phase in LIVE and within and run.tally().open:
                end = self.begun[name] + within + self.waited - self.waited_before[name]
                assert run.deadline == pytest.approx(end, abs=1e-6)
                assert self.at < end + 1e-6
                assert self.coordination.is_waiting or self.coordination.wake_at() <= end + 1e-6
            whole = self.planned.plan.deadline_s
            if run.phase in LIVE and whole and run.tally().open:
                assert self.at < T0 + whole + self.waited + 1e-6

    @invariant()
    def a_branch_that_asks_does_not_run_out_of_its_time(self) -> None:
        for branch in self.coordination.branches():
            assert branch.state is not BranchState.ASKING or branch.expires_at is None

    # -- the task ---------------------------------------------------------------------------------

    @invariant()
    def a_terminal_task_asks_nothing_and_never_changes(self) -> None:
        seen = self.coordination
        if seen.state.is_terminal:
            assert (seen.asked, seen.wake_at(), seen.tally().open) == ((), None, 0)
            assert all(isinstance(command, Cancel) for command in seen.outstanding())
            view = view_of(seen, self.now)
            self.final = self.final or view
            assert self.final == view

    @invariant()
    def a_replay_gives_the_same_coordination(self) -> None:
        if len(self.facts) % 4 == 0:
            self.restart()

    # -- the machine's account --------------------------------------------------------------------

    def asked(self) -> set[Wanted]:
        return {
            (question.branch, "!" if is_ours(question.inquiry) else question.inquiry.key)
            for question in self.coordination.asked
        }

    def wanted(self) -> dict[Wanted, Inquiry]:
        """Return what has no answer yet."""
        wanted = {}
        for branch in self.coordination.branches():
            parked = self.parked(branch.key)
            if branch.state is BranchState.ASKING and not parked:
                wanted[branch.key, "!"] = Inquiry("failure", "")
            for asking in parked or self.half_answered(branch.key):
                wanted |= {(branch.key, key): one for key, one in asking.pending.items()}
        return wanted

    def parked(self, branch: str) -> list[Asking]:
        return [asking for asking in self.asking_of(branch) if asking.is_parked]

    def half_answered(self, branch: str) -> list[Asking]:
        return [asking for asking in self.asking_of(branch) if asking.pending]

    def asking_of(self, branch: str) -> list[Asking]:
        attempts = [attempt for attempt in self.attempts_of(branch) if self.is_wanted(attempt)]
        return [self.asking[one.send.id] for one in attempts if one.send.id in self.asking]


QuestionInvariants.TestCase.settings = budget(steps=60)
test_no_question_is_lost_and_nothing_answered_twice = QuestionInvariants.TestCase

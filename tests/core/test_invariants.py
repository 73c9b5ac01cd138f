"""What holds after every fact, whatever a hostile shell reports in whatever order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis.stateful import invariant

from coordinator.core.barrier import tally_of
from coordinator.core.commands import Cancel, Follow, Send
from coordinator.core.coordination import Coordination
from coordinator.core.model import Artifact, TaskState, Verdict
from coordinator.core.record import progress, run_record
from tests.core.building import T0
from tests.core.hostile_shell import HostileShell


class Invariants(HostileShell):
    """Looks at the coordination from outside, after every step."""

    @invariant()
    def the_tally_is_the_count_of_the_branches(self) -> None:
        tally = self.coordination.tally()
        assert tally == tally_of(branch.state for branch in self.coordination.branches())
        assert tally.total == len(self.stage.sub_tasks)

    @invariant()
    def no_more_branches_are_under_way_than_allowed(self) -> None:
        under_way = sum(branch.state.is_under_way for branch in self.coordination.branches())
        assert under_way <= (self.stage.limits.concurrency or len(self.stage.sub_tasks))

    @invariant()
    def no_branch_has_more_attempts_than_allowed(self) -> None:
        assert all(branch.attempt <= self.stage.retry.attempts for branch in self.coordination.branches())

    @invariant()
    def an_attempt_is_open_exactly_while_its_branch_is_under_way(self) -> None:
        open_attempts = {
            (command.branch, command.attempt)
            for command in self.coordination.outstanding()
            if isinstance(command, Send | Follow)
        }
        branches = self.coordination.branches()
        assert open_attempts == {(branch.key, branch.attempt) for branch in branches if branch.state.is_under_way}

    @invariant()
    def an_opened_task_is_followed_and_not_sent_again(self) -> None:
        for command in self.coordination.outstanding():
            if isinstance(command, Send | Follow):
                attempt = self.attempts[command.id]
                assert isinstance(command, Follow) is attempt.is_opened
                assert not isinstance(command, Follow) or command.remote == attempt.remote

    @invariant()
    def every_attempt_ends_by_its_own_event_or_is_canceled_once(self) -> None:
        for command_id, attempt in self.attempts.items():
            may_run = not self.coordination.open_command(command_id) and (
                not attempt.is_reported or attempt.was_left_open
            )
            assert len(attempt.cancels) == may_run

    @invariant()
    def an_open_cancel_knows_the_task_it_is_for(self) -> None:
        for command in self.coordination.outstanding():
            if isinstance(command, Cancel):
                attempt = self.attempts[f"attempt:{command.branch}:{command.attempt}"]
                assert command.remote == (attempt.remote if attempt.is_opened else None)

    @invariant()
    def an_outcome_is_final(self) -> None:
        for branch in self.coordination.branches():
            if branch.state.is_settled:
                assert self.outcomes.setdefault(branch.key, branch.state) == branch.state
                assert branch.settled_at is not None

    @invariant()
    def a_replay_gives_the_same_coordination(self) -> None:
        # A difference does not go away again, so every fourth fact is often enough.
        if len(self.facts) % 4 == 0:
            self.replay_and_compare()

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "facts"):
            self.replay_and_compare()

    def replay_and_compare(self) -> None:
        live, again = self.coordination, Coordination.replay(self.facts)
        assert again.outstanding() == live.outstanding()
        assert (again.state, again.verdict, again.reason) == (live.state, live.verdict, live.reason)
        assert again.artifacts == live.artifacts
        assert again.wake_at() == live.wake_at()
        assert run_record(again) == run_record(live)
        assert progress(again, self.now) == progress(live, self.now)

    @invariant()
    def only_cancels_are_open_behind_a_terminal_task(self) -> None:
        if self.coordination.state.is_terminal:
            assert all(isinstance(command, Cancel) for command in self.coordination.outstanding())
            assert self.coordination.tally().open == 0
            assert self.coordination.wake_at() is None
            assert self.coordination.is_closed is (not self.coordination.outstanding())
        else:
            assert not self.coordination.is_closed

    @invariant()
    def a_terminal_task_never_changes(self) -> None:
        seen = self.coordination
        if seen.state.is_terminal:
            end = (seen.state, seen.state_at, seen.verdict, seen.reason, seen.artifacts, seen.tally(), run_record(seen))
            assert (self.ended or end) == end
            self.ended = end

    @invariant()
    def the_verdict_fits_the_state_and_the_branches(self) -> None:
        seen, tally = self.coordination, self.coordination.tally()
        match seen.state:
            case TaskState.SUBMITTED | TaskState.WORKING:
                assert (seen.verdict, seen.reason, seen.artifacts) == (None, "", ())
            case TaskState.COMPLETED:
                assert seen.verdict is (Verdict.PARTIAL if tally.failed else Verdict.COMPLETE)
                assert seen.reason.startswith("Partial result") is (seen.verdict is Verdict.PARTIAL)
                assert [merged.artifact_id for merged in seen.artifacts] == ["report"]
            case _:
                assert seen.verdict in {Verdict.FAILED, Verdict.CANCELED}
                assert seen.reason
                assert {kept.artifact_id for kept in seen.artifacts} == self.finished()

    @invariant()
    def something_always_happens_next(self) -> None:
        seen = self.coordination
        if seen.state is TaskState.WORKING:
            wake_at = seen.wake_at()
            assert seen.outstanding() or wake_at is not None
            assert wake_at is None or wake_at > self.at, "a timer that is due has gone off"
            if self.stage.limits.deadline_s and seen.tally().open:
                assert wake_at is not None
                assert wake_at <= T0 + self.stage.limits.deadline_s

    @invariant()
    def nobody_is_waited_for_longer_than_allowed(self) -> None:
        limits, has_begun = self.stage.limits, self.coordination.state is not TaskState.SUBMITTED
        for branch in self.coordination.branches():
            ends = [T0 + limits.deadline_s] if limits.deadline_s and has_begun else []
            if limits.branch_timeout_s:
                ends += [start + limits.branch_timeout_s for start in self.first_start(branch.key)]
            assert branch.state.is_settled or all(self.at < end for end in ends)

    def first_start(self, key: str) -> list[float]:
        attempts = [attempt for attempt in self.attempts.values() if attempt.send.branch == key]
        return [attempt.started_at for attempt in attempts if attempt.started_at is not None][:1]

    def finished(self) -> set[str]:
        def id_of(key: str, brought: Artifact) -> str:
            return f"{key}/{brought.artifact_id}"

        return {id_of(branch.key, one) for branch in self.coordination.branches() for one in branch.artifacts}


Invariants.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
test_the_invariants_hold_whatever_a_shell_reports = Invariants.TestCase

"""What holds after every fact, whatever a hostile shell reports in whatever order."""

from __future__ import annotations

from collections import Counter

from hypothesis.stateful import invariant

from coordinator.core.barrier import tally_of
from coordinator.core.commands import Cancel, Expand, Follow, Merge, Send
from coordinator.core.coordination import Coordination
from coordinator.core.model import MESSAGE, Exhausted, Release, Stage, Stragglers, TaskState, Verdict
from coordinator.core.record import progress, run_record
from coordinator.core.scheduling import Phase
from coordinator.core.states import BranchState
from tests.core.building import T0
from tests.core.hostile_shell import HostileShell, budget

LIVE = {Phase.RUNNING, Phase.TRAILING}


class Invariants(HostileShell):
    """Looks at every command, and at the coordination from outside after every step."""

    # -- commands ---------------------------------------------------------------------------------

    def check_send(self, send: Send) -> None:
        assert send.since == self.at
        assert send.message_id not in {attempt.send.message_id for attempt in self.attempts.values()}
        before, stage = self.attempts_of(send.branch), self.stage_of(send.branch)
        assert send.attempt == len(before) + 1
        assert all(attempt.settled_cancels == len(attempt.cancels) for attempt in before), "the one before is closed"
        others = [attempt for attempt in before if not attempt.is_reported]
        assert not others or (stage.hedge_s is not None and len(others) == 1), "only a hedge may start beside another"
        tried = {attempt.send.agent for attempt in before}
        if others:
            assert send.agent not in tried
        if send.agent in tried:
            last = max(before, key=lambda attempt: self.reported_at[attempt.send.id])
            assert send.agent == last.send.agent, "nobody is gone back to"
        self.check_parts(send)

    def check_parts(self, send: Send) -> None:
        run = self.coordination.stages[send.branch.partition("/")[0]]
        task = run.branches[send.branch].sub_task
        assert all(self.reports[name] for name in run.stage.draws_on), "what it draws on is done"
        merged = [self.coordination.stages[name].artifacts for name in run.stage.uses]
        needed = [run.branches[run.key(other)] for other in task.after]
        assert all(branch.state is BranchState.SUCCEEDED for branch in needed)
        common = self.coordination.accepted.message.parts if run.stage.with_message else ()
        expected = [*(common if task.parts is None else task.parts)]
        expected += [ref for artifacts in merged for one in artifacts for ref in one.parts]
        expected += [ref for branch in needed for one in branch.artifacts for ref in one.parts]
        assert list(send.parts) == expected

    def check_merge(self, merge: Merge) -> None:
        run = self.coordination.stages[merge.stage]
        tally, keys = run.tally(), [outcome.branch for outcome in merge.outcomes]
        assert keys == [key for key in run.branches if key in keys], "in plan order"
        earlier = {outcome.branch for one in self.merges if one.stage == merge.stage for outcome in one.outcomes}
        assert not earlier & set(keys)
        assert len(earlier) + len(keys) == tally.succeeded
        assert tally.succeeded >= (1 if run.stage.release is Release.FIRST else run.stage.need.of(tally.total))
        assert merge.is_late is any(one.stage == merge.stage for one in self.merges)
        if run.stage.exhausted is Exhausted.FAIL_FAST:
            assert tally.failed == 0
        if merge.is_late:
            assert keys
            assert run.stage.stragglers is Stragglers.CONTINUE
        if merge.is_late or run.stage.release is Release.SETTLED:
            assert (tally.open, tally.canceled) == (0, 0)
        elif run.stage.stragglers is Stragglers.CANCEL:
            assert tally.open == 0

    def check_expand(self, expand: Expand) -> None:
        assert [name for name, _ in expand.drawn] == [MESSAGE, *expand.stage.draws_on]
        assert all(self.reports[name] for name in expand.stage.draws_on)

    # -- branches and attempts --------------------------------------------------------------------

    @invariant()
    def the_tally_is_the_count_of_the_branches(self) -> None:
        tally = self.coordination.tally()
        assert tally == tally_of(branch.state for branch in self.coordination.branches())
        assert tally.total == sum(len(self.planned.sub_tasks(self.stage(name))) for name in self.begun)

    @invariant()
    def no_more_branches_are_under_way_than_allowed(self) -> None:
        for run in self.coordination.stages.values():
            under_way = sum(branch.state.is_under_way for branch in run.branches.values())
            assert under_way <= (run.stage.limits.concurrency or len(run.branches))

    @invariant()
    def no_branch_is_tried_more_often_or_elsewhere_than_allowed(self) -> None:
        for branch in self.coordination.branches():
            at_each = Counter(attempt.send.agent for attempt in self.attempts_of(branch.key))
            stage = branch.stage
            assert all(count <= stage.retry.attempts for count in at_each.values())
            assert len(at_each) <= 1 + stage.fallback + (stage.hedge_s is not None)
            assert set(at_each) <= {branch.sub_task.agent, *branch.sub_task.others}

    @invariant()
    def the_retry_budget_is_kept(self) -> None:
        budget = self.planned.plan.retry_budget
        first = {attempt.send.branch for attempt in self.attempts.values()}
        assert budget is None or len(self.attempts) - len(first) <= budget

    @invariant()
    def attempts_are_open_exactly_while_their_branch_is_under_way(self) -> None:
        opened: dict[str, list[str]] = {}
        for command in self.coordination.outstanding():
            if isinstance(command, Send | Follow):
                opened.setdefault(command.branch, []).append(command.agent.name)
        assert set(opened) == {one.key for one in self.coordination.branches() if one.state.is_under_way}
        for key, agents in opened.items():
            assert len(agents) == 1 or (self.stage_of(key).hedge_s is not None and len(set(agents)) == len(agents) == 2)

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
                assert (branch.failure is not None) is (
                    branch.state in {BranchState.FAILED, BranchState.TIMED_OUT}
                ) or (branch.state is BranchState.CANCELED)

    # -- the task ---------------------------------------------------------------------------------

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
        seen = self.coordination
        ids = [one.artifact_id for one in seen.artifacts]
        # In a race the others are not in the answer anyway.
        needed = [one for one in seen.branches() if one.stage.release is not Release.FIRST]
        is_partial = any(one.state in {BranchState.FAILED, BranchState.TIMED_OUT} for one in needed)
        match seen.state:
            case TaskState.SUBMITTED | TaskState.WORKING:
                assert (seen.verdict, seen.reason) == (None, "")
                assert ids == self.reports[self.planned.plan.answering_stage]
            case TaskState.COMPLETED:
                assert seen.verdict is (Verdict.PARTIAL if is_partial else Verdict.COMPLETE)
                assert seen.reason.startswith("Partial result") is (seen.verdict is Verdict.PARTIAL)
                assert ids == self.reports[self.planned.plan.answering_stage]
                assert all(self.reports.values())
            case _:
                assert seen.verdict in {Verdict.FAILED, Verdict.CANCELED}
                assert seen.reason
                assert ids == [f"{one.key}/{kept.artifact_id}" for one in seen.branches() for kept in one.artifacts]

    # -- time -------------------------------------------------------------------------------------

    @invariant()
    def something_always_happens_next(self) -> None:
        seen = self.coordination
        if seen.state is TaskState.WORKING:
            wake_at = seen.wake_at()
            assert seen.outstanding() or wake_at is not None
            assert wake_at is None or wake_at > self.at, "a timer that is due has gone off"
            for name, run in seen.stages.items():
                if run.phase in LIVE and run.tally().open:
                    assert all(wake_at is not None and wake_at <= end for end in self.deadlines(name))

    @invariant()
    def nobody_is_waited_for_longer_than_allowed(self) -> None:
        for name, run in self.coordination.stages.items():
            for branch in run.branches.values() if run.phase in LIVE else ():
                ends = self.deadlines(name)
                timeout = branch.sub_task.timeout_s or run.stage.limits.branch_timeout_s
                if timeout and branch.key in self.started:
                    ends.append(self.started[branch.key] + timeout)
                assert branch.state.is_settled or all(self.at < end for end in ends)

    def deadlines(self, name: str) -> list[float]:
        within = self.stage(name).limits.deadline_s
        ends = [self.begun[name] + within] if within and name in self.begun else []
        return [*ends, T0 + self.planned.plan.deadline_s] if self.planned.plan.deadline_s else ends

    def stage(self, name: str) -> Stage:
        return self.coordination.stages[name].stage


Invariants.TestCase.settings = budget(steps=40)
test_the_invariants_hold_whatever_a_shell_reports = Invariants.TestCase

"""One coordination: facts go in, commands come out.

`receive` settles all state synchronously and returns what is to be done; the shell does it
and reports back with more facts. The same facts in the same order always give the same
state and the same commands, so a replay after a crash is the recovery.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from functools import singledispatchmethod
from typing import Any

from coordinator.core import events as ev
from coordinator.core import reasons
from coordinator.core.barrier import Decision, Tally
from coordinator.core.branch import Branch
from coordinator.core.commands import Cancel, Command, Merge
from coordinator.core.failure import decide
from coordinator.core.model import Artifact, Exhausted, Failure, FailureKind, TaskState, Verdict
from coordinator.core.scheduling import StageRun
from coordinator.core.states import BranchState, Trigger, check_task_transition
from coordinator.errors import IllegalTransition


class Coordination:
    """The state behind one inbound task, rebuilt from its facts."""

    def __init__(self, accepted: ev.TaskAccepted) -> None:
        self.accepted = accepted
        self.state = TaskState.SUBMITTED
        self.state_at = accepted.at
        self.verdict: Verdict | None = None
        self.reason = ""
        self.artifacts: tuple[Artifact, ...] = ()
        self.merge_summary: Mapping[str, Any] = {}
        self.frozen: list[Branch] = []  #: the branches as they were when the task became terminal
        self.stages = [
            StageRun(stage, accepted.task_id, accepted.at, accepted.message.parts) for stage in accepted.plan.stages
        ]
        self._current = 0
        self._open: dict[str, Command] = {}
        self._issued: list[Command] = []

    @classmethod
    def replay(cls, facts: Iterable[ev.Event]) -> Coordination:
        """Rebuild the state from *facts*; the first one has to be `TaskAccepted`."""
        iterator = iter(facts)
        first = next(iterator, None)
        if not isinstance(first, ev.TaskAccepted):
            raise IllegalTransition("a coordination starts with TaskAccepted")
        coordination = cls(first)
        for fact in iterator:
            coordination.receive(fact)
        return coordination

    def receive(self, event: ev.Event) -> list[Command]:
        """Take one fact in and return the commands it opens."""
        self._issued = []
        self._on(event)
        if not self.state.is_terminal and self.state is not TaskState.SUBMITTED:
            self._advance(event.at)
        return self._issued

    def outstanding(self) -> list[Command]:
        """Return the commands no event has closed yet, oldest first."""
        return list(self._open.values())

    def open_command(self, command_id: str) -> Command | None:
        """Return the command as it is wanted now, or None when an event has closed it."""
        return self._open.get(command_id)

    @property
    def is_closed(self) -> bool:
        """Whether the task is terminal and nothing is left to be settled behind it."""
        return self.state.is_terminal and not self._open

    @property
    def stage(self) -> StageRun:
        """The stage under way, or the last one."""
        return self.stages[min(self._current, len(self.stages) - 1)]

    def branches(self) -> list[Branch]:
        """Return all branches in plan order."""
        return [branch for stage in self.stages for branch in stage.branches.values()]

    def tally(self) -> Tally:
        """Count the branches of all stages."""
        tallies = [stage.tally() for stage in self.stages]
        return Tally(
            total=sum(tally.total for tally in tallies),
            succeeded=sum(tally.succeeded for tally in tallies),
            failed=sum(tally.failed for tally in tallies),
            canceled=sum(tally.canceled for tally in tallies),
        )

    def wake_at(self) -> float | None:
        """Return the instant at which a `TimePassed` is wanted, if any."""
        if self.state.is_terminal or self._is_merging():
            return None
        return self.stage.wake_at()

    # -- facts ------------------------------------------------------------------------------------

    @singledispatchmethod
    def _on(self, event: ev.Event) -> None:
        raise IllegalTransition(f"{type(event).__name__} is not a fact about a coordination")

    @_on.register
    def _on_accepted(self, _: ev.TaskAccepted) -> None:
        raise IllegalTransition("TaskAccepted is the first fact and comes once")

    @_on.register
    def _on_turn_started(self, event: ev.TurnStarted) -> None:
        if self.state is TaskState.SUBMITTED:
            self._enter(TaskState.WORKING, event.at)

    @_on.register
    def _on_time_passed(self, _: ev.TimePassed) -> None:
        """Nothing but the instant, which `_advance` looks at."""

    @_on.register
    def _on_cancel_requested(self, event: ev.CancelRequested) -> None:
        if not self.state.is_terminal:
            self._finish(TaskState.CANCELED, Verdict.CANCELED, "canceled by the client", event.at)

    @_on.register
    def _on_coordination_failed(self, event: ev.CoordinationFailed) -> None:
        if not self.state.is_terminal:
            self._finish(TaskState.FAILED, Verdict.FAILED, event.reason, event.at)

    @_on.register
    def _on_attempt_started(self, event: ev.AttemptStarted) -> None:
        run, branch = self._find(event)
        if not branch.is_current(event.attempt) or branch.attempt_started:
            return
        branch.attempt_started = True
        if branch.started_at is None:
            branch.started_at = event.at
            if run.stage.limits.branch_timeout_s is not None:
                branch.expires_at = event.at + run.stage.limits.branch_timeout_s
                run.set_timer(branch.expires_at, branch)

    @_on.register
    def _on_task_opened(self, event: ev.TaskOpened) -> None:
        run, branch = self._find(event)
        if branch.is_current(event.attempt) and branch.state is BranchState.SENDING:
            before = branch.state
            follow = branch.follow(event.remote)
            run.recount(before, branch.state)
            self._open[follow.id] = follow
            return
        # The answer to a send that is no longer wanted: after a crash the cancel has to know whom it is for.
        waiting = self._open.get(f"cancel:{event.branch}:{event.attempt}")
        if isinstance(waiting, Cancel) and waiting.remote is None:
            self._open[waiting.id] = dataclasses.replace(waiting, remote=event.remote)
            if event.attempt == branch.attempt:
                branch.remote = event.remote

    @_on.register
    def _on_progressed(self, event: ev.Progressed) -> None:
        _, branch = self._find(event)
        if branch.is_current(event.attempt):
            branch.text = event.text

    @_on.register
    def _on_attempt_succeeded(self, event: ev.AttemptSucceeded) -> None:
        run, branch = self._find(event)
        if not branch.is_current(event.attempt):
            return
        self._close(branch.attempt_id())
        run.move(branch, Trigger.SUCCEED)
        branch.settled_at = event.at
        branch.artifacts, branch.message, branch.failure = event.artifacts, event.message, None

    @_on.register
    def _on_attempt_failed(self, event: ev.AttemptFailed) -> None:
        run, branch = self._find(event)
        if not branch.is_current(event.attempt):
            return
        self._close(branch.attempt_id())
        branch.failure = event.failure
        if event.is_open:
            self._issue(branch.cancel_command())
        again = decide(event.failure, run.stage.retry, attempt=event.attempt, at=event.at, jitter=event.jitter)
        if again is None:
            self._settle(run, branch, Trigger.GIVE_UP, event.at)
        else:
            run.move(branch, Trigger.BACK_OFF)
            branch.retry_at = again.at
            run.set_timer(again.at, branch)

    @_on.register
    def _on_cancel_settled(self, event: ev.CancelSettled) -> None:
        run, branch = self._find(event)
        if not self._close(f"cancel:{event.branch}:{event.attempt}"):
            return
        if event.attempt == branch.attempt:
            branch.cancel = event.result
            if branch.retry_at is not None:
                run.set_timer(branch.retry_at, branch)

    @_on.register
    def _on_merged(self, event: ev.Merged) -> None:
        if not self._close(f"merge:{event.stage}"):
            return
        self.artifacts, self.merge_summary = event.artifacts, event.summary
        reason = reasons.completed(self.branches())
        verdict = Verdict.PARTIAL if reasons.missing(self.branches()) else Verdict.COMPLETE
        if verdict is Verdict.PARTIAL:
            self.artifacts = tuple(_labelled(artifact, reason) for artifact in event.artifacts)
        self._finish(TaskState.COMPLETED, verdict, reason, event.at)

    @_on.register
    def _on_merge_failed(self, event: ev.MergeFailed) -> None:
        if self._close(f"merge:{event.stage}"):
            reason = f"merging the results failed: {event.reason}"
            self._finish(TaskState.FAILED, Verdict.FAILED, reason, event.at)

    # -- decisions --------------------------------------------------------------------------------

    def _advance(self, at: float) -> None:
        if self._is_merging():
            return
        run = self.stage
        self._fire_timers(run, at)
        if self._judge(run, at) is Decision.WAIT:
            for branch in run.startable():
                before = branch.state
                self._issue(branch.begin_attempt(at))
                run.recount(before, branch.state)

    def _fire_timers(self, run: StageRun, at: float) -> None:
        for branch in run.due(at):
            if branch.state.is_settled:
                continue
            if branch.expires_at is not None and branch.expires_at <= at:
                timeout = run.stage.limits.branch_timeout_s
                self._expire(run, branch, FailureKind.TIMED_OUT, f"no result within {timeout:g} s", at)
            elif self._may_retry(branch, at):
                branch.retry_at = None
                run.requeue(branch)
        if run.deadline is not None and run.deadline <= at:
            for branch in run.unsettled():
                deadline = run.stage.limits.deadline_s
                self._expire(run, branch, FailureKind.DEADLINE, f"not settled at the deadline of {deadline:g} s", at)

    def _judge(self, run: StageRun, at: float) -> Decision:
        decision = run.judge()
        if run.stage.exhausted is Exhausted.FAIL_FAST and run.tally().failed > 0:
            self._finish(TaskState.FAILED, Verdict.FAILED, reasons.failed_fast(self.branches()), at)
            return Decision.GIVE_UP
        if decision is Decision.GIVE_UP:
            reason = reasons.need_not_met(run.stage.need, self.branches())
            self._finish(TaskState.FAILED, Verdict.FAILED, reason, at)
        if decision is Decision.RELEASE:
            self._drop_unsettled(run, at)
            outcomes = tuple(b.outcome() for b in run.branches.values() if b.state is BranchState.SUCCEEDED)
            self._issue(
                Merge(id=f"merge:{run.stage.name}", stage=run.stage.name, spec=run.stage.merge, outcomes=outcomes)
            )
        return decision

    def _finish(self, state: TaskState, verdict: Verdict, reason: str, at: float) -> None:
        for run in self.stages:
            self._drop_unsettled(run, at)
            self._close(f"merge:{run.stage.name}")
        if state is not TaskState.COMPLETED:
            self.artifacts = tuple(artifact for branch in self.branches() for artifact in branch.kept())
        self.verdict, self.reason = verdict, reason
        # A terminal task does not change any more, though its cancels are still being settled.
        self.frozen = [dataclasses.replace(branch) for branch in self.branches()]
        self._enter(state, at)

    def _drop_unsettled(self, run: StageRun, at: float) -> None:
        for branch in run.unsettled():
            self._settle(run, branch, Trigger.CANCEL, at)

    def _expire(self, run: StageRun, branch: Branch, kind: FailureKind, message: str, at: float) -> None:
        if branch.failure is not None:
            message = f"{message}; the last attempt failed: {branch.failure.message}"
        branch.failure = Failure(kind, message)
        self._settle(run, branch, Trigger.TIME_OUT, at)

    def _settle(self, run: StageRun, branch: Branch, trigger: Trigger, at: float) -> None:
        """Give *branch* its outcome and cancel what may still be running for it."""
        if self._close(branch.attempt_id()):
            self._issue(branch.cancel_command())
        run.move(branch, trigger)
        branch.settled_at = at

    def _enter(self, state: TaskState, at: float) -> None:
        check_task_transition(self.state, state)
        self.state, self.state_at = state, at

    # -- book-keeping -----------------------------------------------------------------------------

    def _may_retry(self, branch: Branch, at: float) -> bool:
        """Whether the delay is over and the attempt before is closed: the work is never asked for twice at once."""
        is_closed = f"cancel:{branch.key}:{branch.attempt}" not in self._open
        return branch.retry_at is not None and branch.retry_at <= at and is_closed

    def _is_merging(self) -> bool:
        return f"merge:{self.stage.stage.name}" in self._open

    def _find(self, event: ev.AttemptEvent) -> tuple[StageRun, Branch]:
        stage_name = event.branch.partition("/")[0]
        for run in self.stages:
            if run.stage.name == stage_name and event.branch in run.branches:
                return run, run.branches[event.branch]
        raise IllegalTransition(f"there is no branch {event.branch}")

    def _issue(self, command: Command) -> None:
        self._open[command.id] = command
        self._issued.append(command)

    def _close(self, command_id: str) -> bool:
        return self._open.pop(command_id, None) is not None


def _labelled(artifact: Artifact, reason: str) -> Artifact:
    return dataclasses.replace(artifact, description=f"{artifact.description} {reason}".strip())

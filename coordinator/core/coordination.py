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
from coordinator.core.barrier import Tally
from coordinator.core.branch import Branch
from coordinator.core.commands import Cancel, Command
from coordinator.core.model import Artifact, TaskState, Verdict
from coordinator.core.progression import Progression
from coordinator.core.scheduling import Phase, StageRun
from coordinator.core.states import check_task_transition
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
        self.frozen: list[Branch] = []  #: the branches as they were when the task became terminal
        self.stages = {stage.name: StageRun(stage, accepted.task_id) for stage in accepted.plan.stages}
        self._open: dict[str, Command] = {}
        self._issued: list[Command] = []
        self._progression = Progression(accepted, self.stages, self._issue, self._close)

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
    def answer(self) -> StageRun:
        """The stage whose artifact is the task's."""
        return self.stages[self.accepted.plan.answering_stage]

    @property
    def merge_summary(self) -> Mapping[str, Any]:
        """The numbers the answering stage's strategy gave."""
        return self.answer.summary

    def branches(self) -> list[Branch]:
        """Return all branches in plan order."""
        return [branch for stage in self.stages.values() for branch in stage.branches.values()]

    def tally(self) -> Tally:
        """Count the branches of all stages."""
        tallies = [stage.tally() for stage in self.stages.values()]
        return Tally(
            total=sum(tally.total for tally in tallies),
            succeeded=sum(tally.succeeded for tally in tallies),
            failed=sum(tally.failed for tally in tallies),
            canceled=sum(tally.canceled for tally in tallies),
        )

    def wake_at(self) -> float | None:
        """Return the instant at which a `TimePassed` is wanted, if any."""
        return None if self.state.is_terminal else self._progression.wake_at()

    # -- facts ------------------------------------------------------------------------------------

    @singledispatchmethod
    def _on(self, event: ev.Event) -> None:
        raise IllegalTransition(f"{type(event).__name__} is not a fact about a coordination")

    @_on.register
    def _on_accepted(self, _: ev.TaskAccepted) -> None:
        raise IllegalTransition("TaskAccepted is the first fact and comes once")

    @_on.register
    def _on_turn_started(self, event: ev.TurnStarted) -> None:
        if self.state is TaskState.SUBMITTED and self.accepted.rejection:
            self._finish(TaskState.REJECTED, Verdict.REJECTED, self.accepted.rejection, event.at)
        elif self.state is TaskState.SUBMITTED:
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
        attempt = branch.current(event.attempt)
        if attempt is not None and not attempt.has_started:
            attempt.has_started = True
            self._progression.started(run, branch, event.at)

    @_on.register
    def _on_task_opened(self, event: ev.TaskOpened) -> None:
        run, branch = self._find(event)
        attempt = branch.current(event.attempt)
        if attempt is not None:
            if attempt.remote is None:
                follow = self._progression.opened(run, branch, attempt, event.remote)
                self._open[follow.id] = follow
            return
        # The answer to a send that is no longer wanted: after a crash the cancel has to know whom it is for.
        waiting = self._open.get(f"cancel:{event.branch}:{event.attempt}")
        late = branch.attempt(event.attempt)
        if isinstance(waiting, Cancel) and waiting.remote is None and late is not None:
            self._open[waiting.id] = dataclasses.replace(waiting, remote=event.remote)
            late.remote = event.remote

    @_on.register
    def _on_progressed(self, event: ev.Progressed) -> None:
        _, branch = self._find(event)
        if branch.current(event.attempt) is not None:
            branch.text = event.text

    @_on.register
    def _on_attempt_succeeded(self, event: ev.AttemptSucceeded) -> None:
        run, branch = self._find(event)
        attempt = branch.current(event.attempt)
        if attempt is not None:
            self._progression.succeeded(run, branch, attempt, event)

    @_on.register
    def _on_attempt_failed(self, event: ev.AttemptFailed) -> None:
        run, branch = self._find(event)
        attempt = branch.current(event.attempt)
        if attempt is not None:
            self._progression.failed(run, branch, attempt, event)

    @_on.register
    def _on_cancel_settled(self, event: ev.CancelSettled) -> None:
        run, branch = self._find(event)
        attempt = branch.attempt(event.attempt)
        if attempt is None or not self._close(f"cancel:{event.branch}:{event.attempt}"):
            return
        attempt.cancel = event.result
        if branch.retry_at is not None:
            run.set_timer(branch.retry_at, branch)

    @_on.register
    def _on_stage_expanded(self, event: ev.StageExpanded) -> None:
        if self._close(f"expand:{event.stage}"):
            self._progression.begin(self.stages[event.stage], event.sub_tasks, event.at)

    @_on.register
    def _on_expansion_failed(self, event: ev.ExpansionFailed) -> None:
        if self._close(f"expand:{event.stage}"):
            reason = f"stage {event.stage} has no sub-tasks: {event.reason}"
            self._finish(TaskState.FAILED, Verdict.FAILED, reason, event.at)

    @_on.register
    def _on_merged(self, event: ev.Merged) -> None:
        run = self.stages[event.stage]
        if self._close(merge_id(event.stage, is_late=event.is_late)):
            run.artifacts += event.artifacts
            if not event.is_late:
                run.summary = event.summary
            self._progression.merged(run)
            if run is self.answer:
                self.artifacts = run.artifacts

    @_on.register
    def _on_merge_failed(self, event: ev.MergeFailed) -> None:
        if self._close(merge_id(event.stage, is_late=event.is_late)):
            reason = f"merging the results of stage {event.stage} failed: {event.reason}"
            self._finish(TaskState.FAILED, Verdict.FAILED, reason, event.at)

    # -- the course of the task -------------------------------------------------------------------

    def _advance(self, at: float) -> None:
        failure = self._progression.advance(at)
        if failure:
            self._finish(TaskState.FAILED, Verdict.FAILED, failure, at)
        elif all(run.phase is Phase.DONE for run in self.stages.values()):
            self._complete(at)

    def _complete(self, at: float) -> None:
        reason = reasons.completed(self.branches())
        verdict = Verdict.COMPLETE
        if reasons.missing(self.branches()):
            verdict = Verdict.PARTIAL
            self.artifacts = tuple(_labelled(artifact, reason) for artifact in self.artifacts)
        self._finish(TaskState.COMPLETED, verdict, reason, at)

    def _finish(self, state: TaskState, verdict: Verdict, reason: str, at: float) -> None:
        self._progression.drop_everything(at)
        if state is not TaskState.COMPLETED:
            self.artifacts = tuple(artifact for branch in self.branches() for artifact in branch.kept())
        self.verdict, self.reason = verdict, reason
        # A terminal task does not change any more, though its cancels are still being settled.
        self.frozen = [branch.frozen() for branch in self.branches()]
        self._enter(state, at)

    def _enter(self, state: TaskState, at: float) -> None:
        check_task_transition(self.state, state)
        self.state, self.state_at = state, at

    # -- book-keeping -----------------------------------------------------------------------------

    def _find(self, event: ev.AttemptEvent) -> tuple[StageRun, Branch]:
        run = self.stages.get(event.branch.partition("/")[0])
        if run is None or event.branch not in run.branches:
            raise IllegalTransition(f"there is no branch {event.branch}")
        return run, run.branches[event.branch]

    def _issue(self, command: Command) -> None:
        self._open[command.id] = command
        self._issued.append(command)

    def _close(self, command_id: str) -> bool:
        return self._open.pop(command_id, None) is not None


def merge_id(stage: str, *, is_late: bool) -> str:
    """Return the id of the command that merges a stage, or its stragglers."""
    return f"late:{stage}" if is_late else f"merge:{stage}"


def _labelled(artifact: Artifact, reason: str) -> Artifact:
    return dataclasses.replace(artifact, description=f"{artifact.description} {reason}".strip())

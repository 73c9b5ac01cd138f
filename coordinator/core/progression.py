"""How stages and branches go on: what starts, what is given up, what is tried next.

The decisions of one coordination between two facts. It changes stages and branches and
issues commands; what the task as a whole becomes is `coordination.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from coordinator.core import events as ev
from coordinator.core import reasons
from coordinator.core.barrier import Decision
from coordinator.core.branch import Attempt, Branch
from coordinator.core.commands import Command, Expand, Follow, Merge
from coordinator.core.failure import FallBack, TryAgain, decide
from coordinator.core.model import (
    MESSAGE,
    AgentRef,
    Exhausted,
    Failure,
    FailureKind,
    PartRef,
    RemoteTask,
    Stragglers,
    SubTask,
)
from coordinator.core.scheduling import Phase, StageRun
from coordinator.core.states import BranchState, Trigger


class Progression:
    """The stages of one coordination, and the rules by which they advance."""

    def __init__(
        self,
        accepted: ev.TaskAccepted,
        stages: Mapping[str, StageRun],
        issue: Callable[[Command], None],
        close: Callable[[str], bool],
    ) -> None:
        self._plan = accepted.plan
        self._message = accepted.message.parts
        self._journey = accepted.journey
        self._stages = stages
        self._issue = issue
        self._close = close
        deadline_s = accepted.plan.deadline_s
        self._deadline = None if deadline_s is None else accepted.at + deadline_s
        self._extra_attempts = 0

    def wake_at(self) -> float | None:
        """Return the earliest instant at which something falls due in any stage."""
        running = [run for run in self._stages.values() if run.phase in {Phase.RUNNING, Phase.TRAILING}]
        instants = [run.wake_at() for run in running]
        if running:
            instants.append(self._deadline)
        return min((instant for instant in instants if instant is not None), default=None)

    def advance(self, at: float) -> str:
        """Bring every stage as far as it goes now; return why the task fails, or an empty string."""
        for run in self._stages.values():
            if run.phase is Phase.WAITING and all(
                self._stages[name].phase is Phase.DONE for name in run.stage.draws_on
            ):
                if self._deadline is not None and self._deadline <= at:
                    return f"the deadline passed before stage {run.stage.name} could start"
                self._open_stage(run, at)
            if run.phase in {Phase.RUNNING, Phase.TRAILING} and (failure := self._run(run, at)):
                return failure
        return ""

    def begin(self, run: StageRun, sub_tasks: Sequence[SubTask], at: float) -> None:
        """Start *run* with its sub-tasks."""
        common = self._message if run.stage.with_message else ()
        used = tuple(ref for name in run.stage.uses for ref in self._merged_parts(name))
        parts = {s.id: (common if s.parts is None else s.parts) + used for s in sub_tasks}
        run.begin(sub_tasks, parts, at)

    def started(self, run: StageRun, branch: Branch, at: float) -> None:
        """Note that an attempt has gone out: clocks start with the first one."""
        if branch.started_at is not None:
            return
        branch.started_at = at
        timeout = branch.sub_task.timeout_s or run.stage.limits.branch_timeout_s
        if timeout is not None:
            branch.expires_at = at + timeout
            run.set_timer(branch.expires_at, branch)
        if run.stage.hedge_s is not None:
            branch.hedge_at = at + run.stage.hedge_s
            run.set_timer(branch.hedge_at, branch)

    def opened(self, run: StageRun, branch: Branch, attempt: Attempt, remote: RemoteTask) -> Follow:
        """Note that the specialist has a task for the attempt."""
        if branch.state is BranchState.SENDING:
            run.move(branch, Trigger.OPEN)
        return branch.follow(attempt, remote)

    def succeeded(self, run: StageRun, branch: Branch, attempt: Attempt, event: ev.AttemptSucceeded) -> None:
        """Take the result of the first attempt that brings one; the others are no longer needed."""
        self._end(branch, attempt)
        branch.winner, branch.failure = attempt, None
        branch.artifacts, branch.message = event.artifacts, event.message
        self._settle(run, branch, Trigger.SUCCEED, event.at)
        for freed in run.release_dependents(branch):
            needed = [run.branches[run.key(other)] for other in freed.sub_task.after]
            freed.parts += tuple(ref for other in needed for kept in other.kept() for ref in kept.parts)

    def failed(self, run: StageRun, branch: Branch, attempt: Attempt, event: ev.AttemptFailed) -> None:
        """Decide what to try after a failed attempt; as long as another one is under way, nothing."""
        self._end(branch, attempt)
        branch.failure = event.failure
        if event.is_open:
            self._issue(branch.cancel(attempt))
        if branch.open_attempts():
            return
        budget = self._plan.retry_budget
        left = None if budget is None else budget - self._extra_attempts
        room = branch.room(attempt, left, self._until(run, branch, event.at))
        match decide(event.failure, run.stage.retry, room, at=event.at, jitter=event.jitter):
            case TryAgain(at):
                self._back_off(run, branch, attempt.agent, at)
            case FallBack():
                self._back_off(run, branch, branch.next_agent(), event.at)
            case None:
                self._settle(run, branch, Trigger.GIVE_UP, event.at)

    def merged(self, run: StageRun) -> None:
        """Go on after a merge, first to the stragglers the plan lets continue."""
        run.phase = Phase.TRAILING

    def drop_everything(self, at: float) -> None:
        """Settle whatever is open in any stage; its remote tasks are canceled."""
        for run in self._stages.values():
            for command_id in (f"expand:{run.stage.name}", f"merge:{run.stage.name}", f"late:{run.stage.name}"):
                self._close(command_id)
            self._drop_unsettled(run, at)

    # -- stages -----------------------------------------------------------------------------------

    def _open_stage(self, run: StageRun, at: float) -> None:
        stage = run.stage
        if not stage.is_expanded_later:
            self.begin(run, stage.sub_tasks, at)
            return
        run.phase = Phase.EXPANDING
        drawn = tuple((name, self._merged_parts(name)) for name in stage.draws_on)
        self._issue(Expand(id=f"expand:{stage.name}", stage=stage, drawn=((MESSAGE, self._message), *drawn)))

    def _run(self, run: StageRun, at: float) -> str:
        self._fire_timers(run, at)
        if run.stage.exhausted is Exhausted.FAIL_FAST and run.tally().failed > 0:
            return reasons.failed_fast(list(run.branches.values()))
        if run.phase is Phase.TRAILING:
            self._trail(run, at)
            return ""
        decision = run.judge()
        if decision is Decision.GIVE_UP:
            return reasons.need_not_met(run.needed(), list(run.branches.values()))
        if decision is Decision.RELEASE:
            self._release(run, at)
        else:
            self._start(run, at)
        return ""

    def _start(self, run: StageRun, at: float) -> None:
        for branch in run.startable():
            run.move(branch, Trigger.SEND)
            self._send(run, branch, branch.retry_agent or branch.sub_task.agent, at)

    def _release(self, run: StageRun, at: float) -> None:
        if run.stage.stragglers is Stragglers.CANCEL:
            self._drop_unsettled(run, at)
        self._merge(run, is_late=False)

    def _trail(self, run: StageRun, at: float) -> None:
        """Let stragglers go on; when the last one has settled, what they brought is merged as well."""
        if run.unsettled():
            self._start(run, at)
        elif any(branch.key not in run.merged for branch in run.branches.values() if _has_result(branch)):
            self._merge(run, is_late=True)
        else:
            run.phase = Phase.DONE

    def _merge(self, run: StageRun, *, is_late: bool) -> None:
        fresh = [branch for branch in run.branches.values() if _has_result(branch) and branch.key not in run.merged]
        run.phase = Phase.MERGING
        run.merged |= {branch.key for branch in fresh}
        self._issue(
            Merge(
                id=f"late:{run.stage.name}" if is_late else f"merge:{run.stage.name}",
                stage=run.stage.name,
                spec=run.stage.merge,
                outcomes=tuple(branch.outcome() for branch in fresh),
                is_late=is_late,
            )
        )

    def _merged_parts(self, stage: str) -> tuple[PartRef, ...]:
        artifacts = self._stages[stage].artifacts if stage in self._stages else ()
        return tuple(ref for artifact in artifacts for ref in artifact.parts)

    # -- branches ---------------------------------------------------------------------------------

    def _send(self, run: StageRun, branch: Branch, agent: AgentRef, at: float) -> None:
        until = self._until(run, branch, at)
        self._issue(branch.begin_attempt(at, agent, until=until, journey=self._journey))

    def _until(self, run: StageRun, branch: Branch, at: float) -> float | None:
        """Return when a result of *branch* will no longer be wanted."""
        timeout = branch.sub_task.timeout_s or run.stage.limits.branch_timeout_s
        expires_at = at + timeout if branch.expires_at is None and timeout is not None else branch.expires_at
        return min((end for end in (expires_at, run.deadline, self._deadline) if end is not None), default=None)

    def _back_off(self, run: StageRun, branch: Branch, agent: AgentRef | None, at: float) -> None:
        self._extra_attempts += 1
        branch.retry_agent = agent
        run.move(branch, Trigger.BACK_OFF)
        branch.retry_at = at
        run.set_timer(at, branch)

    def _fire_timers(self, run: StageRun, at: float) -> None:
        for branch in run.due(at):
            if not branch.state.is_settled:
                self._fire(run, branch, at)
        for deadline, seconds in ((run.deadline, run.stage.limits.deadline_s), (self._deadline, self._plan.deadline_s)):
            if deadline is not None and deadline <= at:
                words = f"not settled at the deadline of {seconds:g} s"
                for branch in run.unsettled():
                    if not branch.state.is_settled:  # one before it may have taken it along
                        self._expire(run, branch, FailureKind.DEADLINE, words, at)

    def _fire(self, run: StageRun, branch: Branch, at: float) -> None:
        if branch.expires_at is not None and branch.expires_at <= at:
            timeout = branch.sub_task.timeout_s or run.stage.limits.branch_timeout_s
            self._expire(run, branch, FailureKind.TIMED_OUT, f"no result within {timeout:g} s", at)
        elif branch.retry_at is not None and branch.retry_at <= at:
            self._retry(run, branch)
        elif branch.hedge_at is not None and branch.hedge_at <= at:
            self._hedge(run, branch, at)

    def _retry(self, run: StageRun, branch: Branch) -> None:
        """Queue the next attempt once the one before is closed: the work is never asked for twice at once."""
        if not any(attempt.cancel == "requested" for attempt in branch.attempts):
            branch.retry_at = None
            run.requeue(branch)

    def _hedge(self, run: StageRun, branch: Branch, at: float) -> None:
        branch.hedge_at = None
        agent = branch.next_agent()
        if agent is not None and branch.state.is_under_way and self._has_budget():
            self._extra_attempts += 1
            self._send(run, branch, agent, at)

    def _has_budget(self) -> bool:
        return self._plan.retry_budget is None or self._extra_attempts < self._plan.retry_budget

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
        for attempt in branch.open_attempts():
            self._close(branch.attempt_id(attempt))
            self._issue(branch.cancel(attempt))
        run.move(branch, trigger)
        branch.settled_at = at
        if branch.state in {BranchState.FAILED, BranchState.TIMED_OUT}:
            self._fail_dependents(run, branch, at)

    def _fail_dependents(self, run: StageRun, branch: Branch, at: float) -> None:
        """Fail what needs *branch* and what needs that in turn; such a chain may be longer than the stack is deep."""
        failed = [branch]
        for needed in failed:
            words = f"it needs the result of {needed.sub_task.id}, which has not succeeded"
            for dependent in run.dependents(needed):
                if not dependent.state.is_settled:
                    dependent.failure = Failure(FailureKind.DEPENDENCY, words)
                    run.move(dependent, Trigger.SKIP)
                    dependent.settled_at = at
                    failed.append(dependent)

    def _end(self, branch: Branch, attempt: Attempt) -> None:
        attempt.is_open = False
        self._close(branch.attempt_id(attempt))


def _has_result(branch: Branch) -> bool:
    return branch.state is BranchState.SUCCEEDED

"""How stages go on: when they begin, what starts, when they stop waiting, what is merged.

The decisions of one coordination between two facts. What becomes of a single branch is
`branching.py`'s, what the task as a whole becomes `coordination.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from coordinator.core import events as ev
from coordinator.core import reasons
from coordinator.core.barrier import Decision
from coordinator.core.branch import Branch
from coordinator.core.branching import Branching
from coordinator.core.commands import Command, Expand, Merge, MergeAnswer
from coordinator.core.model import (
    MESSAGE,
    Exhausted,
    FailureKind,
    Limits,
    Need,
    PartRef,
    Stage,
    Stragglers,
    SubTask,
)
from coordinator.core.questions import Questions
from coordinator.core.scheduling import Phase, StageRun
from coordinator.core.states import BranchState, Trigger


class Progression:
    """The stages of one coordination, and the rules by which they advance."""

    def __init__(
        self,
        accepted: ev.TaskAccepted,
        stages: Mapping[str, StageRun],
        branching: Branching,
        questions: Questions,
        issue: Callable[[Command], None],
        close: Callable[[str], bool],
    ) -> None:
        self._plan = accepted.plan
        self._message = accepted.message.parts
        self._stages = stages
        self._branching = branching
        self._questions = questions
        self._issue = issue
        self._close = close
        self._paused_at: float | None = None  #: since when only answers are awaited

    def wake_at(self) -> float | None:
        """Return the earliest instant at which something falls due in any stage."""
        running = [run for run in self._stages.values() if run.phase in LIVE or _trails_behind_a_merge(run)]
        instants = [run.next_timer() for run in running]
        if self._paused_at is None and running:
            instants += [self._branching.deadline, *(run.deadline for run in running)]
        return min((instant for instant in instants if instant is not None), default=None)

    def catch_up(self, at: float) -> None:
        """Move the deadlines by the time up to *at* in which only answers were awaited."""
        if self._paused_at is None or at <= self._paused_at:
            return  # a fact may be a little older than the one before it
        waited, self._paused_at = at - self._paused_at, at
        for run in self._stages.values():
            if run.deadline is not None and run.phase in LIVE:
                run.deadline += waited
        if self._branching.deadline is not None:
            self._branching.deadline += waited

    def pause(self, at: float, *, paused: bool) -> None:
        """Let the deadlines stand still from *at* on, as long as *paused*."""
        if not paused:
            self._paused_at = None
        elif self._paused_at is None:
            self._paused_at = at

    def advance(self, at: float) -> str:
        """Bring every stage as far as it goes now; return why the task fails, or an empty string."""
        for run in list(self._stages.values()):
            if run.phase is Phase.WAITING and all(
                self._stages[name].phase is Phase.DONE for name in run.stage.draws_on
            ):
                deadline = self._branching.deadline
                if deadline is not None and deadline <= at:
                    if run.stage.merges_for:
                        self._give_help_up(run)
                        continue
                    return f"the deadline passed before stage {run.stage.name} could start"
                self._open_stage(run, at)
            if _trails_behind_a_merge(run):
                self._fire_timers(run, at)
                self._start(run, at)
            if run.phase in LIVE and (failure := self._run(run, at)):
                return failure
        return ""

    def begin(self, run: StageRun, sub_tasks: Sequence[SubTask], at: float) -> None:
        """Start *run* with its sub-tasks."""
        common = self._message if run.stage.with_message else ()
        used = tuple(ref for name in run.stage.uses for ref in self._merged_parts(name))
        parts = {s.id: (common if s.parts is None else s.parts) + used for s in sub_tasks}
        run.begin(sub_tasks, parts, at)

    def merged(self, run: StageRun) -> None:
        """Go on after a merge, first to the stragglers the plan lets continue."""
        run.phase = Phase.TRAILING

    def _give_help_up(self, run: StageRun) -> None:
        """Let a merge go on without the help it asked for: time is up."""
        run.phase = Phase.DONE
        self.resume_merge(
            self._stages[run.stage.merges_for], MergeAnswer(failure="the deadline passed before it began")
        )

    def drop_pieces(self, run: StageRun) -> None:
        """Stop merging ahead: the whole is there, or will never be."""
        for number in range(run.pieces.issued):
            self._close(piece_id(run.stage.name, number))

    def delegate_merge(self, run: StageRun, sub_task: SubTask, task_id: str) -> StageRun:
        """Return a stage of its own for what the merge of *run* wants done; it cannot fail, only bring nothing."""
        stage = Stage(
            name=f"{run.stage.name}.{'late' if run.merging and run.merging.is_late else 'merge'}",
            sub_tasks=(sub_task,),
            with_message=False,
            limits=Limits(branch_timeout_s=run.stage.limits.branch_timeout_s),
            retry=run.stage.retry,
            need=Need("count", 0),
            merges_for=run.stage.name,
        )
        return StageRun(stage, task_id)

    def resume_merge(self, run: StageRun, answer: MergeAnswer) -> None:
        """Let the strategy of *run* go on with what it has asked for."""
        if run.merging is not None:
            run.merge_waits = False
            self._issue(replace(run.merging, answer=answer))

    def drop_everything(self, at: float) -> None:
        """Settle whatever is open in any stage; its remote tasks are canceled."""
        for run in self._stages.values():
            for command_id in (f"expand:{run.stage.name}", f"merge:{run.stage.name}", f"late:{run.stage.name}"):
                self._close(command_id)
            self.drop_pieces(run)
            self._questions.drop(run.stage.name)
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
        if run.is_taken:
            self._drop_unsettled(run, at)
        elif run.stage.exhausted is Exhausted.FAIL_FAST and run.tally().failed > 0:
            return reasons.failed_fast(list(run.branches.values()))
        if run.phase is Phase.TRAILING:
            self._trail(run, at)
            return ""
        self._tell_pieces(run)
        match Decision.RELEASE if run.is_taken else run.judge():
            case Decision.GIVE_UP:
                return reasons.need_not_met(run.needed(), list(run.branches.values()))
            case Decision.RELEASE:
                self._release(run, at)
            case Decision.WAIT:
                self._start(run, at)
        return ""

    def _start(self, run: StageRun, at: float) -> None:
        for branch in run.startable():
            run.move(branch, Trigger.SEND)
            self._branching.send(run, branch, branch.retry_agent or branch.sub_task.agent, at)

    def _release(self, run: StageRun, at: float) -> None:
        if run.stage.stragglers is Stragglers.CANCEL:
            self._drop_unsettled(run, at)
        if run.stage.merges_for:
            run.phase = Phase.DONE
            self.resume_merge(self._stages[run.stage.merges_for], _help_of(run))
        elif run.stage.passes_through:
            run.phase = Phase.DONE
        else:
            self._merge(run, is_late=False)

    def _tell_pieces(self, run: StageRun) -> None:
        """Merge what is known already of the answering stage, where its strategy only appends."""
        if not run.stage.merge.options.get(PROGRESSIVE) or run.stage.name != self._plan.answering_stage:
            return
        while ready := run.next_piece():
            number = run.pieces.issued
            run.pieces.issued += 1
            run.pieces.branches[number] = tuple(branch.key for branch in ready)
            self._issue(
                Merge(
                    id=piece_id(run.stage.name, number),
                    stage=run.stage.name,
                    spec=run.stage.merge,
                    outcomes=tuple(branch.outcome() for branch in ready),
                    piece=number,
                )
            )

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
        run.merging = Merge(
            id=f"late:{run.stage.name}" if is_late else f"merge:{run.stage.name}",
            stage=run.stage.name,
            spec=run.stage.merge,
            outcomes=tuple(branch.outcome() for branch in fresh),
            is_late=is_late,
            assistants=run.stage.assistants,
        )
        self._issue(run.merging)

    def _merged_parts(self, stage: str) -> tuple[PartRef, ...]:
        artifacts = self._stages[stage].artifacts if stage in self._stages else ()
        return tuple(ref for artifact in artifacts for ref in artifact.parts)

    def _fire_timers(self, run: StageRun, at: float) -> None:
        for branch in run.due(at):
            if not branch.state.is_settled:
                self._branching.fire(run, branch, at)
        for deadline, seconds in (
            (run.deadline, run.stage.limits.deadline_s),
            (self._branching.deadline, self._plan.deadline_s),
        ):
            if deadline is not None and deadline <= at:
                words = f"not settled at the deadline of {seconds:g} s"
                for branch in run.unsettled():
                    if not branch.state.is_settled:  # one before it may have taken it along
                        self._branching.expire(run, branch, FailureKind.DEADLINE, words, at)

    def _drop_unsettled(self, run: StageRun, at: float) -> None:
        for branch in run.unsettled():
            self._branching.settle(run, branch, Trigger.CANCEL, at)


LIVE = frozenset({Phase.RUNNING, Phase.TRAILING})


PROGRESSIVE = "progressive"
"""The option of a merge whose result is told piece by piece."""


def piece_id(stage: str, number: int) -> str:
    """Return the id of the command that merges a piece of a stage."""
    return f"piece:{stage}:{number}"


def _trails_behind_a_merge(run: StageRun) -> bool:
    """Whether stragglers go on while the merge of what the others brought waits for somebody it has asked."""
    return run.phase is Phase.MERGING and run.merge_waits and run.stage.stragglers is Stragglers.CONTINUE


def _help_of(run: StageRun) -> MergeAnswer:
    """Return what the one branch of *run* has brought to a merge."""
    (branch,) = run.branches.values()
    if not _has_result(branch):
        failure = branch.failure.message if branch.failure else str(branch.state)
        return MergeAnswer(failure=f"{branch.agent.name}: {failure}")
    return MergeAnswer(parts=tuple(ref for kept in branch.kept() for ref in kept.parts))


def _has_result(branch: Branch) -> bool:
    return branch.state is BranchState.SUCCEEDED

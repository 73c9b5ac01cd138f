"""One coordination: facts go in, commands come out.

`receive` settles all state synchronously and returns what is to be done; the shell does it
and reports back with more facts. The same facts in the same order always give the same
state and the same commands, so a replay after a crash is the recovery.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import singledispatchmethod
from typing import Any

from coordinator.core import events as ev
from coordinator.core import reasons
from coordinator.core.answering import Answering
from coordinator.core.asking import Asking
from coordinator.core.barrier import Tally
from coordinator.core.branch import Attempt, Branch
from coordinator.core.branching import Branching
from coordinator.core.commands import Cancel, Command, Look, Send
from coordinator.core.extension import PARTIAL
from coordinator.core.forwarding import Forwarding
from coordinator.core.model import Artifact, FailureKind, Message, TaskState, Verdict
from coordinator.core.passing import Passing, is_to_be_passed
from coordinator.core.progression import Progression, piece_id
from coordinator.core.questions import Problem, Question, Questions, Reception, Why
from coordinator.core.scheduling import Phase, StageRun
from coordinator.core.states import PASSED_THROUGH, TASK, check_task_transition
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
        self._partials: tuple[Artifact, ...] = ()  #: results of single branches, for a client that asks for them
        self.frozen: list[Branch] = []  #: the branches as they were when the task became terminal
        self.messages: tuple[Message, ...] = (accepted.message,)  #: what the client has said
        self.stages = {stage.name: StageRun(stage, accepted.task_id) for stage in accepted.plan.stages}
        self.passing = Passing(accepted) if accepted.plan.passes_through else None
        #: in plain delegation there is a task as soon as the agent has one, or at once where that will take a while
        self.is_shown = self.passing is None or accepted.patience_s <= 0
        self._has_started = False
        self._open: dict[str, Command] = {}
        self._issued: list[Command] = []
        self._questions = Questions(accepted.plan.unanswered)
        self._branching = Branching(accepted, self._questions, self._issue, self._close)
        self._progression = Progression(
            accepted, self.stages, self._branching, self._questions, self._issue, self._close
        )
        self._answering = Answering(self.stages, self._branching, self._progression, self._questions)
        self._forwarding = None if self.passing is None else self._forward(self.passing)
        self._asking = Asking(accepted.plan.ask, self._questions)

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
        # First of all: what an answer sends carries the time that is left.
        self._progression.catch_up(event.at)
        self._on(event)
        if not self.state.is_terminal and self._has_started:
            self._advance(event.at)
        self.is_shown = self.is_shown or self._is_task_by_now(event.at)
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
    def asked(self) -> tuple[Question, ...]:
        """The questions the client is asked now, in the order of their numbers."""
        return self._asking.told

    @property
    def is_waiting(self) -> bool:
        """Whether nothing but answers is awaited."""
        return not self.state.is_terminal and self._only_questions()

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the latest message of the client left questions open that it meant to answer."""
        return self._answering.problems

    @property
    def direct(self) -> Message | None:
        """The answer, where the agent of a plain delegation gave a Message before there was a task."""
        return self.passing.direct if self.passing and not self.is_shown else None

    @property
    def told(self) -> tuple[object, ...]:
        """What streams tell at once when it has changed."""
        message = self.passing.message if self.passing else None
        return self.state, self.artifacts, self._asking.revision, self.is_shown, message, self.direct

    def reception(self, receipt: str) -> Reception | None:
        """Return what became of a message of the client, None while it is not known here."""
        receptions = self._answering.receptions if self._forwarding is None else self._forwarding.receptions
        return receptions.get(receipt)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The ids of the artifacts of which more may come."""
        if self.state.is_terminal:
            return ()
        if self.passing is not None:
            return tuple(one.artifact_id for one in self.artifacts if one.artifact_id not in self.passing.whole)
        told = self.answer.pieces.told()
        return (told.artifact_id,) if told and not self.answer.artifacts else ()

    @property
    def merge_summary(self) -> Mapping[str, Any]:
        """The numbers the answering stage's strategy gave."""
        return self.answer.summary

    def branches(self) -> list[Branch]:
        """Return all branches in plan order."""
        return [branch for stage in self.stages.values() for branch in stage.branches.values()]

    def tally(self) -> Tally:
        """Count the branches of all stages."""
        tallies = [stage.tally() for stage in self.stages.values() if not stage.stage.merges_for]
        return Tally(
            total=sum(tally.total for tally in tallies),
            succeeded=sum(tally.succeeded for tally in tallies),
            failed=sum(tally.failed for tally in tallies),
            canceled=sum(tally.canceled for tally in tallies),
        )

    def wake_at(self) -> float | None:
        """Return the instant at which a `TimePassed` is wanted, if any."""
        if self.state.is_terminal:
            return None
        instants = [self._progression.wake_at(), self._asking.wake_at(), self._questions.defaults_at()]
        if not self.is_shown:
            instants.append(self.accepted.at + self.accepted.patience_s)
        return min((instant for instant in instants if instant is not None), default=None)

    # -- facts ------------------------------------------------------------------------------------

    @singledispatchmethod
    def _on(self, event: ev.Event) -> None:
        raise IllegalTransition(f"{type(event).__name__} is not a fact about a coordination")

    @_on.register
    def _on_accepted(self, _: ev.TaskAccepted) -> None:
        raise IllegalTransition("TaskAccepted is the first fact and comes once")

    @_on.register
    def _on_turn_started(self, event: ev.TurnStarted) -> None:
        if self._has_started or self.state.is_terminal:
            return
        self._has_started = True
        if self.accepted.rejection:
            self._finish(TaskState.REJECTED, Verdict.REJECTED, self.accepted.rejection, event.at)
        elif self.passing is None:
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
        if self.state.is_terminal:
            self._open.clear()  # the cancels behind the answer are given up, too
        else:
            self._finish(TaskState.FAILED, Verdict.FAILED, event.reason, event.at)

    @_on.register
    def _on_attempt_started(self, event: ev.AttemptStarted) -> None:
        run, branch = self._find(event)
        attempt = branch.current(event.attempt)
        if attempt is not None and not attempt.has_started:
            attempt.has_started = True
            self._branching.started(run, branch, event.at)

    @_on.register
    def _on_task_opened(self, event: ev.TaskOpened) -> None:
        run, branch = self._find(event)
        attempt = branch.current(event.attempt)
        if attempt is not None:
            if attempt.remote is None:
                follow = self._branching.opened(run, branch, attempt, event.remote)
                self._open[follow.id] = follow
            return
        # The answer to a send that is no longer wanted: after a crash the cancel has to know whom it is for.
        waiting = self._open.get(f"cancel:{event.branch}:{event.attempt}")
        late = branch.attempt(event.attempt)
        if isinstance(waiting, Cancel) and waiting.remote is None and late is not None:
            self._open[waiting.id] = replace(waiting, remote=event.remote)
            late.remote = event.remote

    @_on.register
    def _on_progressed(self, event: ev.Progressed) -> None:
        _, branch = self._find(event)
        if branch.current(event.attempt) is not None:
            branch.text = event.text

    @_on.register
    def _on_relayed(self, event: ev.Relayed) -> None:
        _, branch = self._find(event)
        if self.passing is None or branch.current(event.attempt) is None:
            return
        self.passing.take(event)
        self.artifacts = self.passing.artifacts
        if event.state is not None and is_to_be_passed(event.state):
            self._enter(event.state, event.at)

    @_on.register
    def _on_message_received(self, event: ev.MessageReceived) -> None:
        if self.state.is_terminal:
            receptions = self._answering.receptions if self._forwarding is None else self._forwarding.receptions
            receptions[event.receipt] = Reception(problems=(Problem(Why.OVER, f"The task is over: {self.state}."),))
        elif self._forwarding is not None:
            self._forwarding.receive(event)
        elif self._answering.receive(event):
            self.messages += (event.message,)
            self._asking.heard()

    @_on.register
    def _on_asked(self, event: ev.Asked) -> None:
        run, branch, attempt = self._current(event)
        # Whoever delivers an answer sees what the task asks after it; a look that is older may have seen less.
        if attempt is not None and self._answer_to(branch, attempt) is None:
            self._branching.asked(run, branch, attempt, event, self._answering.held_for(branch, attempt))
            self._answering.asked_again(branch, attempt, event.at)

    @_on.register
    def _on_looked(self, event: ev.Looked) -> None:
        run, branch, attempt = self._current(event)
        if attempt is not None:
            self._branching.looked(run, branch, attempt, event.at)

    @_on.register
    def _on_resumed(self, event: ev.Resumed) -> None:
        run, branch, attempt = self._current(event)
        if attempt is not None:
            self._branching.resumed(run, branch, attempt, event.at)

    @_on.register
    def _on_answer_taken(self, event: ev.AnswerTaken) -> None:
        _, branch, attempt = self._addressed(event)
        if attempt is not None:
            follow = self._branching.answer_taken(branch, attempt)
            if follow is not None:
                self._open[follow.id] = follow
        if self._forwarding is not None:
            self._forwarding.taken(event.message_id, event.at)

    @_on.register
    def _on_answer_refused(self, event: ev.AnswerRefused) -> None:
        run, branch, attempt = self._addressed(event)
        if attempt is not None:
            if self.passing is not None and attempt.in_answer and not self.state.is_interrupted:
                kinds = {inquiry.kind for inquiry in attempt.in_answer}
                self._enter(TaskState.AUTH_REQUIRED if kinds == {"auth"} else TaskState.INPUT_REQUIRED, event.at)
            self._branching.answer_refused(run, branch, attempt, event, self._answering.held_for(branch, attempt))
            self._answering.asked_again(branch, attempt, event.at)
        if self._forwarding is not None:
            self._forwarding.refused(event.message_id, event.failure.message, event.at)

    @_on.register
    def _on_attempt_succeeded(self, event: ev.AttemptSucceeded) -> None:
        run, branch, attempt = self._current(event)
        if attempt is None:
            return
        if self.passing is not None:
            self._take_result(self.passing, event)
        self._branching.succeeded(run, branch, attempt, event)
        if self.accepted.partials and self.passing is None:
            marked = tuple(replace(kept, metadata={**kept.metadata, PARTIAL: True}) for kept in branch.kept())
            merged = self.artifacts[len(self._partials) :]
            self._partials += marked
            self.artifacts = self._partials + merged

    @_on.register
    def _on_attempt_failed(self, event: ev.AttemptFailed) -> None:
        run, branch, attempt = self._current(event)
        if attempt is not None:
            self._branching.failed(run, branch, attempt, event)

    @_on.register
    def _on_cancel_settled(self, event: ev.CancelSettled) -> None:
        run, branch = self._find(event)
        attempt = branch.attempt(event.attempt)
        if attempt is None or not self._close(f"cancel:{event.branch}:{event.attempt}"):
            return
        attempt.cancel = event.result
        if event.result == "finished" and self._branching.take_up(run, branch, attempt):
            return
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
            self._progression.drop_pieces(run)
            self._publish()

    @_on.register
    def _on_piece_merged(self, event: ev.PieceMerged) -> None:
        run = self.stages[event.stage]
        if self._close(piece_id(event.stage, event.number)):
            run.pieces.merged[event.number] = event.artifact
            self._publish()

    def _publish(self) -> None:
        """Show what is merged of the answer, piece by piece until it is whole, and what the plan puts beside it."""
        told = self.answer.pieces.told()
        answer = self.answer.artifacts or ((told,) if told else ())
        beside = (artifact for name in self.accepted.plan.beside for artifact in self.stages[name].artifacts)
        self.artifacts = (*self._partials, *answer, *beside)

    @_on.register
    def _on_merge_delegated(self, event: ev.MergeDelegated) -> None:
        if self._close(merge_id(event.stage, is_late=event.is_late)):
            run = self._progression.delegate_merge(self.stages[event.stage], event.sub_task, self.accepted.task_id)
            self.stages[run.stage.name] = run
            self.stages[event.stage].merge_waits = True

    @_on.register
    def _on_merge_questioned(self, event: ev.MergeQuestioned) -> None:
        if self._close(merge_id(event.stage, is_late=event.is_late)):
            self.stages[event.stage].merge_waits = True
            self._questions.ask(event.stage, "", event.inquiry, event.at)

    @_on.register
    def _on_merge_failed(self, event: ev.MergeFailed) -> None:
        if event.piece is not None:
            self._close(piece_id(event.stage, event.piece))
            return
        if self._close(merge_id(event.stage, is_late=event.is_late)):
            reason = f"merging the results of stage {event.stage} failed: {event.reason}"
            self._finish(TaskState.FAILED, Verdict.FAILED, reason, event.at)

    # -- the course of the task -------------------------------------------------------------------

    def _advance(self, at: float) -> None:
        self._answering.apply_defaults(at)
        failure = self._answering.abort_reason or self._progression.advance(at)
        if failure:
            self._fail(failure, at)
        elif all(run.phase is Phase.DONE for run in self.stages.values()):
            self._complete(at)
        else:
            only_questions = self._only_questions()
            self._progression.pause(at, paused=only_questions)
            self._answering.note_undelivered()
            self._ask(at, only_questions=only_questions)

    def _ask(self, at: float, *, only_questions: bool) -> None:
        """Let the state follow from what is asked; in plain delegation it is the agent's own."""
        state = self._asking.update(at, only_questions=only_questions)
        if self._forwarding is None:
            if state is not None:
                self._enter(state, at)
        elif self._forwarding.is_under_way and self.state.is_interrupted:
            self._enter(TaskState.WORKING, at)

    def _only_questions(self) -> bool:
        """Whether nothing but answers is awaited."""
        if not self._questions.open():
            return False
        at_work = any(run.is_at_work() for run in self.stages.values() if run.phase in {Phase.RUNNING, Phase.TRAILING})
        return not at_work and all(isinstance(command, Cancel | Look) for command in self._open.values())

    def _fail(self, reason: str, at: float) -> None:
        state, verdict = TaskState.FAILED, Verdict.FAILED
        failure = next((branch.failure for branch in self.branches() if branch.failure), None)
        if self.passing is not None and failure is not None:
            # The task ends as the agent's did.
            if failure.kind is FailureKind.REJECTED:
                state, verdict = TaskState.REJECTED, Verdict.REJECTED
            elif failure.kind is FailureKind.CANCELED:
                state, verdict = TaskState.CANCELED, Verdict.CANCELED
        self._finish(state, verdict, reason, at)

    def _complete(self, at: float) -> None:
        planned = [branch for branch in self.branches() if not branch.stage.merges_for]
        reason = reasons.completed(planned)
        verdict = Verdict.COMPLETE
        if reasons.missed(planned):
            verdict = Verdict.PARTIAL
            self.artifacts = tuple(_labelled(artifact, reason) for artifact in self.artifacts)
        self._finish(TaskState.COMPLETED, verdict, reason, at)

    def _finish(self, state: TaskState, verdict: Verdict, reason: str, at: float) -> None:
        self._progression.drop_everything(at)
        if self.passing is not None and self._forwarding is not None:
            self._forwarding.end(f"The task has ended: {reason}")
            self.passing.end()
        self._asking.end()
        if state is not TaskState.COMPLETED and self.passing is None:
            # What was streamed already stays, and what is in it is not shown twice.
            pieces = self.answer.pieces
            told = pieces.told()
            rest = [branch for branch in self.branches() if branch.key not in pieces.told_branches()]
            kept = tuple(artifact for branch in rest for artifact in branch.kept())
            self.artifacts = (*((_labelled(told, reason),) if told else ()), *kept)
        self.verdict, self.reason = verdict, reason
        # A terminal task does not change any more, though its cancels are still being settled.
        self.frozen = [branch.frozen() for branch in self.branches()]
        self._enter(state, at)

    def _forward(self, passing: Passing) -> Forwarding:
        run = next(iter(self.stages.values()))
        return Forwarding(self.accepted, run, passing, self._branching, self._questions)

    def _take_result(self, passing: Passing, event: ev.AttemptSucceeded) -> None:
        artifacts = event.artifacts
        if event.is_direct and event.message is not None:
            passing.direct = passing.message = event.message
            # A task never turns back into a Message: one that comes late is its result (spec 3.1.1).
            artifacts = (Artifact("message", event.message.parts, metadata=event.message.metadata),)
        passing.conclude(artifacts)
        self.artifacts = passing.artifacts

    def _is_task_by_now(self, at: float) -> bool:
        """Whether the client of a plain delegation gets a task; as long as a direct Message may come, it does not."""
        if self.passing is None or at >= self.accepted.at + self.accepted.patience_s:
            return self.passing is None or self.passing.direct is None
        has_task = any(attempt.remote for branch in self.branches() for attempt in branch.attempts)
        return has_task or (self.state.is_terminal and self.passing.direct is None)

    def _enter(self, state: TaskState, at: float) -> None:
        check_task_transition(self.state, state, TASK if self.passing is None else PASSED_THROUGH)
        self.state, self.state_at = state, at

    # -- book-keeping -----------------------------------------------------------------------------

    def _find(self, event: ev.AttemptEvent) -> tuple[StageRun, Branch]:
        run = self.stages.get(event.branch.partition("/")[0])
        if run is None or event.branch not in run.branches:
            raise IllegalTransition(f"there is no branch {event.branch}")
        return run, run.branches[event.branch]

    def _current(self, event: ev.AttemptEvent) -> tuple[StageRun, Branch, Attempt | None]:
        """Return what *event* is about; no attempt when it does not matter to the outcome any more."""
        run, branch = self._find(event)
        return run, branch, branch.current(event.attempt)

    def _addressed(self, event: ev.AnswerTaken | ev.AnswerRefused) -> tuple[StageRun, Branch, Attempt | None]:
        """Return whom the message was for; no attempt when it is not the message that is on its way."""
        run, branch, attempt = self._current(event)
        answer = self._answer_to(branch, attempt)
        return run, branch, attempt if answer is not None and answer.message_id == event.message_id else None

    def _answer_to(self, branch: Branch, attempt: Attempt | None) -> Send | None:
        """Return the message that is on its way to the task of *attempt*, if there is one."""
        command = self._open.get(branch.attempt_id(attempt)) if attempt else None
        return command if isinstance(command, Send) and command.remote is not None else None

    def _issue(self, command: Command) -> None:
        self._open.pop(command.id, None)  # what takes its place is the latest
        self._open[command.id] = command
        self._issued.append(command)

    def _close(self, command_id: str) -> bool:
        return self._open.pop(command_id, None) is not None


def merge_id(stage: str, *, is_late: bool) -> str:
    """Return the id of the command that merges a stage, or its stragglers."""
    return f"late:{stage}" if is_late else f"merge:{stage}"


def _labelled(artifact: Artifact, reason: str) -> Artifact:
    return replace(artifact, description=f"{artifact.description} {reason}".strip())

"""What becomes of a branch: its attempts, its clocks, its questions, its end.

The rules about one sub-task. When stages begin, stop waiting and merge is `progression.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from coordinator.core import events as ev
from coordinator.core.branch import Attempt, Branch, message_id_of
from coordinator.core.commands import Command, Follow, Send, Unchanged
from coordinator.core.failure import FallBack, TryAgain, decide
from coordinator.core.model import AgentRef, Exhausted, Failure, FailureKind, PartRef, RemoteTask
from coordinator.core.passing import first_message_id, unchanged
from coordinator.core.questions import Choice, Inquiry, Questions
from coordinator.core.scheduling import StageRun
from coordinator.core.states import BranchState, Trigger

RETRY, SKIP, TAKE, ABORT, AGENT = "retry", "skip", "take", "abort", "agent:"
"""What a client may decide about a branch that has failed."""


MOST_QUESTIONS = 200
"""How often one attempt may ask something new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A message for the task of an attempt: its parts, and for each the question it answers there."""

    parts: tuple[PartRef, ...]
    keys: tuple[str, ...] = ()
    credential: str = ""
    message_id: str = ""  #: empty: one derived like those of the attempts
    unchanged: Unchanged | None = None


class Branching:
    """The rules by which the branches of one coordination go on."""

    def __init__(
        self,
        accepted: ev.TaskAccepted,
        questions: Questions,
        issue: Callable[[Command], None],
        close: Callable[[str], bool],
    ) -> None:
        self._accepted = accepted
        self._plan = accepted.plan
        self._questions = questions
        self._issue = issue
        self._close = close
        self._extra_attempts = 0
        deadline_s = accepted.plan.deadline_s
        self.deadline = None if deadline_s is None else accepted.at + deadline_s

    # -- what attempts report ---------------------------------------------------------------------

    def started(self, run: StageRun, branch: Branch, at: float) -> None:
        """Note that an attempt has gone out: clocks start with the first one."""
        timeout = branch.sub_task.timeout_s or run.stage.limits.branch_timeout_s
        if timeout is not None and branch.expires_at is None and branch.time_left_s is None:
            branch.time_left_s = timeout
            if branch.state is not BranchState.ASKING:
                self._start_clock(run, branch, at)
        if branch.started_at is not None:
            return
        branch.started_at = at
        # Told after it has asked, the start is no reason to send another one beside it: an agent that asks is at work.
        has_asked = any(attempt.questions for attempt in branch.attempts)
        if run.stage.hedge_s is not None and not has_asked:
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
        branch.artifacts, branch.message, branch.context_id = event.artifacts, event.message, event.context_id
        self.settle(run, branch, Trigger.SUCCEED, event.at)
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
            self._ask_if_nobody_works(run, branch, event.at)
            return
        self._questions.drop(branch.key)
        self._start_clock(run, branch, event.at)
        budget = self._plan.retry_budget
        left = None if budget is None else budget - self._extra_attempts
        room = branch.room(attempt, left, self._until(run, branch, event.at))
        match decide(event.failure, run.stage.retry, room, at=event.at, jitter=event.jitter):
            case TryAgain(at):
                self._extra_attempts += 1
                self._back_off(run, branch, attempt.agent, at)
            case FallBack():
                self._extra_attempts += 1
                self._back_off(run, branch, branch.next_agent(), event.at)
            case None:
                self._give_up(run, branch, Trigger.GIVE_UP, event.at)

    def take_up(self, run: StageRun, branch: Branch, attempt: Attempt) -> bool:
        """Follow a failed attempt again whose cancel came too late, once: else its work would be done twice."""
        if branch.state is not BranchState.RETRYING or attempt.remote is None or attempt.is_taken_up:
            return False
        attempt.is_open = attempt.is_taken_up = True
        branch.retry_at = None
        run.move(branch, Trigger.OPEN)
        self._issue(branch.follow(attempt, attempt.remote))
        return True

    # -- questions --------------------------------------------------------------------------------

    def asked(
        self, run: StageRun, branch: Branch, attempt: Attempt, event: ev.Asked, held: Collection[str] = ()
    ) -> None:
        """Park an attempt whose task waits for its client, and ask unless another attempt may still bring a result.

        What is *held* has its answer already, which could not be sent yet.
        """
        self._close(branch.attempt_id(attempt))
        # A status that only dates itself anew says nothing new: the question keeps its number and its clock.
        is_new = event.mark != attempt.mark and not _is_only_dated_anew(attempt, event)
        attempt.mark, attempt.in_answer = event.mark, ()
        if is_new:
            attempt.questions += 1
            branch.unpark(attempt)
        if attempt.questions > MOST_QUESTIONS:
            branch.failure = Failure(FailureKind.MALFORMED, f"it has asked {MOST_QUESTIONS} times")
            self.settle(run, branch, Trigger.GIVE_UP, event.at)
            return
        branch.park(attempt, event.inquiries, event.at)
        self._look_later(run, branch, attempt)
        self._ask_if_nobody_works(run, branch, event.at, is_new=is_new, held=held)

    def looked(self, run: StageRun, branch: Branch, attempt: Attempt, at: float) -> None:
        """Leave a task that still waits parked."""
        if attempt.inquiries and self._close(branch.attempt_id(attempt)):
            branch.park(attempt, attempt.inquiries, at)
            self._look_later(run, branch, attempt)

    def resumed(self, run: StageRun, branch: Branch, attempt: Attempt, at: float) -> None:
        """Follow a parked task that has gone on by itself; what it asked has settled without an answer."""
        if attempt.remote is None or not attempt.inquiries:
            return
        self._close(branch.attempt_id(attempt))
        self._questions.drop(branch.key)
        self._unpark(run, branch, attempt, at)
        self._issue(branch.follow(attempt, attempt.remote))

    def answer(self, run: StageRun, branch: Branch, attempt: Attempt, answer: Answer, at: float) -> str:
        """Send a message to the attempt's task and return its id."""
        attempt.messages += 1
        attempt.in_answer = attempt.inquiries
        attempt.credential = answer.credential or attempt.credential
        own_id = message_id_of(branch.task_id, branch.key, attempt.number, attempt.messages)
        if attempt.inquiries:
            self._unpark(run, branch, attempt, at)
        message_id = answer.message_id or own_id
        self._issue(
            Send(
                id=branch.attempt_id(attempt),
                branch=branch.key,
                attempt=attempt.number,
                agent=attempt.agent,
                message_id=message_id,
                since=at,
                parts=answer.parts,
                expect=branch.stage.expect,
                until=self._until(run, branch, at),
                journey=self._accepted.journey,
                remote=attempt.remote,
                answers=answer.keys,
                mark=attempt.mark,
                credential=attempt.credential,
                unchanged=answer.unchanged,
                shared=branch.stage.limits.shared,
            )
        )
        return message_id

    def answer_taken(self, branch: Branch, attempt: Attempt) -> Follow | None:
        """Note that the answer has arrived; return the command that takes the place of its send."""
        attempt.in_answer = ()
        return branch.follow(attempt, attempt.remote) if attempt.remote else None

    def answer_refused(
        self, run: StageRun, branch: Branch, attempt: Attempt, event: ev.AnswerRefused, held: Collection[str] = ()
    ) -> None:
        """Ask again what an answer that did not arrive was for; a task that had asked nothing is followed on."""
        self._close(branch.attempt_id(attempt))
        if not attempt.in_answer:
            if attempt.remote is not None:
                self._issue(branch.follow(attempt, attempt.remote))
            return
        asked, attempt.in_answer = attempt.in_answer, ()
        branch.park(attempt, asked, event.at)
        self._look_later(run, branch, attempt)
        words = f"The answer did not reach it ({event.failure.message}). It asks: "
        self._ask_if_nobody_works(run, branch, event.at, held=held, again=words)

    def _ask_if_nobody_works(
        self,
        run: StageRun,
        branch: Branch,
        at: float,
        *,
        is_new: bool = True,
        held: Collection[str] = (),
        again: str = "",
    ) -> None:
        """Ask what a parked attempt wants to know; what is open already, word for word, keeps its number."""
        parked = [attempt for attempt in branch.open_attempts() if attempt.inquiries]
        if not parked or len(parked) < len(branch.open_attempts()):
            return
        chosen, *others = parked
        for other in others:
            self._close(branch.attempt_id(other))  # somebody may be looking at it
            self._issue(branch.cancel(other))
        self._questions.drop(branch.key, keep=self._unchanged_keys(branch, chosen, is_new=is_new))
        known = {question.inquiry.key for question in self._questions.about(branch.key)} | set(held)
        for inquiry in chosen.inquiries:
            if inquiry.key not in known:
                self._questions.ask(branch.key, chosen.agent.name, inquiry, at, chosen.number, again)
        self._stop_clock(run, branch, at)

    def _unchanged_keys(self, branch: Branch, attempt: Attempt, *, is_new: bool) -> list[str]:
        """Return the keys of the questions that are open already; one without a key is new with a new status."""
        asked = {inquiry.key: inquiry for inquiry in attempt.inquiries if inquiry.key or not is_new}
        return [
            question.inquiry.key
            for question in self._questions.about(branch.key)
            if question.attempt == attempt.number and asked.get(question.inquiry.key) == question.inquiry
        ]

    def _stop_clock(self, run: StageRun, branch: Branch, at: float) -> None:
        """A branch that waits for an answer is not running out of time."""
        branch.hedge_at = None
        if branch.expires_at is not None:
            branch.time_left_s = max(0.0, branch.expires_at - at)
            branch.expires_at = None
        if branch.state is not BranchState.ASKING:
            run.move(branch, Trigger.ASK)

    def _unpark(self, run: StageRun, branch: Branch, attempt: Attempt, at: float) -> None:
        branch.unpark(attempt)
        self._start_clock(run, branch, at)
        if branch.state is BranchState.ASKING:
            run.move(branch, Trigger.RESUME)

    def _start_clock(self, run: StageRun, branch: Branch, at: float) -> None:
        if branch.time_left_s is not None:
            branch.expires_at, branch.time_left_s = at + branch.time_left_s, None
            run.set_timer(branch.expires_at, branch)

    def _look_later(self, run: StageRun, branch: Branch, attempt: Attempt) -> None:
        if attempt.look_at is not None:
            run.set_timer(attempt.look_at, branch)

    # -- what the client decides ------------------------------------------------------------------

    def try_again(self, run: StageRun, branch: Branch, agent_name: str, at: float) -> None:
        """Start over with a failed branch at the agent of that name; empty: the one that failed.

        The plan's retries have a budget, the client's have none.
        """
        agents = (branch.sub_task.agent, *branch.sub_task.others)
        chosen = next((agent for agent in agents if agent.name == agent_name), branch.agent)
        branch.expires_at = branch.time_left_s = None
        self._back_off(run, branch, chosen, at)

    def skip(self, run: StageRun, branch: Branch, words: str, at: float) -> None:
        """Go on without a branch that asks, or has failed; *words* say why."""
        if branch.failure is None or branch.open_attempts():
            branch.failure = Failure(FailureKind.SKIPPED, words)
        self.settle(run, branch, Trigger.GIVE_UP, at)

    # -- timers -----------------------------------------------------------------------------------

    def fire(self, run: StageRun, branch: Branch, at: float) -> None:
        """Do what is due for *branch*."""
        if branch.expires_at is not None and branch.expires_at <= at:
            timeout = branch.sub_task.timeout_s or run.stage.limits.branch_timeout_s
            self.expire(run, branch, FailureKind.TIMED_OUT, f"no result within {timeout:g} s", at)
        elif branch.retry_at is not None and branch.retry_at <= at:
            self._retry(run, branch)
        elif branch.hedge_at is not None and branch.hedge_at <= at:
            self._hedge(run, branch, at)
        else:
            self._look(branch, at)

    def _look(self, branch: Branch, at: float) -> None:
        for attempt in branch.open_attempts():
            if attempt.look_at is not None and attempt.look_at <= at and attempt.remote is not None:
                self._issue(branch.look(attempt, attempt.remote))

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
            self.send(run, branch, agent, at)

    def _has_budget(self) -> bool:
        return self._plan.retry_budget is None or self._extra_attempts < self._plan.retry_budget

    # -- beginnings and ends ----------------------------------------------------------------------

    def send(self, run: StageRun, branch: Branch, agent: AgentRef, at: float) -> None:
        """Start one more attempt at *agent*."""
        passing = branch.stage.passes_through
        self._issue(
            branch.begin_attempt(
                at,
                agent,
                until=self._until(run, branch, at),
                journey=self._accepted.journey,
                message_id=first_message_id(self._accepted, len(branch.attempts) + 1) if passing else "",
                unchanged=unchanged(self._accepted) if passing else None,
            )
        )

    def _until(self, run: StageRun, branch: Branch, at: float) -> float | None:
        """Return when a result of *branch* will no longer be wanted."""
        timeout = branch.sub_task.timeout_s or run.stage.limits.branch_timeout_s
        expires_at = at + timeout if branch.expires_at is None and timeout is not None else branch.expires_at
        return min((end for end in (expires_at, run.deadline, self.deadline) if end is not None), default=None)

    def expire(self, run: StageRun, branch: Branch, kind: FailureKind, message: str, at: float) -> None:
        """End *branch* for want of time."""
        if branch.failure is not None:
            message = f"{message}; the last attempt failed: {branch.failure.message}"
        branch.failure = Failure(kind, message)
        if kind is FailureKind.DEADLINE:
            self.settle(run, branch, Trigger.TIME_OUT, at)
        else:
            self._give_up(run, branch, Trigger.TIME_OUT, at)

    def settle(self, run: StageRun, branch: Branch, trigger: Trigger, at: float) -> None:
        """Give *branch* its outcome and cancel what may still be running for it."""
        self._stop_attempts(branch)
        self._questions.drop(branch.key)
        run.move(branch, trigger)
        branch.settled_at = at
        if branch.state in {BranchState.FAILED, BranchState.TIMED_OUT}:
            self._fail_dependents(run, branch, at)

    def _give_up(self, run: StageRun, branch: Branch, trigger: Trigger, at: float) -> None:
        """End *branch*, or ask the client what to do where the plan says so."""
        if run.stage.exhausted is not Exhausted.ESCALATE or branch.failure is None:
            self.settle(run, branch, trigger, at)
            return
        self._stop_attempts(branch)
        self._questions.drop(branch.key)
        branch.retry_at = None
        words = f"{branch.failure.kind.replace('_', ' ')}: {branch.failure.message}"
        inquiry = Inquiry("failure", words, choices=_choices(branch))
        self._stop_clock(run, branch, at)
        self._questions.ask(branch.key, branch.agent.name, inquiry, at, len(branch.attempts))

    def _stop_attempts(self, branch: Branch) -> None:
        for attempt in branch.open_attempts():
            self._close(branch.attempt_id(attempt))
            self._issue(branch.cancel(attempt))

    def _back_off(self, run: StageRun, branch: Branch, agent: AgentRef | None, at: float) -> None:
        branch.retry_agent = agent
        run.move(branch, Trigger.BACK_OFF)
        branch.retry_at = at
        run.set_timer(at, branch)

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
        attempt.look_at = None
        self._close(branch.attempt_id(attempt))


def _is_only_dated_anew(attempt: Attempt, event: ev.Asked) -> bool:
    """Whether a parked task has the same status message under another timestamp; a mark is `<messageId>@<time>`."""
    before, now = attempt.mark.rpartition("@"), event.mark.rpartition("@")
    return bool(now[0]) and before[0] == now[0] and attempt.inquiries == event.inquiries


def _choices(branch: Branch) -> tuple[Choice, ...]:
    agents = dict.fromkeys(agent.name for agent in (branch.sub_task.agent, *branch.sub_task.others))
    return (
        Choice(RETRY, f"try again at {branch.agent.name}"),
        *(Choice(f"{AGENT}{name}", f"let {name} do it") for name in agents if name != branch.agent.name),
        Choice(SKIP, "count it as failed"),
        Choice(TAKE, "take what there is and stop waiting"),
        Choice(ABORT, "give the task up"),
    )

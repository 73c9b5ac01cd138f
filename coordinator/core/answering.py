"""What a client's message does to the questions of a task, and what happens when nobody answers.

Every reply meets the question it names, or none. What could not be used is told, and asked again.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field

from coordinator.core import events as ev
from coordinator.core.branch import Attempt, Branch
from coordinator.core.branching import ABORT, AGENT, RETRY, TAKE, Answer, Branching
from coordinator.core.commands import MergeAnswer
from coordinator.core.progression import Progression
from coordinator.core.questions import Problem, Question, Questions, Reception, Reply, Why, choice_in
from coordinator.core.scheduling import StageRun

CREDENTIAL = "credential:"
"""How an answer names a credential of the configuration."""
MOST_QUOTED = 100


@dataclass(slots=True)
class _Heard:
    """What one message has brought so far."""

    used: int = 0
    problems: list[Problem] = field(default_factory=list)
    downward: dict[str, list[tuple[Question, Reply]]] = field(default_factory=dict)  #: by branch


class Answering:
    """Applies answers and defaults to the stages of one coordination."""

    def __init__(
        self,
        stages: Mapping[str, StageRun],
        branching: Branching,
        progression: Progression,
        questions: Questions,
    ) -> None:
        self.receptions: dict[str, Reception] = {}  #: by receipt
        self.problems: tuple[str, ...] = ()  #: why the latest message has not answered everything it meant to
        self.abort_reason = ""
        self._stages = stages
        self._branching = branching
        self._progression = progression
        self._questions = questions
        self._held: dict[str, list[tuple[Question, Reply]]] = {}  #: by branch, what waits for its turn
        self._sent: dict[str, list[tuple[Question, Reply]]] = {}  #: by branch, what was sent down last

    def receive(self, event: ev.MessageReceived) -> bool:
        """Take a client's message; return whether it was for us, rather than a mistake."""
        heard = _Heard()
        for reply, question in self._questions.match(event.replies, event.whole):
            if isinstance(question, Problem):
                heard.problems.append(question)
            else:
                self._take(question, reply, heard, event.at)
        for key, pairs in heard.downward.items():
            self._send_down(key, pairs, event.at)
        reception = Reception(heard.used, tuple(heard.problems))
        self.receptions[event.receipt] = reception
        if reception.refusal is None:
            self.problems = tuple(problem.words for problem in heard.problems)
        return reception.refusal is None

    def apply_defaults(self, at: float) -> None:
        """Do what the plan says about questions that have waited too long."""
        for question in self._questions.overdue(at):
            if question.is_open:
                self._default(question, at)

    def held_for(self, branch: Branch, attempt: Attempt) -> frozenset[str]:
        """Return the keys of the questions of a specialist whose answers wait for their turn."""
        held = self._held.get(branch.key, ())
        return frozenset(question.inquiry.key for question, _ in held if question.attempt == attempt.number)

    def asked_again(self, branch: Branch, attempt: Attempt, at: float) -> None:
        """Send down what was held until the specialist asks again."""
        # Another attempt may mean something else by the same key.
        pairs = self._let_go(branch.key, {attempt.number})
        wanted = {inquiry.key for inquiry in attempt.inquiries}
        late = [question.number for question, _ in pairs if question.inquiry.key not in wanted]
        self.problems += tuple(f"Question {number} was closed before its answer arrived." for number in late)
        pairs = [pair for pair in pairs if pair[0].inquiry.key in wanted]
        if pairs:
            self._send_down(branch.key, pairs, at)

    def note_undelivered(self) -> None:
        """Let the next question about a branch say which answers its attempts had not been given when they ended."""
        for question in self._questions.untold():
            if question.branch in self._sent:
                _, branch = self._find(question)
                self._questions.note(branch.key, "".join(self._undelivered(branch)))

    def _undelivered(self, branch: Branch) -> Iterator[str]:
        ended = {attempt.number: attempt for attempt in branch.attempts if not attempt.is_open}
        number = self._sent[branch.key][0][0].attempt
        if number in ended:
            pairs = self._sent.pop(branch.key)
            if ended[number].in_answer:
                yield from (_not_arrived(*pair, "may not have reached") for pair in pairs)
            yield from (_not_arrived(*pair, "did not reach") for pair in self._let_go(branch.key, ended))

    def _let_go(self, key: str, attempts: Container[int]) -> list[tuple[Question, Reply]]:
        """Return what is held for these attempts of a branch, and hold it no longer."""
        held = self._held.pop(key, [])
        self._held[key] = [pair for pair in held if pair[0].attempt not in attempts]
        return [pair for pair in held if pair[0].attempt in attempts]

    # -- one reply --------------------------------------------------------------------------------

    def _take(self, question: Question, reply: Reply, heard: _Heard, at: float) -> None:
        if question.kind == "failure" and not question.inquiry.key:
            self._decide(question, reply, heard, at)
            return
        if question.is_about_a_merge:
            self._rule(question, reply, heard)
            return
        inquiry = question.inquiry
        if inquiry.choices and inquiry.key == "" and not choice_in(reply, inquiry.choices):
            heard.problems.append(_choose_one_of(question))
            return
        heard.used += 1
        heard.downward.setdefault(question.branch, []).append((question, reply))

    def _rule(self, question: Question, reply: Reply, heard: _Heard) -> None:
        """Let the merge that asks go on: with a choice, or with data that says more than the choices do."""
        choice = choice_in(reply, question.inquiry.choices)
        if not choice and reply.text.strip():
            heard.problems.append(_choose_one_of(question))
            return
        heard.used += 1
        self._close(question, "answered")
        self._progression.resume_merge(self._stages[question.branch], MergeAnswer(parts=reply.parts, choice=choice))

    def _decide(self, question: Question, reply: Reply, heard: _Heard, at: float) -> None:
        choice = choice_in(reply, question.inquiry.choices)
        if not choice:
            heard.problems.append(_choose_one_of(question))
            return
        heard.used += 1
        self._close(question, "answered")
        run, branch = self._find(question)
        if choice == RETRY or choice.startswith(AGENT):
            self._branching.try_again(run, branch, choice.removeprefix(AGENT) if choice != RETRY else "", at)
        else:
            self._give_way(run, branch, choice, f"question {question.number} was answered with: {choice}", at)

    def _default(self, question: Question, at: float) -> None:
        self._close(question, "by default")
        waited = f"question {question.number} was not answered in time: {question.words}"
        if question.is_about_a_merge and question.then != ABORT:
            self._progression.resume_merge(self._stages[question.branch], MergeAnswer(failure=waited))
            return
        if question.is_about_a_merge:
            self.abort_reason = f"Given up: {waited.rstrip('.')}."
            return
        run, branch = self._find(question)
        self._give_way(run, branch, question.then, waited, at)

    def _give_way(self, run: StageRun, branch: Branch, choice: str, words: str, at: float) -> None:
        if choice == ABORT:
            self.abort_reason = f"Given up: {words.rstrip('.')}."
            return
        run.is_taken = run.is_taken or choice == TAKE
        self._branching.skip(run, branch, words, at)

    # -- to the specialist ------------------------------------------------------------------------

    def _send_down(self, key: str, pairs: list[tuple[Question, Reply]], at: float) -> None:
        for question, _ in pairs:
            if question.is_open:
                self._close(question, "answered")
        run = self._stages[key.partition("/")[0]]
        branch = run.branches[key]
        attempt = next((one for one in branch.open_attempts() if one.inquiries), None)
        if attempt is None:
            # An answer to another question of the same specialist is on its way: this one waits for its turn.
            self._held.setdefault(key, []).extend(pairs)
            return
        credential = next((_credential_in(reply) for question, reply in pairs if question.kind == "auth"), "")
        parts = tuple(ref for _, reply in pairs for ref in reply.parts)
        keys = tuple(question.inquiry.key for question, reply in pairs for _ in reply.parts)
        self._sent[key] = pairs
        self._branching.answer(run, branch, attempt, Answer(parts=parts, keys=keys, credential=credential), at)

    def _close(self, question: Question, how: str) -> None:
        self._questions.close(question, "answered" if how == "answered" else "by default")

    def _find(self, question: Question) -> tuple[StageRun, Branch]:
        run = self._stages[question.branch.partition("/")[0]]
        return run, run.branches[question.branch]


def _choose_one_of(question: Question) -> Problem:
    there = ", ".join(choice.id for choice in question.inquiry.choices)
    return Problem(Why.UNCLEAR, f"Question {question.number} takes one of: {there}.")


def _not_arrived(question: Question, reply: Reply, how: str) -> str:
    said = " ".join(reply.text.split())
    quoted = f', "{said[:MOST_QUOTED]}{"…" if len(said) > MOST_QUOTED else ""}",' if said else ""
    return f"(The answer to question {question.number}{quoted} {how} {question.agent}, whose attempt has ended.) "


def _credential_in(reply: Reply) -> str:
    text = reply.text.strip()
    return text.removeprefix(CREDENTIAL).strip() if text.startswith(CREDENTIAL) else ""

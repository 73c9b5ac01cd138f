"""Questions to the client: what is asked about which branch, and which answer is meant for which.

Numbers belong to the task and are never used again, so an answer that comes late cannot meet
another question. Nothing is guessed: what cannot be matched is asked again, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from coordinator.core.model import PartRef, Unanswered

Kind = Literal["input", "auth", "failure", "conflict"]

Closed = Literal["answered", "by default", "settled without an answer"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers a question takes."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a specialist asks; `key` is its own name for the question when it asks several at once."""

    kind: Kind
    text: str
    key: str = ""
    parts: tuple[PartRef, ...] = ()
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """Parts of a client's message, and the number of the question they are for; empty: none is named.

    `text` is the words of the text parts, as far as a choice or a credential could be in them.
    """

    question: str
    parts: tuple[PartRef, ...]
    text: str = ""


@dataclass(slots=True)
class Question:
    """One question on its way to an answer."""

    number: int
    branch: str  #: key of the branch, or name of the stage for a conflict
    agent: str
    inquiry: Inquiry
    asked_at: float
    default_at: float  #: with what follows from nobody answering; put off until the client is told
    then: str  #: what happens then
    attempt: int = 0
    again: str = ""  #: why it is asked again, and what has not arrived before
    is_told: bool = False  #: the client has seen it
    closed: Closed | Literal[""] = ""

    @property
    def is_open(self) -> bool:
        """Whether an answer is still wanted."""
        return not self.closed

    @property
    def kind(self) -> Kind:
        """Return what it is about."""
        return self.inquiry.kind

    @property
    def is_about_a_merge(self) -> bool:
        """Whether a stage's merge asks it, and no branch."""
        return "/" not in self.branch

    @property
    def words(self) -> str:
        """Return what is asked, and why again."""
        return f"{self.again}{self.inquiry.text}"

    def frozen(self) -> Question:
        """Return a copy that later facts do not change."""
        return replace(self)


class Why(StrEnum):
    """Why a reply did not help."""

    CLOSED = "closed"  #: the question it names is closed, or never was one
    NOTHING_ASKED = "nothing asked"
    UNCLEAR = "unclear"  #: it may be given again, in other words
    REFUSED = "refused"  #: by the specialist it was for
    OVER = "over"  #: the task had ended


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a reply, in words a person can act on."""

    why: Why
    words: str


@dataclass(frozen=True, slots=True)
class Reception:
    """What became of a client's message: how many replies were used, and why the others did not help.

    `is_decided` is False while a specialist has not said whether it takes the message.
    """

    used: int = 0
    problems: tuple[Problem, ...] = ()
    is_decided: bool = True

    @property
    def refusal(self) -> Problem | None:
        """Return why nothing can come of the message; None where it was of use, or may be put in other words."""
        if self.used or any(problem.why is Why.UNCLEAR for problem in self.problems):
            return None
        return self.problems[0] if self.problems else None


@dataclass(slots=True)
class Questions:
    """All questions of one task, in the order of their numbers."""

    unanswered: Unanswered
    _all: list[Question] = field(default_factory=list)
    _open: dict[int, Question] = field(default_factory=dict)
    _notes: dict[str, str] = field(default_factory=dict)  #: by branch, what its next question has to say beside
    _closed_unseen: bool = False  #: a question the client knew was closed without it since its last message

    def ask(self, branch: str, agent: str, inquiry: Inquiry, at: float, attempt: int = 0, again: str = "") -> Question:
        """Add a question under the next number; *again* says why it is not the first of its kind."""
        question = Question(
            number=len(self._all) + 1,
            branch=branch,
            agent=agent,
            inquiry=inquiry,
            asked_at=at,
            default_at=at + self.unanswered.after_s,
            then=self.unanswered.then,
            attempt=attempt,
            again=again,
        )
        self._all.append(question)
        self._open[question.number] = question
        return question

    def tell(self, question: Question, at: float) -> None:
        """Note that the client is asked: from now on it may leave the question unanswered."""
        if not question.is_told:
            question.is_told, question.default_at = True, at + self.unanswered.after_s
            question.again = self._notes.pop(question.branch, "") + question.again

    def note(self, branch: str, words: str) -> None:
        """Let the next question about *branch* begin with *words*: one that nobody was told may still be dropped."""
        self._notes[branch] = self._notes.get(branch, "") + words

    def close(self, question: Question, how: Closed) -> None:
        """Take a question from the open ones."""
        question.closed = how
        del self._open[question.number]
        self._closed_unseen = self._closed_unseen or (question.is_told and how != "answered")

    def drop(self, branch: str, *, keep: Sequence[str] | None = None) -> None:
        """Close what is open about *branch*, but for the inquiries whose keys are in *keep*."""
        for question in self.about(branch):
            if keep is None or question.inquiry.key not in keep:
                self.close(question, "settled without an answer")

    def open(self) -> list[Question]:
        """Return the questions that wait for an answer."""
        return list(self._open.values())

    def about(self, branch: str) -> list[Question]:
        """Return the open questions about *branch*."""
        return [question for question in self._open.values() if question.branch == branch]

    def untold(self) -> list[Question]:
        """Return the open questions the client has not seen."""
        return [question for question in self._open.values() if not question.is_told]

    def overdue(self, at: float) -> list[Question]:
        """Return the open questions whose default applies."""
        return [question for question in self._told() if question.default_at <= at]

    def defaults_at(self) -> float | None:
        """Return when the next default applies, if any question is open."""
        return min((question.default_at for question in self._told()), default=None)

    def _told(self) -> list[Question]:
        return [question for question in self._open.values() if question.is_told]

    def match(self, replies: Sequence[Reply], whole: Reply | None = None) -> Iterator[tuple[Reply, Question | Problem]]:
        """Yield each reply with its question, or with why there is none. Bare text may mean one question only.

        *whole* is the same message as one reply, where the numbers were only read in its text.
        """
        named = [reply.question for reply in replies if reply.question]
        is_list = len(named) > 1 and not all(map(self._known, named))  # one number alone may be mistyped
        if whole is not None and len(self._told()) == 1 and is_list:
            yield whole, self._as_one(named)
        else:
            for reply in replies:
                yield reply, self._match(reply)
        self._closed_unseen = False

    def _as_one(self, numbers: Iterable[str]) -> Question | Problem:
        """Return the open question: *numbers* are a list's, unless one may be that of a question that is closed."""
        closed = next((known for known in map(self._known, numbers) if known and known.closed), None)
        if closed is None:
            return self._only_one()
        told = f"Question {closed.number} is closed, and other numbers in your text are of no question"
        return Problem(Why.UNCLEAR, f"{told}: write the answer to {self._told()[0].number} without numbered lines.")

    def _match(self, reply: Reply) -> Question | Problem:
        if not reply.question:
            return self._only_one()
        question = self._known(reply.question)
        if question is None:
            return Problem(Why.CLOSED, f"There is no question {reply.question}.")
        if question.closed:
            return Problem(Why.CLOSED, f"Question {question.number} is closed: {question.closed}.")
        return question

    def _known(self, named: str) -> Question | None:
        """Return the question a client may mean by that number, open or closed: one it was asked."""
        number = int(named) if named.isdecimal() and len(named) < 10 else 0
        question = self._all[number - 1] if 0 < number <= len(self._all) else None
        return question if question and question.is_told else None

    def _only_one(self) -> Question | Problem:
        known = self._told()
        if len(known) > 1:
            return Problem(Why.UNCLEAR, f'Several questions are open: write "{known[0].number}: your answer".')
        if known and self._closed_unseen:
            number = known[0].number
            words = f'Another question was closed in the meantime: write "{number}: your answer" if {number} is meant.'
            return Problem(Why.UNCLEAR, words)
        return known[0] if known else Problem(Why.NOTHING_ASKED, "The task asks nothing.")


def choice_in(reply: Reply, choices: Sequence[Choice]) -> str:
    """Return the id of the choice *reply* names, or an empty string."""
    said = reply.text.strip().casefold()
    return next((choice.id for choice in choices if choice.id.casefold() == said), "")

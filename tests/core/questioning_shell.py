"""A hostile shell whose specialists ask, and a client that answers: in time, late, twice, wrongly or never.

The machine keeps its own account of what every attempt wants to know and of every answer that
was accepted, made from the facts and the commands alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from coordinator.core import events as ev
from coordinator.core.commands import Command, Follow, Look, Send
from coordinator.core.coordination import Coordination
from coordinator.core.model import Ask, Exhausted, Failure, FailureKind, Limits, Message, Need, PartRef, Unanswered
from coordinator.core.questions import Inquiry, Question, Reply, Why
from coordinator.core.view import TaskView, view_of
from tests.core.building import inquiry
from tests.core.hostile_plans import ANSWERS, ANY, BEFORE, DELAYS, OTHERS, REPORTS, Planned, plans
from tests.core.hostile_shell import GIVING_UP, WHICH, Attempt, HostileShell

AFTER = 30.0
SELDOM = st.sampled_from([None, None, None, 30.0, 50.0])
PAUSES = st.sampled_from([0.0, 0.0, 0.5, 1.0, 1.0, 7.0])
STAGES = st.fixed_dictionaries(
    {
        "exhausted": st.sampled_from([Exhausted.ESCALATE] * 3 + [Exhausted.COUNT] * 2 + [Exhausted.FAIL_FAST]),
        "need": st.sampled_from([Need("count", 0)] * 4 + [Need("count", 1), Need("all")]),
        "limits": st.builds(Limits, st.sampled_from([None, None, 1, 2]), SELDOM, SELDOM),
    }
)
PLANS = STAGES.flatmap(
    lambda common: plans(
        {
            "deadline_s": SELDOM,
            "retry_budget": st.sampled_from([None, None, 0, 2]),
            "ask": st.sampled_from([Ask.SOON, Ask.SOON, Ask.LAST]),
            "unanswered": st.builds(Unanswered, st.just(AFTER), st.sampled_from(["skip", "take", "abort"])),
        },
        **common,
    )
)
"""Plans that seldom end before anybody has asked; what all their stages have in common is drawn first."""

ASKED = st.sampled_from(
    [
        (inquiry("which?"),),
        (inquiry("which?"),),
        (inquiry("log in", "auth"),),
        (inquiry("one", key="1"), inquiry("two", key="2")),
        (inquiry("one", key="1"), inquiry("two", key="2")),
        (inquiry("two", key="2"),),
        (inquiry("broken", "failure", "1", "retry skip"), inquiry("three", key="3")),
        (inquiry("inner log in", "auth", "4"),),
    ]
)
MARKS = st.sampled_from(["m", "n", "", "", ""])
"""The status in which a task asks; empty: one it never had before."""

ASKS = st.builds(lambda asked, mark: ev.Asked(**ANY, inquiries=asked, mark=mark), ASKED, MARKS)
TALK = st.sampled_from(
    [
        ev.Looked(**ANY),
        ev.Resumed(**ANY),
        ev.AnswerTaken(**ANY, message_id=""),
        ev.AnswerTaken(**ANY, message_id=""),
        ev.AnswerRefused(**ANY, message_id="", failure=Failure(FailureKind.REFUSED, "not like this")),
    ]
)

WORDS = st.sampled_from(["yes", "yes", "retry", "skip", "take", "agent:spare-0", "what?", "abort"])


@dataclass(frozen=True)
class Said:
    """A message of the client: whom each reply is for (an index of what is asked, or a number), and its words."""

    replies: tuple[tuple[int, str], ...]
    is_bare: bool
    is_by_number: bool


SAYINGS = st.builds(
    Said,
    st.lists(st.tuples(st.integers(0, 7), WORDS), min_size=1, max_size=3, unique_by=lambda one: one[0]).map(tuple),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([False, False, False, True]),
)


@dataclass
class Asking:
    """What one attempt wants to know, as the facts have told it."""

    mark: str = ""
    is_parked: bool = False
    asked: tuple[Inquiry, ...] = ()  #: in the latest status
    pending: dict[str, Inquiry] = field(default_factory=dict)  #: what has no answer yet, by key


@dataclass
class Given:
    """An answer that was accepted for a specialist."""

    number: int
    about: str  #: id of the attempt's command
    key: str
    sent: str = ""  #: id of the message that carried it
    is_told_late: bool = False
    is_taken: bool = False  #: or refused: the specialist has said something to it
    is_told_lost: bool = False


HAPPENINGS = st.sampled_from([ASKS] * 3 + [SAYINGS] * 6 + [TALK] * 3 + [REPORTS] * 3 + [ANSWERS, OTHERS]).flatmap(
    lambda chosen: chosen
)
"""Alternatives joined with | are all as likely as each other, however often one is named; these are not."""


def is_ours(wanted: Inquiry) -> bool:
    """Whether the question is about a failure here, rather than one of the specialist's."""
    return wanted.kind == "failure" and not wanted.key


def fits(reply: Reply, wanted: Inquiry) -> bool:
    return not is_ours(wanted) or reply.text in {choice.id for choice in wanted.choices}


class QuestioningShell(HostileShell):
    """Lets attempts ask, and plays the client."""

    most_steps = 3000

    @initialize(planned=PLANS, patience=st.integers(10, 100), before=BEFORE, delay=DELAYS, answers=st.booleans())
    def accept(self, planned: Planned, patience: int, before: list[ev.Event], delay: float, answers: bool) -> None:
        self.answers_in_the_end = answers
        self.asking: dict[str, Asking] = {}
        self.given: dict[str, Given] = {}  #: by the digest of the answer's part
        self.numbers: dict[int, tuple[str, int, Inquiry]] = {}
        self.told_at: dict[int, float] = {}
        self.decided: set[int] = set()  #: numbers the client has answered
        self.dropped: set[int] = set()  #: numbers of questions that a new status of their task did not repeat
        self.vanished = False  #: a question was closed without the client since its latest message
        self.final: TaskView | None = None
        self.waited = 0.0
        self.waited_before: dict[str, float] = {}
        self.set_out(planned, patience, before, delay)

    @rule(said=HAPPENINGS, which=WHICH, delay=PAUSES)
    def happen(self, said: ev.Event | Said, which: int, delay: float) -> None:
        self.now += delay
        if self.told_after_the_end > 5 or (isinstance(said, GIVING_UP) and len(self.facts) <= self.patience):
            return
        match said:
            case Said():
                self.say(said)
            case ev.AttemptEvent():
                self.report(said, which, 0.0)
            case ev.Merged() | ev.MergeFailed():
                self.answer_merge(said, which)
            case ev.StageExpanded() | ev.ExpansionFailed():
                self.answer_expand(said, which)
            case ev.TurnStarted():
                self.restart()
                self.tell(dataclasses.replace(said, at=self.now))
            case _:
                self.tell(dataclasses.replace(said, at=self.now))

    def wake_up_when_asked(self) -> None:
        """Wake up, but not half of the time."""
        HostileShell.wake_up_when_asked(self)

    @precondition(lambda self: self.coordination.wake_at() is not None)
    @rule(is_time=st.sampled_from([True, False, False, False]))
    def wake_up(self, is_time: bool) -> None:
        if is_time:
            self.wake_up_when_asked()

    def restart(self) -> None:
        again = Coordination.replay(self.facts)
        live = self.coordination
        assert again.outstanding() == live.outstanding()
        assert again.told == live.told
        assert (again.wake_at(), again.is_waiting, again.problems) == (live.wake_at(), live.is_waiting, live.problems)
        assert view_of(again, self.now) == view_of(live, self.now)
        assert all(again.reception(one.receipt) == live.reception(one.receipt) for one in self.messages())
        self.coordination = again

    def messages(self) -> list[ev.MessageReceived]:
        return [fact for fact in self.facts if isinstance(fact, ev.MessageReceived)]

    # -- the specialists --------------------------------------------------------------------------

    def is_wanted(self, attempt: Attempt) -> bool:
        return not attempt.is_reported and not attempt.cancels and attempt.send.id in self.attempts

    def answer_under_way(self, attempt: Attempt) -> Send | None:
        command = self.coordination.open_command(attempt.send.id)
        return command if isinstance(command, Send) and command.remote is not None else None

    def tell_of(self, attempt: Attempt, fact: ev.AttemptEvent) -> None:
        if isinstance(fact, ev.Asked | ev.Looked | ev.Resumed | ev.AnswerTaken | ev.AnswerRefused):
            self.tell_of_talk(attempt, fact)
            return
        if isinstance(fact, ev.AttemptSucceeded | ev.AttemptFailed) and self.is_wanted(attempt):
            self.asking.pop(attempt.send.id, None)
        super().tell_of(attempt, fact)

    def tell_of_talk(self, attempt: Attempt, fact: ev.AttemptEvent) -> None:
        """Tell what only an attempt whose task is known can be about."""
        if not attempt.is_opened:
            for before in (ev.AttemptStarted(at=self.now, **attempt.about), self.opening(attempt)):
                super().tell_of(attempt, before)
        told = self.talk(attempt, fact)
        if told is not None:
            self.tell(told)

    def talk(self, attempt: Attempt, fact: ev.AttemptEvent) -> ev.AttemptEvent | None:
        """Note what *fact* means for the account; return it as it can be told."""
        asking = self.asking.setdefault(attempt.send.id, Asking())
        if isinstance(fact, ev.AnswerTaken | ev.AnswerRefused):
            return self.about_an_answer(attempt, asking, fact)
        if isinstance(fact, ev.Asked):
            fact = dataclasses.replace(fact, mark=fact.mark or f"status {len(self.facts)}")
            if asking.is_parked and fact.mark == asking.mark and fact.inquiries != asking.asked:
                return None  # one status says one thing
            if self.is_wanted(attempt) and self.answer_under_way(attempt) is None:
                self.note_asked(attempt.send.id, asking, fact)
        elif isinstance(fact, ev.Resumed) and self.is_wanted(attempt) and asking.is_parked:
            asking.is_parked, asking.pending = False, {}
            self.dropped |= set(self.numbers)
        return fact

    def opening(self, attempt: Attempt) -> ev.TaskOpened:
        return ev.TaskOpened(at=self.now, **attempt.about, remote=attempt.remote)

    def note_asked(self, about: str, asking: Asking, fact: ev.Asked) -> None:
        held = self.held_for(about)
        for key, given in held.items():
            given.is_told_late = key not in {one.key for one in fact.inquiries}
        told = {number for number, one in self.numbers.items() if f"attempt:{one[0]}:{one[1]}" == about}
        self.dropped |= {number for number in told if self.numbers[number][2] not in fact.inquiries}
        asking.mark, asking.is_parked, asking.asked = fact.mark, True, fact.inquiries
        asking.pending = {one.key: one for one in fact.inquiries if one.key not in held}

    def held_for(self, about: str) -> dict[str, Given]:
        """Return the answers that wait for another one, by key; one that was told to be late is given up for good."""
        given = [one for one in self.given.values() if one.about == about]
        return {one.key: one for one in given if not one.sent and not one.is_told_late}

    def about_an_answer(
        self, attempt: Attempt, asking: Asking, fact: ev.AnswerTaken | ev.AnswerRefused
    ) -> ev.AnswerTaken | ev.AnswerRefused:
        """Let *fact* be about the message that is on its way; without one it is an old one again."""
        under_way = self.answer_under_way(attempt)
        sent = [one for one in self.given.values() if one.about == attempt.send.id and one.sent]
        message_id = under_way.message_id if under_way else sent[0].sent if sent else "unknown"
        if under_way and self.is_wanted(attempt):
            for one in sent:
                one.is_taken = one.is_taken or one.sent == message_id
        if under_way and isinstance(fact, ev.AnswerRefused) and self.is_wanted(attempt):
            again = {one.key for one in sent if one.sent == message_id}
            asking.is_parked = True
            asking.pending |= {
                one.key: one for one in asking.asked if one.key in again - set(self.held_for(attempt.send.id))
            }
        return dataclasses.replace(fact, message_id=message_id)

    # -- the client -------------------------------------------------------------------------------

    def say(self, said: Said) -> None:
        asked = self.coordination.asked
        if not asked and not said.is_by_number:
            # Nothing to say yet: time goes by.
            self.now += 1
            self.tell(ev.TimePassed(at=self.now))
            return
        if any(words == "abort" for _, words in said.replies) and len(self.facts) <= self.patience:
            return
        replies: dict[str, Reply] = {}
        for number, (target, words) in enumerate(said.replies):
            is_index = bool(asked) and not said.is_by_number
            named = "" if said.is_bare and asked else str(asked[target % len(asked)].number if is_index else target)
            part = PartRef(f"{len(self.facts):032x}{number:032x}", len(words))
            replies.setdefault(named, Reply(named, (part,), words))
        doubtful = [one for one in replies.values() if self.has_to_help(one) is None]
        self.send(doubtful[:1] or list(replies.values()))

    def send(self, replies: list[Reply]) -> None:
        receipt = f"receipt {len(self.facts)}"
        message = Message(receipt, "user", tuple(ref for reply in replies for ref in reply.parts))
        was_over = self.coordination.state.is_terminal
        helping = [self.has_to_help(reply) for reply in replies]
        undo = [self.note_answer(reply) for reply, helps in zip(replies, helping, strict=True) if helps is not False]
        # That the numbers were read in a text makes no difference where all are those of questions.
        are_known = all(int(reply.question) in self.numbers for reply in replies if reply.question)
        whole = Reply("", message.parts, "all of it") if are_known else None
        self.tell(
            ev.MessageReceived(at=self.now, receipt=receipt, message=message, replies=tuple(replies), whole=whole)
        )
        reception = self.coordination.reception(receipt)
        assert reception is not None
        assert reception.is_decided
        assert was_over or len(reception.problems) == len(replies) - reception.used
        if was_over:
            assert reception.refusal is not None
            assert reception.refusal.why is Why.OVER
        elif None not in helping:
            assert reception.used == sum(map(bool, helping))
        elif not reception.used:
            undo[0]()
        self.vanished = False

    def has_to_help(self, reply: Reply) -> bool | None:
        """Say whether *reply* has to be used, or must not be; None where only the coordination can know.

        That is so for a question the client knows which is not asked now: it may be closed, or stand behind others.
        """
        if self.coordination.state.is_terminal:
            return False
        asked = {question.number: question.inquiry for question in self.coordination.asked}
        if not reply.question:
            if len(asked) != 1 or self.vanished or not fits(reply, next(iter(asked.values()))):
                return False
            return True if set(self.numbers) <= self.decided | set(asked) else None
        number = int(reply.question)
        if number in asked:
            return fits(reply, asked[number])
        return None if number in self.numbers and number not in self.decided else False

    def note_answer(self, reply: Reply) -> Callable[[], None]:
        """Remember for whom *reply* is; return what forgets it again."""
        number = int(reply.question) if reply.question else self.coordination.asked[0].number
        key, attempt, wanted = self.numbers[number]
        about, digest = f"attempt:{key}:{attempt}", reply.parts[0].digest
        asking = self.asking.get(about)
        pending = dict(asking.pending) if asking else {}
        self.decided.add(number)
        if asking and not is_ours(wanted):
            self.given[digest] = Given(number, about, wanted.key)
            asking.pending.pop(wanted.key, None)

        def forget() -> None:
            self.decided.discard(number)
            self.given.pop(digest, None)
            if asking:
                asking.pending = pending

        return forget

    # -- commands ---------------------------------------------------------------------------------

    def take(self, command: Command) -> None:
        match command:
            case Send() if command.remote is not None:
                self.check_answer(command)
            case Look() | Follow():
                assert command.remote == self.attempts[command.id].remote
                assert isinstance(command, Look) is self.asking[command.id].is_parked
            case _:
                super().take(command)

    def check_answer(self, send: Send) -> None:
        attempt, asking = self.attempts[send.id], self.asking[send.id]
        assert (send.remote, send.agent, send.mark) == (attempt.remote, attempt.send.agent, asking.mark)
        assert len(send.parts) == len(send.answers) > 0
        for part, key in zip(send.parts, send.answers, strict=True):
            given = self.given[part.digest]
            assert (given.about, given.key) == (send.id, key), "it reaches the attempt that asked, and no other"
            assert not given.sent, "nothing is answered twice"
            given.sent = send.message_id
        assert asking.is_parked
        asking.is_parked = False

    # -- facts ------------------------------------------------------------------------------------

    def tell(self, fact: ev.Event) -> None:
        if self.coordination.is_waiting:
            self.waited += max(0.0, fact.at - self.at)
        before = {one.number for one in self.coordination.asked}
        super().tell(fact)
        for name in self.begun:
            self.waited_before.setdefault(name, self.waited)
        self.check_losses([one for one in self.coordination.asked if one.number not in self.told_at])
        for question in self.coordination.asked:
            about = (question.branch, question.attempt, question.inquiry)
            assert self.numbers.setdefault(question.number, about) == about, "a number is never used again"
            self.told_at.setdefault(question.number, fact.at)
        closed = before - {one.number for one in self.coordination.asked} - self.decided
        self.vanished = self.vanished or (bool(closed) and not isinstance(fact, ev.MessageReceived))

    def check_losses(self, fresh: list[Question]) -> None:
        """Expect the next question about a branch to say which answers its attempts were not given."""
        for given in self.given.values():
            attempt = self.attempts[given.about]
            said = "".join(question.words for question in fresh if question.branch == attempt.send.branch)
            if said and not self.is_wanted(attempt) and not given.is_taken and not given.is_told_late:
                is_told = f"The answer to question {given.number}, " in said
                assert is_told is not given.is_told_lost, "it is told once"
                given.is_told_lost = True

    # -- and it ends ------------------------------------------------------------------------------

    def do_next(self) -> None:
        match next(iter(self.coordination.outstanding()), None):
            case Look() as command:
                self.tell_of(self.attempts[command.id], ev.Looked(at=self.now, **self.attempts[command.id].about))
            case Send() as command if command.remote is not None:
                attempt = self.attempts[command.id]
                self.tell_of(attempt, ev.AnswerTaken(at=self.now, **attempt.about, message_id=""))
            case None if self.coordination.asked and self.answers_in_the_end:
                self.answer_everything()
            case _:
                super().do_next()

    def answer_everything(self) -> None:
        replies = []
        for question in self.coordination.asked:
            words = "skip" if is_ours(question.inquiry) else "yes"
            part = PartRef(f"{len(self.facts):032x}{question.number:032x}", len(words))
            replies.append(Reply(str(question.number), (part,), words))
        self.send(replies)

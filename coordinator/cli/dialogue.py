"""Stays with a task through its questions: follows it, asks the user, sends the answers, goes on.

While somebody is asked the task is watched: what is answered elsewhere, authorised out of band or
closed by its default must not be asked any longer. How to follow is for `follow.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress

from a2a.types.a2a_pb2 import Part, StreamResponse
from rich.text import Text

from coordinator.cli import prompt
from coordinator.cli.answers import answering, complaint_about
from coordinator.cli.client import Connection
from coordinator.cli.exits import Lost, Stop
from coordinator.cli.follow import attached, follow
from coordinator.cli.live import display
from coordinator.cli.questions import Question, how_to_answer, question_lines
from coordinator.cli.terminal import note, printable, printable_lines
from coordinator.cli.view import TaskView

LOOK_EVERY_S = 5.0
"""How often a task is looked at while somebody is asked, where the server ends its streams."""
GONE = (
    "the task is gone with the demo; to answer later start the agents with `coordinator network`, "
    "and send the code with `coordinator review`"
)


class Dialogue:
    """One task and the person who may be asked about it."""

    def __init__(self, connection: Connection, view: TaskView, *, asks: bool) -> None:
        self.is_asking = False  #: whether it is the user's turn: Ctrl-C then leaves the task as it is
        self._connection = connection
        self._view = view
        self._asks = asks
        self._left: set[str] = set()
        self._answered: set[str] = set()

    async def carry_on(self, stream: AsyncGenerator[StreamResponse] | None) -> None:
        """Follow *stream*, ask and answer, until the task has ended or nobody answers any more."""
        if stream is not None:
            await self._follow(stream)
        while self._asks and (questions := self._open()):
            if answers := await self.ask(questions):
                await self._send(answers)
            if not self._view.is_settled:
                await self._follow(attached(self._connection, self._view.task.id))

    def _open(self) -> list[Question]:
        """Return the questions the user has not chosen to leave open."""
        return [question for question in self._view.questions if question.number not in self._left]

    async def _follow(self, stream: AsyncGenerator[StreamResponse]) -> None:
        with display() as shown:
            await follow(self._connection, stream, self._view, shown)

    async def _send(self, answers: dict[str, list[Part]]) -> None:
        self._answered.update(answers)
        try:
            await self._follow(self._connection.send(answering(self._view.task, answers)))
        except Lost:
            raise
        except Stop as refusal:  # somebody else was first, or the answer cannot be taken: what is open now?
            note(Text(printable(refusal), style="yellow"))
            await self._refresh()

    async def _refresh(self) -> None:
        self._view.apply(StreamResponse(task=await self._connection.task(self._view.task.id)))

    async def ask(self, questions: Sequence[Question]) -> dict[str, list[Part]]:
        """Return what the user answers, by question number; less when the task goes on meanwhile."""
        answers: dict[str, list[Part]] = {}
        self.is_asking = True
        try:
            async with asyncio.TaskGroup() as group:
                asking = group.create_task(self._prompt(questions, answers))
                watching = group.create_task(self._until_changed())
                await asyncio.wait((asking, watching), return_when=asyncio.FIRST_COMPLETED)
                asking.cancel()
                watching.cancel()
        except ExceptionGroup as failed:  # not `except*`: what is raised in there comes out as a group again
            raise failed.exceptions[0] from None
        self.is_asking = False
        still = {question.number for question in self._view.questions}
        if asking.cancelled():
            news = "the questions have changed meanwhile" if still else "nothing is asked any more: the task goes on"
            note(Text(f"\n{news}", style="yellow"))
        return {number: parts for number, parts in answers.items() if number in still}

    async def _prompt(self, questions: Sequence[Question], answers: dict[str, list[Part]]) -> None:
        note(Text(f"task {printable(self._view.task.id)} waits for an answer", style="bold"))
        if any(question.number in self._answered for question in questions if question.number):
            note(Text(printable_lines(self._view.words), style="yellow"))  # it says why it is asked again
        for question in questions:
            note(question_lines([question]), unbroken=True)
            if answer := await _typed(question):
                answers[question.number] = [answer]
            else:
                self._left.add(question.number)

    async def _until_changed(self) -> None:
        """Return when other questions are open than those that are being asked, or none."""
        before = _asked(self._view)
        while True:
            seen = TaskView()
            with suppress(Lost):
                async with aclosing(attached(self._connection, self._view.task.id)) as events:
                    async for event in events:
                        seen.apply(event)
                        if _asked(seen) != before:
                            await self._refresh()
                            return
            await asyncio.sleep(LOOK_EVERY_S)


def _asked(view: TaskView) -> tuple[str, list[str]]:
    questions = view.questions
    return view.state, [question.number or question.text for question in questions]


async def _typed(question: Question) -> Part | None:
    """Return the answer to one question, asked again until it is one; `None` leaves it open."""
    number = f"{printable(question.number)}. " if question.number else ""
    while line := await prompt.read_line(f"{number}your answer (empty leaves it open): "):
        if not line.strip():
            return None
        part = Part(text=line.strip())
        if not (complaint := complaint_about(part, question)):
            return part
        note(Text(printable(complaint), style="yellow"))
    return None


def leave_waiting(view: TaskView) -> None:
    """Say that the task waits on although its user has left."""
    note(Text("\nleft" if view.is_passing else "\nleft; the task waits"))
    tell_how_to_answer(view)


def tell_how_to_answer(view: TaskView) -> None:
    """Say how an open question is answered later, or from elsewhere; where the coordinator ends now, that it is not."""
    if view.is_passing:
        note(Text(GONE), unbroken=True)
        return
    note(Text(how_to_answer(view.task.id, view.questions)), unbroken=True)

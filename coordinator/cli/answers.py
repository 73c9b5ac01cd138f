"""From what a user gives to the message that answers: which part is for which question.

What is typed is matched with the open questions before anything is sent, so that a slip is told
at once; what the coordinator makes of an answer is its own affair.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from a2a.types.a2a_pb2 import Message, Part, Role, SendMessageConfiguration, SendMessageRequest, Task

from coordinator.cli.exits import Stop
from coordinator.cli.questions import Question
from coordinator.core.extension import ANSWER, URI

NUMBERED = re.compile(r"(\d+)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Given:
    """What was typed after the task's id."""

    texts: Sequence[str] = ()
    others: Sequence[Part] = ()  #: files and data
    number: str | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether nothing was said at all."""
        return not self.texts and not self.others


def matched(given: Given, questions: Sequence[Question]) -> dict[str, list[Part]]:
    """Return the parts of the answers by question number; an empty number is the only, plain question.

    Raises `Stop` when an answer is for nobody, or may be for several.
    """
    numbers = [question.number for question in questions]
    numbered = [NUMBERED.fullmatch(text) for text in given.texts]
    if given.number is None and numbered and all(numbers) and all(numbered):
        answers: dict[str, list[Part]] = {}
        for number, text in (match.groups() for match in numbered if match):
            answers.setdefault(number, []).append(Part(text=text))
        if given.others:
            answers.setdefault(_only(list(answers), "--file and --data are"), []).extend(given.others)
    else:
        number = given.number if given.number is not None else _only(numbers, "the answer is")
        if len(given.texts) > 1:
            raise Stop("several texts are several answers: write N=TEXT for each, or put one text in quotes")
        answers = {number: [*(Part(text=text) for text in given.texts), *given.others]}
    _check(answers, questions)
    return answers


def _only(numbers: Sequence[str], what: str) -> str:
    if len(numbers) != 1:
        raise Stop(f"{what} for one question, and there are {', '.join(numbers)}: write N=TEXT, or give --question N")
    return numbers[0]


def _check(answers: Mapping[str, Sequence[Part]], questions: Sequence[Question]) -> None:
    for number, parts in answers.items():
        question = chosen(number, questions)
        for part in parts:
            if complaint := complaint_about(part, question):
                raise Stop(f"question {number}: {complaint}")


def chosen(number: str, questions: Sequence[Question]) -> Question:
    """Return the open question of that number. Raises `Stop` when there is none."""
    for question in questions:
        if question.number == number:
            return question
    listing = ", ".join(question.number for question in questions if question.number) or "one without a number"
    raise Stop(f"question {number} is not open; open is: {listing}")


def complaint_about(part: Part, question: Question) -> str:
    """Say what is wrong with an answer where a choice is asked for, or nothing."""
    if not question.choices or part.text.strip() in question.choices:
        return ""
    return f"{part.text.strip() or 'a file or data'} is no choice; there are: {', '.join(question.choices)}"


def answering(task: Task, answers: Mapping[str, Iterable[Part]], *, detach: bool = False) -> SendMessageRequest:
    """Return the request that sends *answers*, parts by question number, to *task*."""
    message = Message(message_id=str(uuid.uuid4()), role=Role.ROLE_USER, task_id=task.id, context_id=task.context_id)
    for number, parts in answers.items():
        for part in parts:
            message.parts.append(part)
            if number:
                message.parts[-1].metadata.update({ANSWER: number})
    if any(answers):
        message.extensions.append(URI)
    configuration = SendMessageConfiguration(history_length=0, return_immediately=detach)
    return SendMessageRequest(message=message, configuration=configuration)

"""What a waiting task asks, as values and as lines for people.

Pure like `report.py`: a task's status in, questions and rich renderables out. A status without our
data part is one question without a number: a specialist behind a plain delegation asks in its own
words, and is answered by a plain message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from a2a.types.a2a_pb2 import Part, Task, TaskState
from rich.console import Group
from rich.table import Table
from rich.text import Text

from coordinator.cli.tables import local_time, part_words
from coordinator.cli.terminal import as_json, printable
from coordinator.core import model
from coordinator.core.extension import QUESTIONS

Json = Mapping[str, Any]

WAITING = tuple(state for state in model.TaskState if state.is_interrupted)
ASKS: Mapping[str, str] = {
    "input": "asks",
    "auth": "wants an authorisation",
    "failure": "failed",
    "conflict": "found a conflict",
}
MOST_LINES = 20
"""Lines of one part of a question that are shown; `show --json` has all."""


@dataclass(frozen=True, slots=True)
class Question:
    """One open question; *told* is all the coordinator says about it."""

    number: str  #: empty where the specialist's own question came through
    kind: str  #: input, auth, failure, conflict
    text: str
    agent: str = ""
    parts: tuple[Json, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)  #: id and meaning; empty: any answer will do
    default: str = ""  #: the choice taken when nobody answers
    default_at: str = ""  #: an instant of the protocol
    told: Json = field(default_factory=dict)


def questions_of(task: Task) -> list[Question]:
    """Return what *task* waits for an answer to; nothing when it does not wait."""
    state = TaskState.Name(task.status.state)
    if state not in WAITING:
        return []
    asked = [one for document in _documents(task) for one in document.get("questions", ())]
    return [_question(one) for one in asked] or [_plain(task.status.message.parts, state)]


def problems_of(task: Task) -> list[str]:
    """Return why the latest message to *task* has not answered all it meant to, in the coordinator's words."""
    return [str(problem) for document in _documents(task) for problem in document.get("problems", ())]


def _documents(task: Task) -> list[Json]:
    """Return what the coordinator says for programs, with the questions of a task that waits."""
    told = [as_json(part).get("data") for part in task.status.message.parts if QUESTIONS in part.metadata]
    return [document for document in told if isinstance(document, Mapping)]


def _question(told: Json) -> Question:
    default = told.get("default") or {}
    return Question(
        number=str(told.get("id", "")),
        kind=str(told.get("kind", "input")),
        text=str(told.get("text", "")),
        agent=str(told.get("agent", "")),
        parts=tuple(told.get("parts", ())),
        choices={str(choice.get("id", "")): str(choice.get("text", "")) for choice in told.get("choices", ())},
        default=str(default.get("then", "")),
        default_at=str(default.get("at", "")),
        told=told,
    )


def _plain(parts: Iterable[Part], state: str) -> Question:
    kind = "auth" if state == model.TaskState.AUTH_REQUIRED else "input"
    shown = tuple(as_json(part) for part in parts)
    text = next((part["text"] for part in shown if "text" in part), "")
    return Question("", kind, text, parts=shown, told={"kind": kind, "text": text, "parts": list(shown)})


def question_lines(questions: Iterable[Question]) -> Group:
    """Return the questions with everything a person needs to answer them.

    To be printed with long lines left to the terminal: an address that is broken leads nowhere.
    """
    return Group(*(line for question in questions for line in _lines(question)))


def _lines(question: Question) -> list[Text]:
    head = Text(f"{printable(question.number)}. " if question.number else "", style="bold magenta")
    head.append(f"{printable(question.agent) or 'the agent'} {ASKS.get(question.kind, 'asks')}", style="bold")
    body = [Text(line) for words in _body(question) for line in words.splitlines()]
    body += [_choice(*choice) for choice in question.choices.items()]
    if default := default_words(question):
        body.append(Text(f"without an answer: {default}", style="yellow"))
    return [head, *(Text.assemble("   ", line) for line in body)]


def _body(question: Question) -> list[str]:
    """Return the text, then the specialist's own parts where they say more; data only where there is no text."""
    texts = [part for part in question.parts if "text" in part]
    shown = [part for part in question.parts if not (texts and "data" in part)]
    said = [part_words(part, MOST_LINES) for part in shown]
    if any(printable(words).startswith(printable(question.text)) for words in said):
        return said
    return [printable(question.text), *said]


def _choice(name: str, meaning: str) -> Text:
    line = Text.assemble((printable(name), "bold cyan"))
    return line.append(f"  {printable(meaning)}") if meaning else line


def default_words(question: Question) -> str:
    """Return what happens when nobody answers, and when: `skip at 2026-11-20 23:00:00`."""
    if not question.default:
        return ""
    at = f" at {local_time(question.default_at)}" if question.default_at else ""
    return f"{printable(question.default)}{at}"


def waiting_table(tasks: Iterable[Task]) -> Table:
    """Return what waits for whom: one line a question."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("task", "question", "agent", "kind", "default", "text"):
        table.add_column(column, overflow="fold")
    for task in tasks:
        for question in questions_of(task):
            table.add_row(
                Text(printable(task.id)),
                Text(printable(question.number)),
                Text(printable(question.agent)),
                Text(printable(question.kind)),
                Text(default_words(question)),
                Text(printable(question.text.partition("\n")[0])),
            )
    return table


def how_to_answer(task_id: str, questions: Sequence[Question]) -> str:
    """Return the command that answers, for another shell or a later time; an authorisation is given elsewhere first."""
    numbered = [question for question in questions if question.number]
    answers = " ".join(f"{printable(question.number)}={_example(question)}" for question in numbered) or "TEXT"
    command = f"coordinator answer {printable(task_id)} {answers}"
    if questions and all(question.kind == "auth" for question in questions):
        return f"authorise it where it says above; the task goes on by itself. Or answer with: {command}"
    return f"answer with: {command}"


def _example(question: Question) -> str:
    return "credential:NAME" if question.kind == "auth" else "TEXT"

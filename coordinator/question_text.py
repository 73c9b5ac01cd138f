"""Questions as the client gets them: a text a person can answer, and a document for machines.

The text alone is enough: any A2A client can show it and send a text back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from a2a.types import a2a_pb2 as a2a

from coordinator.core.extension import QUESTION, QUESTIONS
from coordinator.core.model import Part
from coordinator.core.questions import Question
from coordinator.core.view import TaskView
from coordinator.wire import as_dict, content_out, part_out

SCHEMA = "questions/v1"
MOST_WORDS = 2000


def question_parts(view: TaskView, bodies: Mapping[str, bytes], *, takes_data: bool) -> list[a2a.Part]:
    """Return the parts of the status message: the text, the document where it is understood, what agents added."""
    parts = [a2a.Part(text=question_text(view), media_type="text/plain")]
    if view.knows_us and takes_data:
        asked = [_document(question, bodies) for question in view.asked]
        document = {"schema": SCHEMA, "questions": asked, **({"problems": [*view.problems]} if view.problems else {})}
        parts.append(content_out(Part("data", document, "application/json", metadata={QUESTIONS: True})))
    for question in view.asked:
        parts += _own_parts(question, bodies)
    return parts


def question_text(view: TaskView) -> str:
    """Return what a person reads: the problems of the last answer, then every open question with its number."""
    lines = [f"Your last message: {problem}" for problem in view.problems]
    many = len(view.asked) > 1
    lines.append(f"{len(view.asked)} questions are open." if many else "One question is open.")
    for question in view.asked:
        lines += ["", *_lines(question)]
    return "\n".join([*lines, "", _how(view.asked)])


def _how(asked: Sequence[Question]) -> str:
    """Return how the client answers; an authorisation is mostly given elsewhere, and needs no answer then."""
    first = asked[0].number
    if all(question.kind == "auth" for question in asked):
        line = f"{first}: credential:NAME" if len(asked) > 1 else "credential:NAME"
        return f"Authorise it where it says above; the task goes on by itself. Or answer {line}."
    return (
        f'Answer each in a line of its own, such as "{first}: ...".' if len(asked) > 1 else "Your text is the answer."
    )


def _lines(question: Question) -> list[str]:
    inquiry = question.inquiry
    words = question.words[:MOST_WORDS]
    if inquiry.kind == "failure" and not inquiry.key:
        what = f"{question.agent} ({question.branch}) has failed: {words.rstrip('.')}. What now?"
    elif inquiry.kind == "conflict":
        what = f"{question.branch}: {words}"
    else:
        verb = "asks for an authorisation" if inquiry.kind == "auth" else "asks"
        what = f"{question.agent} ({question.branch}) {verb}: {words}"
    # Lines of the question itself are set in: they must not look like questions of their own.
    lines = [f"{question.number}. {what}".replace("\n", "\n   ")]
    lines += [f"   - {choice.id}: {choice.text}" if choice.text else f"   - {choice.id}" for choice in inquiry.choices]
    lines.append(f"   Without an answer by {_when(question.default_at)}: {question.then}.")
    return lines


def _document(question: Question, bodies: Mapping[str, bytes]) -> dict[str, Any]:
    inquiry = question.inquiry
    return {
        "id": str(question.number),
        "kind": inquiry.kind,
        "branch": question.branch,
        "agent": question.agent,
        "text": question.words,
        "parts": [as_dict(part_out(bodies[ref.digest])) for ref in inquiry.parts],
        "choices": [{"id": choice.id, "text": choice.text} for choice in inquiry.choices],
        "default": {"then": question.then, "at": _when(question.default_at)},
    }


def _own_parts(question: Question, bodies: Mapping[str, bytes]) -> Sequence[a2a.Part]:
    """Return what an agent said in other ways than text, and everything that belongs to an authorisation (7.6.2)."""
    parts = []
    for ref in question.inquiry.parts:
        part = part_out(bodies[ref.digest])
        if question.kind == "auth" or not part.text:
            part.metadata.update({QUESTION: str(question.number)})
            parts.append(part)
    return parts


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

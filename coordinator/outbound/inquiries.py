"""What a specialist asks, read from the status its task is in.

A coordinator behind us asks several questions at once and says so in a data part; anybody else
asks one thing, in whatever parts it likes.
"""

from __future__ import annotations

from typing import Any, Literal

from a2a.types import a2a_pb2 as a2a
from google.protobuf import json_format
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coordinator.core.extension import QUESTIONS
from coordinator.core.model import Payload, TaskState
from coordinator.core.questions import Choice, Inquiry
from coordinator.outbound.reading import text_of
from coordinator.wire import json_in, parts_in

MOST = 200
MOST_TEXT = 2000


class _Choice(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str = Field(max_length=100)
    text: str = Field(default="", max_length=MOST_TEXT)


class _Question(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str = Field(min_length=1, max_length=100)
    kind: Literal["input", "auth", "failure", "conflict"] = "input"
    agent: str = Field(default="", max_length=500)
    text: str = Field(default="", max_length=10 * MOST_TEXT)
    parts: tuple[dict[str, Any], ...] = Field(default=(), max_length=100)
    choices: tuple[_Choice, ...] = Field(default=(), max_length=100)


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True)

    questions: tuple[_Question, ...] = Field(min_length=1, max_length=MOST)


Asked = tuple[tuple[Inquiry, ...], tuple[Payload, ...]]


def inquiries_in(state: TaskState | None, message: a2a.Message | None) -> Asked:
    """Return what a task in *state* with that status message asks, and the payloads of the parts."""
    parts = message.parts if message else []
    for part in parts:
        if QUESTIONS in part.metadata and (document := _document(part)) is not None:
            return _several(document)
    refs, payloads = parts_in(parts)
    text = text_of(parts, MOST_TEXT) or "it asks without a word"
    kind: Literal["auth", "input"] = "auth" if state is TaskState.AUTH_REQUIRED else "input"
    return (Inquiry(kind, text, parts=refs),), payloads


def _document(part: a2a.Part) -> _Document | None:
    """Return the questions in *part*; what only looks like them is read as a question in its own words."""
    try:
        return _Document.model_validate(json_in(part.data))
    except ValidationError:
        return None


def _several(document: _Document) -> Asked:
    inquiries: list[Inquiry] = []
    payloads: list[Payload] = []
    for question in document.questions:
        refs, own = parts_in(_parts(question))
        payloads += own
        text = f"{question.agent}: {question.text}" if question.agent else question.text
        choices = tuple(Choice(choice.id, choice.text) for choice in question.choices)
        inquiries.append(Inquiry(question.kind, text[:MOST_TEXT], question.id, refs, choices))
    return tuple(inquiries), tuple(payloads)


def _parts(question: _Question) -> list[a2a.Part]:
    parts = []
    for given in question.parts:
        try:
            parts.append(json_format.ParseDict(given, a2a.Part(), ignore_unknown_fields=True))
        except json_format.ParseError:
            continue  # the words of the question are there all the same
    return parts

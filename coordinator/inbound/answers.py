"""A client's message for a task it has: which of its parts are meant for which question.

Only reads what is written; whether such a question is open is for the task's own record to say.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from a2a.types import a2a_pb2 as a2a

from coordinator.core.answering import CREDENTIAL
from coordinator.core.extension import ANSWER
from coordinator.core.model import Json, Payload
from coordinator.core.questions import Reply
from coordinator.errors import RequestRefused
from coordinator.wire import json_in, parts_in

NUMBERED = re.compile(r"\s*(\d{1,9})\s*[:.)](?:\s+(.*))?$")
SECRET_NAMES = frozenset(
    {"token", "access_token", "refresh_token", "id_token", "password", "passwd", "secret", "client_secret"}
    | {"api_key", "apikey", "authorization", "credential", "credentials", "private_key"}
)
SECRET_TEXT = re.compile(
    r"\s*(?:(?:bearer|basic)\s+\S{8,}|(?:token|password|secret|api[ _-]?key)\s*[:=])", re.IGNORECASE
)
MOST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Replies:
    """What a message may mean, and the payloads of the parts that were made to say so."""

    replies: tuple[Reply, ...]
    whole: Reply | None  #: the message as one answer, where only its text has numbers in it
    payloads: tuple[Payload, ...]


def replies_in(message: a2a.Message) -> Replies:
    """Return the replies in *message*.

    A part is tagged with its question in its metadata, or a text numbers its lines; the rest names none.
    """
    replies: list[Reply] = []
    payloads: list[Payload] = []
    for question, parts in _grouped(message).items():
        reply, own = _reply(question, parts)
        replies.append(reply)
        payloads += own
    is_numbered = any(reply.question for reply in replies)
    is_tagged = any(ANSWER in part.metadata for part in message.parts)
    whole = _reply("", message.parts)[0] if is_numbered and not is_tagged else None
    return Replies(tuple(replies), whole, tuple(payloads))


def _reply(question: str, parts: Sequence[a2a.Part]) -> tuple[Reply, tuple[Payload, ...]]:
    refs, payloads = parts_in(parts)
    text = " ".join(part.text for part in parts if part.text)
    return Reply(question, refs, text[:MOST_TEXT]), payloads


def refuse_secrets(message: a2a.Message) -> None:
    """Raise `RequestRefused` for a message that carries a credential.

    The history of a task can be read by whoever may read the task (spec 7.6.3): a secret must not get there.
    """
    for number, part in enumerate(message.parts):
        lines = map(_after_number, part.text.splitlines())
        if any(map(SECRET_TEXT.match, lines)) or not SECRET_NAMES.isdisjoint(_names(part)):
            words = "it looks like a credential, which must not travel in messages: authorise out of band"
            advice = f"or answer {CREDENTIAL}<name> with one of the configuration"
            raise RequestRefused(f"message.parts[{number}]", f"{words}, {advice}")
    if not SECRET_NAMES.isdisjoint(_names_in(json_in(message.metadata))):
        raise RequestRefused("message.metadata", "it looks like a credential, which must not travel in messages")


def check_credentials(message: a2a.Message, known: Collection[str]) -> None:
    """Raise `RequestRefused` for a message that names a credential the configuration does not have."""
    for number, part in enumerate(message.parts):
        for line in part.text.splitlines():
            name = _after_number(line).strip()
            if name.startswith(CREDENTIAL) and name.removeprefix(CREDENTIAL).strip() not in known:
                there = ", ".join(sorted(known)) or "none"
                words = f"no such credential is configured; there are: {there}"
                raise RequestRefused(f"message.parts[{number}]", words)


def _grouped(message: a2a.Message) -> dict[str, list[a2a.Part]]:
    grouped: dict[str, list[a2a.Part]] = {}
    for part in message.parts:
        for question, piece in _pieces(part):
            grouped.setdefault(question, []).append(piece)
    return grouped


def _pieces(part: a2a.Part) -> Iterable[tuple[str, a2a.Part]]:
    tag = json_in(part.metadata).get(ANSWER) if ANSWER in part.metadata else None
    if tag is not None:
        untagged = a2a.Part()
        untagged.CopyFrom(part)
        del untagged.metadata.fields[ANSWER]
        return [(str(tag), untagged)]
    if part.WhichOneof("content") != "text" or not NUMBERED.match(_first_line(part.text)):
        return [("", part)]
    return _numbered(part)


def _numbered(part: a2a.Part) -> Iterator[tuple[str, a2a.Part]]:
    """Yield the answers of a text with numbered lines; a line without a number goes on with the one before."""
    number, lines = "", list[str]()
    for line in part.text.splitlines():
        match = NUMBERED.match(line)
        if match:
            if number:
                yield number, _text(lines, part)
            number, lines = match[1].lstrip("0") or "0", [match[2] or ""]
        else:
            lines.append(line)
    yield number, _text(lines, part)


def _text(lines: list[str], part: a2a.Part) -> a2a.Part:
    return a2a.Part(text="\n".join(lines).strip(), media_type=part.media_type)


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")


def _after_number(line: str) -> str:
    match = NUMBERED.match(line)
    return (match[2] or "") if match else line


def _names(part: a2a.Part) -> Iterator[str]:
    """Yield every name in the data and the metadata of *part*, in lower case."""
    yield from _names_in(json_in(part.metadata))
    if part.WhichOneof("content") == "data":
        yield from _names_in(json_in(part.data))


def _names_in(value: Json) -> Iterator[str]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from (str(name).casefold().replace("-", "_") for name in value)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value

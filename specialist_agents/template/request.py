"""What an agent's function is given and what it may give back, without any of the protocol's words.

Only values: nothing is sent from here but the progress the function reports.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from a2a.types.a2a_pb2 import Message, Part
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Value

TEXT = "text/plain"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class File:
    """A file, sent or returned."""

    name: str
    content: bytes
    media_type: str = "application/octet-stream"


class Question(Exception):
    """Raise it to ask the client something; the function is called again, with the reply in `request.replies`."""


class Failure(Exception):
    """Raise it to say that it cannot be done, in words for the client."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the function sees it."""

    text: str  #: of all parts of text, joined by line breaks
    data: Sequence[Any]  #: of all parts of data, as JSON values
    files: Sequence[File]
    replies: Sequence[str]  #: to the questions raised so far, the oldest first
    messages: Sequence[Message] = field(repr=False)  #: as they came: the request, then the replies
    progress: Callable[[str], Awaitable[None]] = field(repr=False)  #: tell the client how far it is


Returned: TypeAlias = str | Mapping[str, Any] | File | Sequence[str | Mapping[str, Any] | File]
"""A text, a JSON object, a file, or several of them."""

Answer: TypeAlias = Callable[[Request], Awaitable[Returned] | AsyncIterator[str]]
"""An agent's function; as an async generator it yields its text piece by piece."""


def request_of(messages: Sequence[Message], progress: Callable[[str], Awaitable[None]]) -> Request:
    """Return the request that begins with the first of *messages*; the others are replies."""
    parts = messages[0].parts
    return Request(
        text=_text(parts),
        data=tuple(MessageToDict(part.data) for part in parts if part.HasField("data")),
        files=tuple(_file(part) for part in parts if part.HasField("raw") or (part.HasField("text") and part.filename)),
        replies=tuple(_text(message.parts) for message in messages[1:]),
        messages=tuple(messages),
        progress=progress,
    )


def parts_of(returned: Returned) -> list[Part]:
    """Return what a function gave back as parts. Raises `TypeError` for what is none of `Returned`."""
    if isinstance(returned, Sequence) and not isinstance(returned, str | bytes):
        return [_part(one) for one in returned]
    return [_part(returned)]


def _part(one: object) -> Part:
    match one:
        case str():
            return Part(text=one, media_type=TEXT)
        case File():
            return Part(raw=one.content, filename=one.name, media_type=one.media_type)
        case Mapping():
            return Part(data=ParseDict(dict(one), Value()), media_type=JSON)
        case _:
            raise TypeError(f"an answer is a text, a JSON object, a File or a list of them, not {type(one).__name__}")


def _text(parts: Sequence[Part]) -> str:
    return "\n".join(part.text for part in parts if part.HasField("text") and not part.filename)


def _file(part: Part) -> File:
    content = part.raw if part.HasField("raw") else part.text.encode()
    return File(part.filename, content, part.media_type or "application/octet-stream")

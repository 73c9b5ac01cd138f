"""What a message holds, as material: text with a name, a number and a source.

Judged before a task exists, so a message nobody could read leaves nothing behind. Nothing is fetched
or run here, and nothing in it is ever taken for an instruction to us.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from a2a.types.a2a_pb2 import Message, Part
from a2a.utils.errors import A2AError, ContentTypeNotSupportedError, InvalidParamsError
from google.protobuf.json_format import MessageToDict

#: Where a coordinator notes in a part's metadata which agent said it.
SOURCE = "https://w3id.org/a2a-coordinator/fan-out/v1/source"


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of the message as text; `number` is its place among the parts, from 0."""

    number: int
    text: str
    name: str = ""  #: its file name
    agent: str = ""  #: who said it, where somebody noted that
    data: object = None  #: the document itself, where it came as data

    @property
    def is_plain(self) -> bool:
        """Whether it is text that nobody has named or signed."""
        return not self.name and not self.agent and self.data is None


@dataclass(frozen=True, slots=True)
class Material:
    """What one message brings: a wish in words, when there is one beside the documents, and the documents."""

    wish: Piece | None
    documents: tuple[Piece, ...]

    @property
    def is_one_message(self) -> bool:
        """Whether there is only one text without a name, which may be a request, a document, or both."""
        return self.wish is None and len(self.documents) == 1 and self.documents[0].is_plain

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Return everything, the wish first."""
        return (self.wish, *self.documents) if self.wish else self.documents


def material_of(message: Message, max_characters: int) -> Material:
    """Return the message's material; raises the protocol's own error that names the offending part.

    The first text without a name is the wish, unless it is all there is: then it is the document.
    """
    pieces = [_piece(number, part) for number, part in enumerate(message.parts)]
    held = [piece for piece in pieces if piece.text.strip()]
    if not held:
        raise _invalid("message.parts", "there is nothing to read: send text, a text file or data")
    total = sum(len(piece.text) for piece in held)
    if total > max_characters:
        raise _invalid("message.parts", f"{total} characters in all; the limit is {max_characters}")
    wish = _wish(held)
    return Material(wish, tuple(piece for piece in held if piece is not wish))


def _wish(pieces: Sequence[Piece]) -> Piece | None:
    return pieces[0] if pieces[0].is_plain and len(pieces) > 1 else None


def _piece(number: int, part: Part) -> Piece:
    field = f"message.parts[{number}]"
    agent = _agent(part)
    match part.WhichOneof("content"):
        case "text":
            return Piece(number, part.text, part.filename, agent)
        case "raw":
            return Piece(number, _decoded(part, field), part.filename, agent)
        case "data":
            data = MessageToDict(part.data)
            return Piece(number, json.dumps(data, ensure_ascii=False, indent=1), part.filename, agent, data)
        case "url":
            raise ContentTypeNotSupportedError(
                f"{field} holds a URL, which we do not fetch; send its content", {"field": field}
            )
        case _:
            return Piece(number, "", part.filename, agent)


def _decoded(part: Part, field: str) -> str:
    try:
        return part.raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"{field} ({part.filename or 'no name'}, {part.media_type or 'no media type'})"
        raise ContentTypeNotSupportedError(f"{what} is no text in UTF-8; send the text in it", {"field": field}) from (
            error
        )


def _agent(part: Part) -> str:
    if not part.HasField("metadata"):
        return ""
    source = MessageToDict(part.metadata).get(SOURCE)
    return str(source.get("agent", "")) if isinstance(source, dict) else ""


def _invalid(field: str, message: str) -> A2AError:
    return InvalidParamsError(f"{field}: {message}", {"errors": [{"field": field, "message": message}]})

"""What a message to the mailer holds: the campaign's name, whether to send at all, and the letters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from a2a.types.a2a_pb2 import Message
from a2a.utils.errors import A2AError, InvalidParamsError
from google.protobuf.json_format import MessageToDict

from specialist_agents.office.letters import ADDRESS

MAX_LETTERS = 1_000
_SETTING = re.compile(r"^\s*(campaign|send)\s*:\s*(.*?)\s*$", re.MULTILINE | re.IGNORECASE)
_CAMPAIGN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter; *problem* says why it must not be sent, if it must not."""

    id: str
    to: str
    subject: str
    body: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. Only the word `yes` sends."""

    campaign: str
    sends: bool
    letters: tuple[Letter, ...]


def order_of(message: Message) -> Order:
    """Return what a message asks for; raises the protocol's own error that names what is wrong."""
    texts = "\n".join(part.text for part in message.parts if part.HasField("text"))
    settings = {name.lower(): value for name, value in _SETTING.findall(texts)}
    campaign = settings.get("campaign", "")
    if not _CAMPAIGN.fullmatch(campaign):
        raise _wrong("message.parts", "a line 'campaign: NAME' says which campaign it is: letters, digits, . _ -")
    if settings.get("send", "no") not in {"yes", "no"}:
        raise _wrong("message.parts", "the line 'send:' says yes or no")
    data = [(number, part) for number, part in enumerate(message.parts) if part.HasField("data")]
    letters = [letter for number, part in data for letter in _letters(number, MessageToDict(part.data))]
    if not letters:
        raise _wrong("message.parts", "there are no letters: a data part with a list 'items' holds them")
    if len(letters) > MAX_LETTERS:
        raise _wrong("message.parts", f"{len(letters)} letters; the limit is {MAX_LETTERS}")
    return Order(campaign, settings.get("send") == "yes", tuple(letters))


def _letters(number: int, document: Any) -> list[Letter]:
    items = document.get("items") if isinstance(document, Mapping) else None
    if not isinstance(items, list):
        raise _wrong(f"message.parts[{number}]", "a data part holds a list 'items'")
    return [_letter(f"message.parts[{number}].items[{place}]", item) for place, item in enumerate(items)]


def _letter(field: str, item: Any) -> Letter:
    names = ("id", "to", "subject", "body", "problem")
    if not isinstance(item, Mapping) or not all(isinstance(item.get(name, ""), str) for name in names):
        raise _wrong(field, "a letter has the texts id, to, subject and body")
    letter = Letter(*(str(item.get(name, "")) for name in names))
    if not letter.id or not letter.body.strip() or "\n" in letter.subject:
        raise _wrong(field, "a letter has an id, a body, and a subject of one line")
    if not letter.problem and not ADDRESS.fullmatch(letter.to):
        return Letter(letter.id, letter.to, letter.subject, letter.body, f"{letter.to[:100]!r} is no address")
    return letter


def _wrong(field: str, message: str) -> A2AError:
    return InvalidParamsError(f"{field}: {message}", {"errors": [{"field": field, "message": message}]})

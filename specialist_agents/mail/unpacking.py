"""The program behind the agent `attachments`: takes the files out of mails, and reads none of them.

Each file is given on with its type, so that it can go to who reads that type. What cannot be taken out is given on
as well, as a file of type `PROBLEM` that says why: nothing is lost on the way.
"""

from base64 import b64encode
from collections.abc import Iterator
from email.message import Message
from typing import Any

from specialist_agents.mail.bounds import Overtime, within
from specialist_agents.mail.mime import content_of, filename_of, media_type_of, read_mail, text_of
from specialist_agents.mail.places import Place, digest_of

SCHEMA = "unpacked/v1"
ENTRIES_PER_DOCUMENT = 1
PROBLEM = "application/x-problem"
MAIL_CPU_S = 4.0
MAX_ATTACHMENTS = 50
MAX_ATTACHMENT_BYTES = 10 << 20

Item = dict[str, Any]

_BY_SUFFIX = {"txt": "text/plain", "md": "text/plain", "log": "text/plain", "csv": "text/csv", "pdf": "application/pdf"}
_OPAQUE = frozenset({"application/octet-stream", "application/x-download", "text/plain", ""})


def items_of(name: str, content: bytes, _media_type: str = "") -> Iterator[Item]:
    """Yield the files in a mail, and one for a mail whose files cannot be found."""
    digest = digest_of(content)
    found: list[Message] = []
    try:
        with within(MAIL_CPU_S):
            found = read_mail(name, content).attachments
            first = enumerate(found[:MAX_ATTACHMENTS])
            files = [_file(part, Place(name, digest, number, filename_of(part))) for number, part in first]
    except (Overtime, RecursionError, MemoryError):
        files = [_problem(Place(name, digest, 0, ""), "the mail cannot be taken apart within its limits")]
    yield from files
    if len(found) > MAX_ATTACHMENTS and len(files) == MAX_ATTACHMENTS:
        told = f"{len(found) - MAX_ATTACHMENTS} further attachments were not read"
        yield _problem(Place(name, digest, MAX_ATTACHMENTS, ""), told)


def _file(part: Message, place: Place) -> Item:
    content = content_of(part)
    if len(content) > MAX_ATTACHMENT_BYTES:
        return _problem(place, f"it is larger than {MAX_ATTACHMENT_BYTES} bytes")
    media_type = type_of(media_type_of(part), place.filename)
    if media_type.startswith("text/"):
        content = text_of(part).encode("utf-8", "replace")  # who reads it is not told the character set
    return {"filename": place.as_name(), "mediaType": media_type, "content": b64encode(content).decode()}


def _problem(place: Place, told: str) -> Item:
    return {"filename": place.as_name(), "mediaType": PROBLEM, "content": b64encode(told.encode()).decode()}


def type_of(said: str, filename: str) -> str:
    """Return what a file is: what it says it is, or by its name where it says little."""
    said = said.lower()
    return _BY_SUFFIX.get(filename.rpartition(".")[2].lower(), said) if said in _OPAQUE else said

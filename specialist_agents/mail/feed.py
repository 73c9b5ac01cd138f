"""The program behind the agent `attachments`: one entry for every file in a mail, in one form.

What a file holds is said under one of three names: `text`, `rows` or `pages`. A file nobody here reads, or
that cannot be read, is an entry too, and says why.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from hashlib import sha256
from typing import Any

from specialist_agents.mail.bounds import Overtime, clean, within
from specialist_agents.mail.mime import (
    Mail,
    content_of,
    filename_of,
    media_type_of,
    read_headers,
    read_mail,
    text_of,
)
from specialist_agents.mail.readers import Contents, pdf, plain_text, table

SCHEMA = "attachments/v1"
MAIL_CPU_S = 4.0
ATTACHMENT_CPU_S = 5.0
ALL_ATTACHMENTS_CPU_S = 15.0
MAX_ATTACHMENTS = 50
MAX_ATTACHMENT_BYTES = 10 << 20

Item = dict[str, Any]
Reader = Callable[[Message], Contents]

_READERS: Mapping[str, tuple[str, Reader]] = {
    "text/plain": ("text", lambda part: plain_text(text_of(part))),
    "text/csv": ("table", lambda part: table(text_of(part))),
    "application/csv": ("table", lambda part: table(text_of(part))),
    "text/tab-separated-values": ("table", lambda part: table(text_of(part))),
    "application/pdf": ("pdf", lambda part: pdf(content_of(part))),
}
_BY_SUFFIX = {"txt": "text/plain", "md": "text/plain", "log": "text/plain", "csv": "text/csv", "pdf": "application/pdf"}
_OPAQUE = frozenset({"application/octet-stream", "application/x-download", ""})


def items_of(name: str, content: bytes) -> Iterator[Item]:
    """Yield an entry for each attachment of a mail, and one for a mail whose attachments cannot be found."""
    try:
        with within(MAIL_CPU_S):
            mail = read_mail(name, content)
            found = mail.attachments
    except (Overtime, RecursionError, MemoryError):
        unread = read_headers(name, b"", "the mail cannot be taken apart within its limits")
        yield _entry(unread, content, 0, {"kind": "unread", "problem": unread.problems[0]})
        return
    left = ALL_ATTACHMENTS_CPU_S
    for number, part in enumerate(found[:MAX_ATTACHMENTS]):
        before = time.process_time()
        described = {"filename": filename_of(part), "mediaType": media_type_of(part)}
        yield _entry(mail, content, number, described | _read(part, min(left, ATTACHMENT_CPU_S)))
        left -= time.process_time() - before
    if len(found) > MAX_ATTACHMENTS:
        told = f"{len(found) - MAX_ATTACHMENTS} further attachments were not read"
        yield _entry(mail, content, MAX_ATTACHMENTS, {"kind": "unread", "problem": told})


def _entry(mail: Mail, content: bytes, number: int, said: Mapping[str, Any]) -> Item:
    digest = sha256(content).hexdigest()[:32]
    return {"mail": mail.name, "digest": digest, "number": number, "filename": "", "mediaType": "", "bytes": 0, **said}


def _read(part: Message, cpu_s: float) -> Item:
    """Read one attachment; nothing it does can cost more than itself."""
    if cpu_s <= 0:
        return {"kind": "unread", "problem": "the mail's other attachments took all the time there is"}
    try:
        with within(cpu_s):
            return _contents(part)
    except Overtime:
        return {"kind": "unread", "problem": "it takes too long to read"}
    except (MemoryError, RecursionError):
        return {"kind": "unread", "problem": "it needs more memory or depth than it may"}


def _contents(part: Message) -> Item:
    size = len(content_of(part))
    kind, reader = _READERS.get(_type_of(part), ("unread", None))
    if reader is None:
        return {"kind": "unread", "bytes": size, "problem": "nobody here reads files of this type"}
    if size > MAX_ATTACHMENT_BYTES:
        return {"kind": "unread", "bytes": size, "problem": f"it is larger than {MAX_ATTACHMENT_BYTES} bytes"}
    contents = reader(part)
    if contents.problem:
        return {"kind": "unread", "bytes": size, "problem": clean(contents.problem, 200)}
    return {"kind": kind, "bytes": size, contents.field: contents.value, "truncated": contents.truncated}


def _type_of(part: Message) -> str:
    """Return what a file is: what it says it is, or by its name where it says nothing."""
    said = media_type_of(part)
    suffix = filename_of(part).rpartition(".")[2].lower()
    return _BY_SUFFIX.get(suffix, said) if said in _OPAQUE or said == "text/plain" else said

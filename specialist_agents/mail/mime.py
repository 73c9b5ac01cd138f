"""A mail, read with the standard library within bounds: headers, text, parts, and what was wrong.

A mail that cannot be read as a whole is read as far as its headers: it still has a sender, a subject
and a place in the queue.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from email.errors import MessageError
from email.message import Message
from email.parser import BytesParser
from email.policy import EmailPolicy
from typing import Any

from typing_extensions import override

from specialist_agents.mail.bounds import clean
from specialist_agents.mail.html import HtmlText, read_html

MAX_MAIL_BYTES = 25 << 20
MAX_HEADER_BYTES = 256 << 10
MAX_HEADER_CHARACTERS = 4_000
MAX_TEXT_CHARACTERS = 100_000
MAX_PARTS = 300
MAX_DEPTH = 30
#: What the standard library raises on headers and parts nobody should have sent.
BROKEN = (ValueError, LookupError, AttributeError, TypeError, AssertionError, RecursionError, MessageError)


class _Bounded(EmailPolicy):
    """The standard policy, but no header is longer than its parser reads in no time."""

    @override
    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name[:200], str(value)[:MAX_HEADER_CHARACTERS]


_POLICY = _Bounded()


@dataclass(slots=True)
class Mail:
    """One mail as far as it could be read; *problems* says how far that is."""

    name: str
    root: Message
    problems: list[str] = field(default_factory=list)
    parts: list[Message] = field(default_factory=list)
    text: str = ""  #: what a reader sees of it
    hidden: str = ""  #: text of its HTML that a reader does not see

    def headers(self, name: str) -> list[str]:
        """Return the decoded values of a header, from the top of the mail down."""
        raw = self.root.raw_items()
        return [_decoded(name, str(value)) for key, value in raw if key.lower() == name.lower()]

    def header(self, name: str) -> str:
        """Return the first value of a header; empty when there is none."""
        return next(iter(self.headers(name)), "")

    @property
    def attachments(self) -> list[Message]:
        """The parts that are files."""
        return [part for part in self.parts if is_attachment(part)]


def read_mail(name: str, content: bytes) -> Mail:
    """Read a whole mail. Raises `RecursionError` when its parts are nested too deeply."""
    kept, problems = _bounded(content)
    mail = Mail(name, _parsed(kept, headers_only=False), problems)
    mail.parts = list(_leaves(mail.root, problems))
    _read_text(mail)
    if defects := sum(len(part.defects) for part in [mail.root, *mail.parts]):
        problems.append(f"{defects} defects of form")
    return mail


def read_headers(name: str, content: bytes, problem: str) -> Mail:
    """Read no more of a mail than its headers, for the reason given."""
    kept, problems = _bounded(content)
    return Mail(name, _parsed(kept, headers_only=True), [*problems, problem])


def is_attachment(part: Message) -> bool:
    """Whether a part is a file rather than something to read in place."""
    try:
        named = part.get_filename() is not None
        return part.get_content_disposition() == "attachment" or named or part.get_content_maintype() != "text"
    except BROKEN:
        return True


def filename_of(part: Message) -> str:
    """Return the file name a part states, on one line; empty when it has none that can be read."""
    try:
        return clean(part.get_filename() or "", 200)
    except BROKEN:
        return ""


def media_type_of(part: Message) -> str:
    """Return the media type a part states."""
    try:
        return clean(part.get_content_type(), 100)
    except BROKEN:
        return "application/octet-stream"


def content_of(part: Message) -> bytes:
    """Return the bytes of a part, its transfer encoding undone."""
    try:
        payload: Any = part.get_payload(decode=True)
    except BROKEN:  # the character set it names is none: leave it out
        unnamed = copy(part)
        del unnamed["Content-Type"]
        payload = unnamed.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def text_of(part: Message) -> str:
    """Return a part as text; what its character set cannot say is replaced."""
    content = content_of(part)
    try:
        return content.decode(part.get_content_charset() or "utf-8", "replace")
    except (*BROKEN, UnicodeError):
        return content.decode("utf-8", "replace")


def _bounded(content: bytes) -> tuple[bytes, list[str]]:
    problems: list[str] = []
    if len(content) > MAX_MAIL_BYTES:
        problems.append(f"only the first {MAX_MAIL_BYTES} bytes were read")
        content = content[:MAX_MAIL_BYTES]
    ends = [end for end in (content.find(b"\n\n"), content.find(b"\n\r\n")) if end >= 0]
    if min(ends, default=len(content)) > MAX_HEADER_BYTES:
        problems.append(f"only the first {MAX_HEADER_BYTES} bytes of the headers were read")
        content = content[: content.rfind(b"\n", 0, MAX_HEADER_BYTES) + 1] or content[:MAX_HEADER_BYTES]
    return content, problems


def _parsed(content: bytes, *, headers_only: bool) -> Message:
    return BytesParser(policy=_POLICY).parsebytes(content, headersonly=headers_only)


def _leaves(root: Message, problems: list[str]) -> Iterator[Message]:
    """Yield the parts that hold content, in order; mails inside the mail are parts of their own."""
    waiting, found = [(root, 0)], 0
    while waiting:
        part, depth = waiting.pop()
        if part.is_multipart() and media_type_of(part).startswith("multipart/") and depth < MAX_DEPTH:
            children: Any = part.get_payload()
            waiting.extend((child, depth + 1) for child in reversed(children))
            continue
        if found == MAX_PARTS:
            problems.append(f"only the first {MAX_PARTS} parts were read")
            return
        found += 1
        yield part


def _read_text(mail: Mail) -> None:
    plain: list[str] = []
    pages: list[HtmlText] = []
    for part in mail.parts:
        if is_attachment(part):
            continue
        if media_type_of(part) == "text/html":
            pages.append(read_html(text_of(part)[: 2 * MAX_TEXT_CHARACTERS]))
        else:
            plain.append(text_of(part))
    seen = "\n".join(plain) if any(text.strip() for text in plain) else "\n".join(page.visible for page in pages)
    mail.text = seen[:MAX_TEXT_CHARACTERS]
    mail.hidden = "\n".join(page.hidden for page in pages)[:MAX_TEXT_CHARACTERS]


def _decoded(name: str, raw: str) -> str:
    """Return a header as text; one the library's own parser cannot read is taken as it stands."""
    plain = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        made: str = str(_POLICY.header_factory(name, plain))
    except BROKEN:
        made = plain
    return clean(made, MAX_HEADER_CHARACTERS)

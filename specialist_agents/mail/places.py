"""Where an attachment comes from, written as a file name, so that whoever reads it can say so.

`MAIL/DIGEST/NUMBER/NAME`: the mail's own name, the first half of the SHA-256 of its bytes, the place among its
attachments from 0, and the attachment's name as far as a file name can hold it.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote

MOST_BYTES_OF_A_NAME = 120
_UNUSUAL = re.compile(r"[%/\\:]")
_DIGEST = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Place:
    """One attachment of one mail."""

    mail: str
    digest: str
    number: int
    filename: str

    def as_name(self) -> str:
        """Return it as the name of a file; a long name is cut in its middle."""
        escaped = _UNUSUAL.sub(lambda found: f"%{ord(found[0]):02X}", _cut(self.filename))
        if not escaped.strip("."):
            escaped = escaped.replace(".", "%2E") or "%"  # no name at all
        return f"{self.mail}/{self.digest}/{self.number}/{escaped}"


def digest_of(content: bytes) -> str:
    """Return what a mail is known by besides its name."""
    return sha256(content).hexdigest()[:32]


def place_of(name: str, content: bytes) -> Place:
    """Return where a file comes from; one with any other name is taken for a mail of its own."""
    mail, *rest = name.rsplit("/", 3)
    if len(rest) == 3 and _DIGEST.fullmatch(rest[0]) and rest[1].isdecimal():
        return Place(mail, rest[0], int(rest[1]), "" if rest[2] == "%" else unquote(rest[2]))
    return Place(name, digest_of(content), 0, name.rpartition("/")[2])


def _cut(name: str) -> str:
    """Return a name that is not too long, with its suffix."""
    encoded = name.encode()
    if len(encoded) <= MOST_BYTES_OF_A_NAME:
        return name
    return encoded[: MOST_BYTES_OF_A_NAME // 2].decode("utf-8", "ignore") + encoded[-20:].decode("utf-8", "ignore")

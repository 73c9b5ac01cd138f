"""Mails as file parts: an mbox, a folder of .eml files, or one of them.

Bytes go as they are; what they mean is for the agents to say. Names are made here: each is unique, and
their order is the order of the mails.
"""

from __future__ import annotations

import mailbox
import re
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path

from a2a.types.a2a_pb2 import Part

from coordinator.cli.exits import Stop
from coordinator.cli.pack import Packed

MAIL = "message/rfc822"
SUFFIX = ".eml"
MOST_OF_A_NAME = 180
"""Bytes of a name; a longer one is cut to its beginning and told apart by a hash."""
SHORTENED = 40
MBOX_BEGINS = b"From "
_HEADER = re.compile(rb"[!-9;-~]+[ \t]*:")
_NOT_IN_NAMES = re.compile(r"[%:\\]")


def pack_mails(path: Path, most: int | None = None) -> list[Packed]:
    """Return the mails in *path*, the first *most* of them, in their order.

    Raises `Stop` when it cannot be read or holds none.
    """
    try:
        packed = list(islice(_mails(path), most))
    except FileNotFoundError:
        raise Stop(f"{path}: there is no such file or folder") from None
    except OSError as error:
        raise Stop(f"{error.filename or path} cannot be read: {error.strerror}") from error
    if not packed:
        raise Stop(f"{path} holds no mails: give an mbox, a folder with {SUFFIX} files, or one of them")
    return packed


def mail_parts(mails: list[Packed]) -> list[Part]:
    """Return mails as file parts."""
    return [Part(raw=mail.content, filename=mail.name, media_type=MAIL) for mail in mails]


def _mails(path: Path) -> Iterator[Packed]:
    if path.is_dir():
        return _of_folder(path)
    with path.open("rb") as file:
        begin = file.read(1000)
    if begin.startswith(MBOX_BEGINS):
        return _of_mbox(path)
    if begin and not _HEADER.match(begin):
        raise Stop(f"{path} is neither an mbox nor a mail: an mbox begins with `From `, a mail with a header")
    return iter([Packed(_name(path.name), path.read_bytes())] if begin else [])


def _of_folder(folder: Path) -> Iterator[Packed]:
    # A symlink may lead out of the folder, and a pipe would block the read.
    files = (file for file in folder.rglob(f"*{SUFFIX}") if not file.is_symlink() and file.is_file())
    for file in sorted(files):
        yield Packed(_name(file.relative_to(folder).as_posix()), file.read_bytes())


def _of_mbox(path: Path) -> Iterator[Packed]:
    box = mailbox.mbox(path, create=False)
    try:
        width = max(4, len(str(len(box))))
        for number, key in enumerate(box.iterkeys(), start=1):
            yield Packed(f"{number:0{width}}{SUFFIX}", box.get_bytes(key))
    finally:
        box.close()


def _name(name: str) -> str:
    """Return a name every agent accepts, different for different ones."""
    text = name.encode("utf-8", "backslashreplace").decode("utf-8")
    escaped = "".join(c if c.isprintable() and not _NOT_IN_NAMES.match(c) else f"%{ord(c):02X}" for c in text)
    if len(escaped.encode()) <= MOST_OF_A_NAME:
        return escaped
    return f"{escaped[:SHORTENED].replace('/', '~')}~{sha256(escaped.encode()).hexdigest()[:16]}{SUFFIX}"

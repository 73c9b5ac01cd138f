"""What a message must hold to be reviewed: files of the agent's kind with usable names, and not too many.

A message is judged before a task exists, so a wrong one leaves nothing behind and its sender is
told which part is wrong. Nothing is fetched, decoded or parsed here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from a2a.types.a2a_pb2 import Message, Part
from a2a.utils.errors import A2AError, ContentTypeNotSupportedError, InvalidParamsError

MEDIA_TYPE = "text/x-python"
SUFFIXES = (".py", ".pyi")

ANYTHING = "*/*"

MAX_FILES = 5_000
MAX_BYTES = 64 << 20
MAX_NAME_BYTES = 1_000
MAX_COMPONENT_BYTES = 200


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as it was sent."""

    name: str
    content: bytes
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """Which files an agent takes: media types, and how their names end or what they are."""

    media_types: tuple[str, ...] = (MEDIA_TYPE,)
    suffixes: tuple[str, ...] = SUFFIXES
    names: str = "(?!)"  #: a regular expression for names that need none of the suffixes; by default for none
    complaint: str = "ends neither in .py nor in .pyi"
    named: bool = True  #: whether a file needs a name; else its place in the message is one
    skips: bool = False  #: whether files of other types and names are left aside; else they are refused


PYTHON = Taken()
#: Python files among others: the card of an agent that asks lists text as well, which is for answers.
PYTHON_AMONG_OTHERS = replace(PYTHON, skips=True)
#: Python files, pyproject.toml and licence files; senders know no media type for the latter two.
PROJECT = Taken(
    (MEDIA_TYPE, "text/plain", "text/markdown", "application/toml", "application/octet-stream"),
    names=r"pyproject\.toml|(?i:licen[cs]e|copying|unlicense)(?:[.-][\w.-]+)?",
    complaint="is neither a Python file's nor a licence file's nor pyproject.toml",
    skips=True,
)
#: Everything a repository holds, for agents that look for themselves what they can use.
REPOSITORY = Taken((ANYTHING,), (), names=".*")
#: Mails under any name, or none.
MAILS = Taken(("message/rfc822",), (), names=".*", named=False)
#: Texts under any name, or none.
TEXTS = Taken(("text/plain", "text/markdown"), (), names=".*", named=False)
#: A template and tables.
LETTERS = Taken((*TEXTS.media_types, "text/csv"), (), names=".*")
#: Invoices as text or PDF, under any name, or none.
INVOICES = Taken((*TEXTS.media_types, "application/pdf"), (), names=".*", named=False)


def files_of(message: Message, taken: Taken = PYTHON) -> list[SourceFile]:
    """Return the message's files; raises the protocol's own error that names the offending part."""
    files: list[SourceFile] = []
    fields: list[str] = []
    for field, file in _files(message, taken):
        fields.append(field)
        files.append(file)
    _refuse_excess(files)
    _refuse_clashes(files, fields)
    return files


def complaint_about(name: str, taken: Taken = PYTHON) -> str | None:
    """Say what is wrong with a file's name, or nothing."""
    path = PurePosixPath(name)
    complaints = (
        (not name, "is empty"),
        (not name.isprintable(), "holds characters that cannot be printed"),
        ("\\" in name or ":" in name, "holds a backslash or a colon"),
        (path.is_absolute(), "is absolute"),
        (".." in path.parts, "leaves its folder"),
        (str(path) != name, "is not in its shortest form"),
        (not _is_taken(path, taken), taken.complaint),
        (len(name.encode()) > MAX_NAME_BYTES, f"is longer than {MAX_NAME_BYTES} bytes"),
        (any(len(part.encode()) > MAX_COMPONENT_BYTES for part in path.parts), "has too long a component"),
    )
    return next((text for applies, text in complaints if applies), None)


def _is_taken(path: PurePosixPath, taken: Taken) -> bool:
    return path.suffix in taken.suffixes or bool(re.fullmatch(taken.names, path.name))


def _files(message: Message, taken: Taken) -> Iterator[tuple[str, SourceFile]]:
    for number, part in enumerate(message.parts):
        field = f"message.parts[{number}]"
        if _is_instruction(part, field, taken):
            continue
        if taken.skips and not _is_wanted(part, taken):
            continue
        _refuse_kind(part, field, taken)
        name = part.filename if part.filename or taken.named else f"part-{number}"
        if complaint := complaint_about(name, taken):
            raise _invalid(f"{field}.filename", f"the file name {name!r} {complaint}")
        content = part.raw if part.WhichOneof("content") == "raw" else part.text.encode()
        yield field, SourceFile(name, content, _essence(part))


def _is_instruction(part: Part, field: str, taken: Taken) -> bool:
    """Say whether a part is text to a human's or a model's attention; a tool has no use for it."""
    if part.WhichOneof("content") != "text" or part.filename:
        return False
    if _essence(part) == MEDIA_TYPE:
        raise _invalid(f"{field}.filename", "a Python file needs a file name")
    return taken.named or _essence(part) not in taken.media_types


def _is_wanted(part: Part, taken: Taken) -> bool:
    """Say whether a file is one of those the agent is for; one without a name is judged like those."""
    return _essence(part) in taken.media_types and (not part.filename or _is_taken(PurePosixPath(part.filename), taken))


def _refuse_kind(part: Part, field: str, taken: Taken) -> None:
    content = part.WhichOneof("content")
    if content not in {"raw", "text"}:
        what = {"url": "a URL, which we do not fetch", "data": "data"}.get(content or "", "nothing")
        raise ContentTypeNotSupportedError(f"{field} holds {what}; send files as raw or text", {"field": field})
    if _essence(part) not in taken.media_types and ANYTHING not in taken.media_types:
        known = " or ".join(taken.media_types)
        message = f"{field} ({part.filename!r}) has media type {part.media_type!r}; only {known} is reviewed"
        raise ContentTypeNotSupportedError(message, {"field": field})


def _essence(part: Part) -> str:
    return part.media_type.partition(";")[0].strip().lower()


def _refuse_excess(files: list[SourceFile]) -> None:
    if len(files) > MAX_FILES:
        raise _invalid("message.parts", f"{len(files)} files; the limit is {MAX_FILES}")
    total = sum(len(file.content) for file in files)
    if total > MAX_BYTES:
        raise _invalid("message.parts", f"{total} bytes in all; the limit is {MAX_BYTES}")


def _refuse_clashes(files: list[SourceFile], fields: list[str]) -> None:
    """Refuse two files of one name, and a file that is also a folder."""
    folders = {str(parent) for file in files for parent in PurePosixPath(file.name).parents}
    seen: set[str] = set()
    for field, file in zip(fields, files, strict=True):
        if file.name in seen:
            raise _invalid(f"{field}.filename", f"the file name {file.name!r} appears twice")
        if file.name in folders:
            raise _invalid(f"{field}.filename", f"the file name {file.name!r} is also a folder's")
        seen.add(file.name)


def _invalid(field: str, message: str) -> A2AError:
    return InvalidParamsError(f"{field}: {message}", {"errors": [{"field": field, "message": message}]})

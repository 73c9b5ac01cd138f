"""One task's journal as a file for a bug report: what is in it, and what is kept out.

JSON lines: a header, then a fact a line as the journal holds it, then what waits in the inbox, then the payloads
if they were asked for. Replaying the file gives the same story as replaying the database.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coordinator import __version__
from coordinator.cli.exits import Stop
from coordinator.journal import Entry, Head, InboxItem, Record

FORMAT = "a2a-coordinator/export/v1"
REMOVED = "(removed)"

_SECRET_NAME = re.compile(r"authorization|token|password|passwd|secret|api[-_]?key|credential|cookie", re.IGNORECASE)
_IN_URL = re.compile(r"(?<=://)[^/@\s\"]+(?=@)")
_IN_QUERY = re.compile(r"(?<=[?&])([\w-]*(?:token|password|secret|key|sig|signature)=)[^&#\s\"]+", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer\s+)[\w.~+/=-]{8,}|\b(Basic\s+)[\w+/]{8,}={1,2}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Export:
    """What is known of one task: its facts, what waits for it, and payloads by digest."""

    task_id: str
    entries: Sequence[Entry]
    head: Head | None = None
    inbox: Sequence[InboxItem] = ()
    payloads: Mapping[str, bytes] = field(default_factory=dict)


def lines_of(export: Export) -> Iterator[str]:
    """Return the lines of the file."""
    header = {"format": FORMAT, "program": __version__, "taskId": export.task_id, **_head(export.head)}
    yield _line(header)
    for entry in export.entries:
        yield _line({"seq": entry.seq, **_record(entry.record)})
    for item in export.inbox:
        yield _line({"inbox": item.number, **_record(item.record)})
    for digest, body in export.payloads.items():
        yield _line({"payload": digest, "base64": base64.b64encode(body).decode()})


def _head(head: Head | None) -> dict[str, Any]:
    if head is None:
        return {}
    # Not the owner: who asked does not explain a bug.
    return {"plan": head.plan, "state": head.state, "status": head.status, "epoch": head.epoch, "turn": head.turn}


def _record(record: Record) -> dict[str, Any]:
    return {"type": record.type, "version": record.version, "body": scrubbed(json.loads(record.body))}


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value) + "\n"  # ASCII, so no terminal can be steered by it


def scrubbed(value: Any) -> Any:
    """Return *value* without what looks like a secret: by its name, in a URL, or behind Bearer and Basic.

    The journal holds none of ours; a client may have put one into its metadata, an operator into a URL.
    """
    match value:
        case dict():
            return {name: REMOVED if _is_secret(name, held) else scrubbed(held) for name, held in value.items()}
        case list():
            return [scrubbed(item) for item in value]
        case str():
            text = _IN_URL.sub(REMOVED, value)
            return _BEARER.sub(rf"\1\2{REMOVED}", _IN_QUERY.sub(rf"\1{REMOVED}", text))
        case _:
            return value


def _is_secret(name: str, value: Any) -> bool:
    return isinstance(value, str) and bool(value) and bool(_SECRET_NAME.search(name))


def load(path: Path) -> Export:
    """Read an export back. Raises `Stop` for any other file."""
    try:
        # Not `splitlines`, which takes some characters inside a text for line ends.
        header, *rest = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        entries = [Entry(line["seq"], _read(line)) for line in rest if "seq" in line]
        _check(header["format"], entries)
        inbox = [InboxItem(line["inbox"], _read(line)) for line in rest if "inbox" in line]
        payloads = {line["payload"]: base64.b64decode(line["base64"]) for line in rest if "payload" in line}
        return Export(header["taskId"], entries, inbox=inbox, payloads=payloads)
    except OSError as error:
        raise Stop(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Stop(f"{path} is no export of a task; write one with: coordinator export ID") from error


def _check(name: str, entries: Sequence[Entry]) -> None:
    if name != FORMAT or not entries:
        raise ValueError(name)


def _read(line: Mapping[str, Any]) -> Record:
    return Record(line["type"], line["version"], json.dumps(line["body"]))

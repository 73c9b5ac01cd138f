"""The message a command sends: parts, and the parameters of our extension.

Ids of tasks and contexts are the server's to make; only the messageId is ours (spec 3.4).
"""

from __future__ import annotations

import json
import mimetypes
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from a2a.types.a2a_pb2 import Message, Part, Role, SendMessageConfiguration, SendMessageRequest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value

from coordinator.cli.exits import Stop
from coordinator.cli.pack import Packed
from coordinator.core.durations import seconds
from coordinator.core.extension import URI

PYTHON = "text/x-python"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the client asks of the coordinator; `None` leaves it to the plan."""

    plan: str | None = None
    deadline: str | None = None
    branch_timeout: str | None = None
    concurrency: int | None = None
    values: Mapping[str, str] = field(default_factory=dict)  #: of the plan's parameters

    def limits(self) -> dict[str, Any]:
        """Return the limits as the extension spells them."""
        asked = {"deadline": self.deadline, "branch_timeout": self.branch_timeout, "concurrency": self.concurrency}
        return {name: value for name, value in asked.items() if value is not None}

    def as_json(self) -> dict[str, Any]:
        """Return the value that travels under the extension's URI."""
        told: dict[str, Any] = {"plan": self.plan} if self.plan else {}
        told |= {"parameters": dict(self.values)} if self.values else {}
        return told | ({"limits": limits} if (limits := self.limits()) else {})


def parameter_values(given: Iterable[str]) -> dict[str, str]:
    """Return what `NAME=VALUE` texts say. Raises `Stop` for one without `=`."""
    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise Stop(f"--parameter {text!r}: write it as NAME=VALUE")
        values[name] = value
    return values


def checked_duration(text: str | None) -> str | None:
    """Return *text* if it is a duration. Raises `Stop` otherwise."""
    try:
        return text if text is None else f"{seconds(text):g}s"
    except ValueError as error:
        raise Stop(str(error)) from error


def request(parts: Iterable[Part], parameters: Parameters, *, detach: bool = False) -> SendMessageRequest:
    """Return the request that starts a new task with *parts*."""
    message = Message(message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=parts)
    if told := parameters.as_json():
        message.metadata.update({URI: told})
        message.extensions.append(URI)
    # Without historyLength 0 every answer would bring back all the files just sent.
    configuration = SendMessageConfiguration(history_length=0, return_immediately=detach)
    return SendMessageRequest(message=message, configuration=configuration)


def source_parts(files: Iterable[Packed]) -> list[Part]:
    """Return Python sources as file parts."""
    return [Part(raw=file.content, filename=file.name, media_type=PYTHON) for file in files]


def message_parts(text: str, files: Sequence[Path], data: str | None) -> list[Part]:
    """Return the parts of a free message: its text, its files, its data. Raises `Stop` when there are none."""
    parts = [Part(text=text)] if text else []
    parts += other_parts(files, data)
    if not parts:
        raise Stop("there is nothing to send: give a text, --file or --data")
    return parts


def other_parts(files: Sequence[Path], data: str | None) -> list[Part]:
    """Return the parts of files and data. Raises `Stop` for what cannot be read."""
    parts = [_file_part(file) for file in files]
    return parts if data is None else [*parts, _data_part(data)]


def _file_part(file: Path) -> Part:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Stop(f"{file} cannot be read: {error.strerror}") from error
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Part(raw=content, filename=file.name, media_type=media_type)


def _data_part(data: str) -> Part:
    try:
        return Part(data=ParseDict(json.loads(data), Value()), media_type="application/json")
    except ValueError as error:
        raise Stop(f"--data is not JSON: {error}") from error

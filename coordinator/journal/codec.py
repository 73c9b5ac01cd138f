"""Events to journal records and back.

pydantic reads the shapes from the dataclasses of the core, so the core needs no word about
storage. A record of an older version is brought up by a row in UPGRADES, never by guessing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json

from coordinator.core.events import EVENT_TYPES, Event
from coordinator.core.view import TaskView
from coordinator.errors import JournalTooNew
from coordinator.journal.protocol import Entry, Record

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]

UPGRADES: Mapping[tuple[str, int], Upgrade] = {}
"""(type, version) to the function that turns a body of that version into the next one."""

_ADAPTERS: Mapping[str, TypeAdapter[Any]] = {name: TypeAdapter(kind) for name, kind in EVENT_TYPES.items()}


def encode(event: Event) -> Record:
    """Return *event* as a record of its current version."""
    name = type(event).__name__
    body = _ADAPTERS[name].dump_json(event, exclude_defaults=True).decode()
    return Record(type=name, version=event.version, body=body)


def decode(record: Record) -> Event:
    """Return the event of *record*. Raises `JournalTooNew` for types and versions this program does not know."""
    kind = EVENT_TYPES.get(record.type)
    if kind is None or record.version > kind.version:
        raise JournalTooNew(f"the journal holds a {record.type} of version {record.version}; use a newer coordinator")
    adapter = _ADAPTERS[record.type]
    if record.version == kind.version:
        event: Event = adapter.validate_json(record.body)
        return event
    body = from_json(record.body)
    for version in range(record.version, kind.version):
        body = UPGRADES[record.type, version](body)
    upgraded: Event = adapter.validate_python(body)
    return upgraded


def decode_all(entries: Iterable[Entry]) -> list[Event]:
    """Return the events of *entries* in order."""
    return [decode(entry.record) for entry in entries]


_VIEW: TypeAdapter[TaskView] = TypeAdapter(TaskView)


def encode_view(view: TaskView) -> bytes:
    """Return the finished task as it is stored once."""
    return _VIEW.dump_json(view, exclude_defaults=True)


def decode_view(stored: bytes) -> TaskView:
    """Return the finished task behind *stored*."""
    return _VIEW.validate_json(stored)

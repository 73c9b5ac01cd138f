"""A2A's protobuf types to the core's values and back.

The bytes of a part are its protobuf encoding, kept once under their SHA-256; everything
that is journaled holds references. Nothing here decides anything.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, cast

from a2a.types import a2a_pb2 as a2a
from google.protobuf import json_format, struct_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from coordinator.core.model import Artifact, Json, Message, Part, PartRef, Payload, TaskState

WirePart = a2a.Part
"""For those who only hand parts on."""

ContentKind = Literal["text", "data", "raw", "url"]

Bodies = Mapping[str, bytes]
"""Payload bodies by digest."""

DEEPEST = 24
"""Objects and lists within each other in JSON from outside.

Protobuf refuses to decode what is nested 100 levels deep, and an object takes three of them: this leaves room for the
messages around the data and for what merging puts around it.
"""


_STATES: Mapping[int, TaskState] = {number: TaskState(name) for name, number in a2a.TaskState.items() if number}


def state_in(state: int) -> TaskState | None:
    """Return the state, or None for one this program does not know."""
    return _STATES.get(state)


def state_out(state: TaskState) -> a2a.TaskState:
    """Return the protobuf value."""
    return cast(a2a.TaskState, a2a.TaskState.Value(state.value))


def timestamp(at: float) -> Timestamp:
    """Return an instant as spec 5.6.1 wants it: UTC, milliseconds.

    Never a later one: clients list tasks from the time they were shown (spec 3.1.4).
    """
    stamp = Timestamp()
    stamp.FromMilliseconds(math.floor(at * 1000))
    return stamp


def json_in(value: struct_pb2.Struct | struct_pb2.Value) -> Json:
    """Return plain JSON; protobuf keeps every number as a double, so whole numbers come back as integers."""
    if isinstance(value, struct_pb2.Struct) and not value.fields:
        return {}  # most metadata is empty, and the general way is slow
    return _whole_numbers(json_format.MessageToDict(value))


def flaw_of(value: struct_pb2.Struct | struct_pb2.Value) -> str:
    """Return why *value* could not be written down and read again, or an empty string.

    Protobuf has NaN and infinity, which are no numbers of JSON, and nests deeper than it reads back.
    """
    level, levels = ([value], DEEPEST + 1) if isinstance(value, struct_pb2.Value) else (_inside(value), DEEPEST)
    for _ in range(levels):
        if not all(math.isfinite(item.number_value) for item in level):
            return "holds NaN or an infinite number, which JSON does not know"
        level = [inner for item in level for inner in _inside(item)]
        if not level:
            return ""
    return f"is nested more than {DEEPEST} deep"


def _inside(value: struct_pb2.Struct | struct_pb2.Value) -> Collection[struct_pb2.Value]:
    if isinstance(value, struct_pb2.Struct):
        return value.fields.values()
    match value.WhichOneof("kind"):
        case "struct_value":
            return value.struct_value.fields.values()
        case "list_value":
            return value.list_value.values
        case _:
            return ()


def struct_out(value: Mapping[str, Json]) -> struct_pb2.Struct:
    """Return *value* as a Struct."""
    struct = struct_pb2.Struct()
    json_format.ParseDict(dict(value), struct)
    return struct


def payload_of(part: a2a.Part) -> tuple[PartRef, Payload]:
    """Return the payload of *part* and the reference to it."""
    body = part.SerializeToString(deterministic=True)
    digest = hashlib.sha256(body).hexdigest()
    return PartRef(digest, len(body), part.media_type, part.filename), Payload(digest, body)


def part_out(body: bytes) -> a2a.Part:
    """Return the part whose payload is *body*."""
    part = a2a.Part()
    part.ParseFromString(body)
    return part


def content_in(part: a2a.Part) -> Part:
    """Return *part* as a merge strategy reads it."""
    kind = cast(ContentKind, part.WhichOneof("content") or "text")
    content = json_in(part.data) if kind == "data" else getattr(part, kind)
    return Part(kind, content, part.media_type, part.filename, json_in(part.metadata))


def content_out(part: Part) -> a2a.Part:
    """Return what a merge strategy wrote as a part."""
    wire = a2a.Part(media_type=part.media_type, filename=part.filename)
    if part.kind == "data":
        json_format.ParseDict(part.content, wire.data)
    else:
        setattr(wire, part.kind, part.content)
    if part.metadata:
        wire.metadata.CopyFrom(struct_out(part.metadata))
    return wire


def parts_in(parts: Iterable[a2a.Part]) -> tuple[tuple[PartRef, ...], tuple[Payload, ...]]:
    """Return the references and the payloads of *parts*, in order."""
    pairs = [payload_of(part) for part in parts]
    return tuple(ref for ref, _ in pairs), tuple(payload for _, payload in pairs)


def parts_out(refs: Iterable[PartRef], bodies: Bodies) -> list[a2a.Part]:
    """Return the parts behind *refs*."""
    return [part_out(bodies[ref.digest]) for ref in refs]


def message_in(message: a2a.Message) -> tuple[Message, tuple[Payload, ...]]:
    """Return *message* without its ids of task and context, and its payloads."""
    refs, payloads = parts_in(message.parts)
    return (
        Message(
            message_id=message.message_id,
            role="agent" if message.role == a2a.ROLE_AGENT else "user",
            parts=refs,
            metadata=json_in(message.metadata),
            extensions=tuple(message.extensions),
            reference_task_ids=tuple(message.reference_task_ids),
        ),
        payloads,
    )


def message_out(message: Message, bodies: Bodies, *, task_id: str, context_id: str) -> a2a.Message:
    """Return *message* as part of the task *task_id*."""
    return a2a.Message(
        message_id=message.message_id,
        task_id=task_id,
        context_id=context_id,
        role=a2a.ROLE_AGENT if message.role == "agent" else a2a.ROLE_USER,
        parts=parts_out(message.parts, bodies),
        metadata=struct_out(message.metadata) if message.metadata else None,
        extensions=message.extensions,
        reference_task_ids=message.reference_task_ids,
    )


def artifact_in(artifact: a2a.Artifact) -> tuple[Artifact, tuple[Payload, ...]]:
    """Return *artifact* and its payloads."""
    refs, payloads = parts_in(artifact.parts)
    return (
        Artifact(
            artifact_id=artifact.artifact_id,
            parts=refs,
            name=artifact.name,
            description=artifact.description,
            metadata=json_in(artifact.metadata),
            extensions=tuple(artifact.extensions),
        ),
        payloads,
    )


def artifact_out(artifact: Artifact, bodies: Bodies) -> a2a.Artifact:
    """Return *artifact* with its parts."""
    return a2a.Artifact(
        artifact_id=artifact.artifact_id,
        name=artifact.name,
        description=artifact.description,
        parts=parts_out(artifact.parts, bodies),
        metadata=struct_out(artifact.metadata) if artifact.metadata else None,
        extensions=artifact.extensions,
    )


def _whole_numbers(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return value


def as_dict(message: Any) -> dict[str, Any]:
    """Return a protobuf message as the JSON object of the wire (spec 5.5)."""
    return dict(json_format.MessageToDict(message))

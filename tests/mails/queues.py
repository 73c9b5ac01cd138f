"""The queue in a finished task."""

from __future__ import annotations

from a2a.types import a2a_pb2 as a2a
from google.protobuf.json_format import MessageToDict


def items_in(task: a2a.Task, name: str) -> list[dict]:
    """Return the merged items of the artifact called *name*, in order of rank."""
    parts = [part for artifact in task.artifacts if artifact.name == name for part in artifact.parts]
    documents = [MessageToDict(part.data) for part in parts if part.HasField("data")]
    return [one for document in documents for one in document["items"]]


def queue_in(task: a2a.Task) -> list[tuple[str, str]]:
    """Return the mails by rank, each with its urgency."""
    return [(one["item"]["mail"], one["item"]["urgency"]["value"]) for one in items_in(task, "queue")]

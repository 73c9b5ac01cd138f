"""What is told of a change, as bytes: what a stream would show of it, or the 0.3 Task for configurations of 0.3."""

from __future__ import annotations

import json
from collections.abc import Sequence

from a2a.compat.v0_3.conversions import to_compat_task
from a2a.utils.proto_utils import to_stream_response
from google.protobuf.json_format import MessageToDict

from coordinator.errors import CoordinatorError
from coordinator.projection import Change, Renderer

OLD_VERSION = "0.3"
MOST_WORDS = 500


class NotTellable(CoordinatorError):
    """A change cannot be written in the form its receiver asked for."""


async def payloads(renderer: Renderer, change: Change, version: str) -> Sequence[bytes]:
    """Return the notifications of *change* in their order; none for what is not pushed (`Renderer.notices`).

    Raises `NotTellable`.
    """
    events = await renderer.notices(change.before, change.after)
    if not events:
        return []
    task = await renderer.task(change.after, history_length=None) if version == OLD_VERSION else None
    try:
        if task is not None:
            return [to_compat_task(task).model_dump_json(by_alias=True, exclude_none=True).encode()]
        return [json.dumps(MessageToDict(to_stream_response(event))).encode() for event in events]
    except (ValueError, TypeError, RecursionError) as error:  # what strangers wrote, in converters of the SDK
        raise NotTellable(f"{type(error).__name__}: {error}"[:MOST_WORDS]) from error

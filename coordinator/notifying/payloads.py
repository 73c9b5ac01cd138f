"""What is told of a change, as bytes: what a stream would show of it, or the 0.3 Task for configurations of 0.3."""

from __future__ import annotations

import json
from collections.abc import Sequence

from a2a.compat.v0_3.conversions import to_compat_task
from a2a.utils.proto_utils import to_stream_response
from google.protobuf.json_format import MessageToDict

from coordinator.projection import Change, Renderer

OLD_VERSION = "0.3"


async def payloads(renderer: Renderer, change: Change, version: str) -> Sequence[bytes]:
    """Return the notifications of *change* in their order; none for what is not pushed (`Renderer.notices`)."""
    events = await renderer.notices(change.before, change.after)
    if not events or version != OLD_VERSION:
        return [json.dumps(MessageToDict(to_stream_response(event))).encode() for event in events]
    task = to_compat_task(await renderer.task(change.after, history_length=None))
    return [task.model_dump_json(by_alias=True, exclude_none=True).encode()]

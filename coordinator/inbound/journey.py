"""What a task that comes from another coordinator says about its journey, and whether it may go on.

Strangers write it: it is checked, and it only ever narrows what the plan allows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from a2a.types import a2a_pb2 as a2a
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coordinator.core.extension import ENVELOPE
from coordinator.core.model import Journey
from coordinator.errors import RequestRefused
from coordinator.wire import json_in

TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class EnvelopeParameter(BaseModel):
    """The envelope as it comes in; fields of later versions are ignored."""

    model_config = ConfigDict(frozen=True)

    remaining_ms: Annotated[int | None, Field(ge=0, alias="remainingMs")] = None
    hops: Annotated[int, Field(ge=0)] = 0
    via: Annotated[tuple[Annotated[str, Field(max_length=500)], ...], Field(max_length=64)] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a task came here; `rejection` says why it goes no further."""

    journey: Journey
    remaining_s: float | None = None
    rejection: str = ""


def arrival(message: a2a.Message, headers: Mapping[str, str], *, here: str, max_hops: int) -> Arrival:
    """Read how *message* came to the coordinator *here*. Raises `RequestRefused` that names the field."""
    try:
        envelope = EnvelopeParameter.model_validate(
            json_in(message.metadata)[ENVELOPE] if ENVELOPE in message.metadata else {}
        )
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join((f"message.metadata.{ENVELOPE}", *map(str, problem["loc"])))
        raise RequestRefused(field, problem["msg"]) from error
    trace = headers.get("traceparent", "")
    via = (*envelope.via, here)
    ring, rejection = _rejection(envelope, here, max_hops)
    journey = Journey(via, trace if TRACEPARENT.fullmatch(trace) else "", ring)
    remaining_s = None if envelope.remaining_ms is None else envelope.remaining_ms / 1000
    return Arrival(journey, remaining_s, rejection)


def _rejection(envelope: EnvelopeParameter, here: str, max_hops: int) -> tuple[tuple[str, ...], str]:
    if here in envelope.via:
        ring = (*envelope.via[envelope.via.index(here) :], here)
        return ring, f"The task has come round in a ring: {' -> '.join(ring)}."
    if max(envelope.hops, len(envelope.via)) >= max_hops:
        passed = (*envelope.via, here)
        return passed, f"The task has passed {max_hops} coordinators already: {' -> '.join(passed)}."
    return (), ""

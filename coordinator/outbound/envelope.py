"""What we tell a specialist about the journey of a task: time left, coordinators passed, trace.

Remaining time instead of an instant, since clocks differ. Only agents that declare our extension
get it; the trace context is everybody's (W3C Trace Context).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from coordinator.core.model import Journey


@dataclass(frozen=True, slots=True)
class Envelope:
    """The journey as it goes on; `remaining_s` None means as long as it takes."""

    journey: Journey
    remaining_s: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what stands in the message's metadata."""
        told: dict[str, Any] = {"hops": len(self.journey.via), "via": list(self.journey.via)}
        if self.remaining_s is not None:
            told["remainingMs"] = max(0, int(self.remaining_s * 1000))
        return told

    def headers(self, message_id: str) -> dict[str, str]:
        """Return the trace context with a span of our own, derived from the message so that a repeat has the same."""
        if not self.journey.trace:
            return {}
        version, trace_id, _, flags = self.journey.trace.split("-")[:4]
        span = hashlib.sha256(message_id.encode()).hexdigest()[:16]
        return {"traceparent": f"{version}-{trace_id}-{span}-{flags}"}

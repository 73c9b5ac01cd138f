"""Everything that goes out to specialists, and the translation of what comes back into facts.

A specialist may hang, lie, flood or disappear: whatever it does ends as one event of the
core, never as an exception there. Errors are translated here, once.
"""

from coordinator.outbound.bounds import Allowance, Bounds
from coordinator.outbound.calls import AgentCalls, Patience, shared_http_client
from coordinator.outbound.cancel import cancel_remote
from coordinator.outbound.look import look
from coordinator.outbound.places import Caps, Occupancy, Places
from coordinator.outbound.pursue import Attempt, pursue
from coordinator.outbound.pushes import WEBHOOK, Pushes
from coordinator.outbound.run_times import RunTimes
from coordinator.outbound.telling import Emit, Fact

__all__ = [
    "WEBHOOK",
    "AgentCalls",
    "Allowance",
    "Attempt",
    "Bounds",
    "Caps",
    "Emit",
    "Fact",
    "Occupancy",
    "Patience",
    "Places",
    "Pushes",
    "RunTimes",
    "cancel_remote",
    "look",
    "pursue",
    "shared_http_client",
]

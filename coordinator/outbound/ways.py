"""How one waits for an agent: its stream, its pushes to our webhook, or polling; best first.

Which ways there are was decided with the agent's card and configuration; what an agent has
refused since is remembered here, for the life of the process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from coordinator.core.model import AgentRef, FailureKind
from coordinator.outbound.failures import Trouble


class Way(StrEnum):
    """One way of waiting."""

    STREAM = "stream"
    PUSH = "push"
    POLL = "poll"


@dataclass(slots=True)
class Ways:
    """The ways that are left for each agent."""

    has_webhook: bool = False
    _refused: dict[AgentRef, set[Way]] = field(default_factory=dict)

    def of(self, agent: AgentRef) -> list[Way]:
        """Return the ways to wait for *agent*, best first; the last one always works."""
        offered = {Way.STREAM: agent.streaming, Way.PUSH: agent.pushing and self.has_webhook, Way.POLL: True}
        refused = self._refused.get(agent, set())
        return [way for way, is_offered in offered.items() if is_offered and way not in refused]

    def avoid(self, agent: AgentRef, way: Way) -> None:
        """Remember that *agent* has refused *way*."""
        self._refused.setdefault(agent, set()).add(way)


def is_about(way: Way, trouble: Trouble) -> bool:
    """Whether a refused send may be taken in another way: nothing was created, so the same message may go again.

    A webhook may be refused in any words (a checked URL is an invalid parameter); a stream only in its own.
    """
    if trouble.is_ambiguous or trouble.failure.kind is not FailureKind.REFUSED:
        return False
    return way is Way.PUSH or (way is Way.STREAM and trouble.is_unsupported)

"""Which parts an agent takes, by the media types its card lists: `defaultInputModes` and its skills' `inputModes`.

Pure. A card that lists nothing takes everything, as the SDK reads it; a range such as `text/*` or `*/*` is taken
for what it is in HTTP, and gives way to whoever names the type itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coordinator.core.model import AgentRef, Part

_UNTYPED = {"text": "text/plain", "data": "application/json"}
_NAMED, _KIND, _ANYTHING, _NOTHING = 3, 2, 1, 0


def media_type_of(part: Part) -> str:
    """Return what a part says it is, without parameters; what says nothing is what its form is."""
    essence = part.media_type.partition(";")[0].strip().lower()
    return essence or _UNTYPED.get(part.kind, "application/octet-stream")


def takes(agent: AgentRef, media_type: str) -> int:
    """Return how well *media_type* suits the agent: 0 for not at all, most where its card names the type itself."""
    modes = {mode.partition(";")[0].strip().lower() for mode in agent.input_modes}
    if media_type in modes:
        return _NAMED
    if f"{media_type.partition('/')[0]}/*" in modes:
        return _KIND
    return _ANYTHING if not modes or "*/*" in modes else _NOTHING


def taken_by(agent: AgentRef, parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return the parts the agent takes, in their order."""
    return tuple(part for part in parts if takes(agent, media_type_of(part)))


def takers(agents: Sequence[AgentRef], media_type: str) -> tuple[AgentRef, ...]:
    """Return the agents that suit *media_type* best, in their order; nothing when no agent takes it."""
    suits = [takes(agent, media_type) for agent in agents]
    best = max(suits, default=_NOTHING)
    return tuple(agent for agent, suit in zip(agents, suits, strict=True) if suit == best and best > _NOTHING)

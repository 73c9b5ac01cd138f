"""Whether a stage can come to anything with agents that say of themselves that they are not ready.

Such an agent (without a key for its model, say) would reject whatever it is sent. Whoever plans says so
before the others are asked in vain.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from coordinator.core.model import AgentRef, Release
from coordinator.errors import RequestRefused
from coordinator.planning.files import StageFile


@dataclass(frozen=True, slots=True)
class AgentCandidate:
    """What planning needs to know of an agent."""

    ref: AgentRef
    tags: frozenset[str]
    lacking: str = ""  #: why it would reject whatever it is sent; empty: it is ready


@dataclass(frozen=True, slots=True)
class Team:
    """Whom a stage may send to: for its sub-tasks, in their stead, and for its merge."""

    agents: Sequence[AgentRef]
    stand_ins: Sequence[AgentRef] = ()
    assistants: Sequence[AgentRef] = ()


def check_ready(where: str, stage: StageFile, team: Team, known: Sequence[AgentCandidate]) -> None:
    """Raise `RequestRefused` when too few agents are ready for what the stage needs."""
    lacking = {agent.ref.name: agent.lacking for agent in known if agent.lacking}
    for assistant in team.assistants:
        if assistant.name in lacking:
            raise _refused(where, f"{assistant.name}, whom its merge asks, is not ready", lacking[assistant.name])
    unready = [agent.name for agent in team.agents if agent.name in lacking]
    if unready and not _enough(stage, team, len(team.agents) - len(unready), lacking.keys()):
        raise _refused(where, f"not ready: {', '.join(unready)}", lacking[unready[0]])


def _enough(stage: StageFile, team: Team, ready: int, lacking: Collection[str]) -> bool:
    if stage.on_failure.fallback or stage.on_failure.hedge:
        # Whoever is ready may take over what the others reject.
        return ready > 0 or any(agent.name not in lacking for agent in team.stand_ins)
    needed = 1 if stage.barrier.release is Release.FIRST else stage.barrier.need.of(len(team.agents))
    return ready >= max(1, needed)


def _refused(where: str, what: str, words: str) -> RequestRefused:
    return RequestRefused("plan", f"{where}: {what} ({words})")

"""From what a plan says to who does what: agents chosen, parts assigned, limits narrowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from coordinator.core.model import AgentRef, Limits, Plan, Stage, SubTask
from coordinator.errors import RequestRefused
from coordinator.planning.files import PlanFile, StageFile, To

Bound = TypeVar("Bound", int, float)


@dataclass(frozen=True, slots=True)
class AgentCandidate:
    """What planning needs to know of an agent."""

    ref: AgentRef
    skills: frozenset[str]
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Limits a client asked for; each only ever makes the plan's smaller."""

    limits: Limits = field(default_factory=Limits)

    def apply(self, limits: Limits) -> Limits:
        """Return the smaller of both, field by field."""
        return Limits(
            concurrency=_smaller(limits.concurrency, self.limits.concurrency),
            branch_timeout_s=_smaller(limits.branch_timeout_s, self.limits.branch_timeout_s),
            deadline_s=_smaller(limits.deadline_s, self.limits.deadline_s),
        )


def resolve(
    plan: PlanFile,
    agents: Iterable[AgentCandidate],
    narrowed: Narrowed | None = None,
) -> Plan:
    """Return *plan* with every agent chosen; each branch receives the message's parts.

    Agents come in order of their names, so the same directory gives the same plan.
    Raises `RequestRefused` when nobody matches.
    """
    known = sorted(agents, key=lambda agent: agent.ref.name)
    stages = tuple(_stage(plan, name, stage, known, narrowed or Narrowed()) for name, stage in plan.stages.items())
    return Plan(name=plan.name, description=plan.description, stages=stages)


def _stage(
    plan: PlanFile,
    name: str,
    stage: StageFile,
    known: Sequence[AgentCandidate],
    narrowed: Narrowed,
) -> Stage:
    chosen = _choose(f"plan {plan.name}, stage {name}", stage.fan_out.to, known)
    need = stage.barrier.need
    if need.of(len(chosen)) > len(chosen):
        raise RequestRefused("plan", f"plan {plan.name} needs {need} successes, but only {len(chosen)} agents match")
    return Stage(
        name=name,
        sub_tasks=tuple(SubTask(id=agent.name, agent=agent) for agent in chosen),
        limits=narrowed.apply(stage.limits.resolved()),
        retry=stage.retry,
        exhausted=stage.on_failure.exhausted,
        release=stage.barrier.release,
        need=need,
        merge=stage.merge,
        expect=stage.expect,
    )


def _choose(where: str, to: To, known: Sequence[AgentCandidate]) -> list[AgentRef]:
    if to.agents is not None:
        by_name = {agent.ref.name: agent.ref for agent in known}
        unknown = [name for name in to.agents if name not in by_name]
        if unknown:
            raise RequestRefused("plan", f"{where}: no agent is named {', '.join(unknown)}; {_who(known)}")
        return [by_name[name] for name in to.agents]
    matching = [
        agent.ref
        for agent in known
        if (to.skill is not None and to.skill in agent.skills) or (to.tag is not None and to.tag in agent.tags)
    ]
    if not matching:
        asked = f"the skill {to.skill}" if to.skill is not None else f"the tag {to.tag}"
        raise RequestRefused("plan", f"{where}: no agent has {asked}; {_who(known)}")
    return matching


def _who(known: Sequence[AgentCandidate]) -> str:
    if not known:
        return "no agent is known at all: give a card folder or URL with --agents"
    return "known agents: " + ", ".join(agent.ref.name for agent in known)


def _smaller(ours: Bound | None, theirs: Bound | None) -> Bound | None:
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    return min(ours, theirs)

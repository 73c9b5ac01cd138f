"""From what a plan says to who does what: agents chosen, sub-tasks made, limits narrowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from string import Template
from typing import TypeVar

from coordinator.core.model import MESSAGE, AgentRef, Limits, Part, Plan, Stage
from coordinator.errors import RequestRefused
from coordinator.planning.expand import Draft, expand
from coordinator.planning.fields import assistants_of
from coordinator.planning.files import CLIENT, PlanFile, StageFile, To
from coordinator.planning.graph import in_order
from coordinator.planning.planned import PlannedTask
from coordinator.planning.ready import AgentCandidate, Team, check_ready

Bound = TypeVar("Bound", int, float)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client may say about a plan: narrower limits, parameters, its own list of sub-tasks."""

    limits: Limits = field(default_factory=Limits)
    parameters: Mapping[str, str] = field(default_factory=dict)
    tasks: Sequence[PlannedTask] | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """A plan with agents chosen; the sub-tasks known already are drafts that hold content."""

    plan: Plan
    drafts: Mapping[str, Sequence[Draft]]


def resolve(
    plan: PlanFile, agents: Iterable[AgentCandidate], asked: Asked | None = None, message: Sequence[Part] = ()
) -> Resolved:
    """Return *plan* with every agent chosen, and the sub-tasks of stages that need no other stage.

    Agents come in order of their names, so the same directory gives the same plan.
    Raises `RequestRefused` that names the field.
    """
    asked = asked or Asked()
    known = sorted(agents, key=lambda agent: agent.ref.name)
    values = _parameters(plan, asked.parameters)
    _check_tasks(plan, asked)
    stages = tuple(_stage(plan, name, plan.stages[name], known, values, asked.limits) for name in in_order(plan.graph))
    drafts = {stage.name: _drafts(stage, message, asked) for stage in stages if not _waits(stage)}
    stages = tuple(replace(stage, planned_by="") if stage.planned_by == CLIENT else stage for stage in stages)
    return Resolved(
        Plan(
            name=plan.name,
            description=plan.description,
            stages=stages,
            answer=plan.answering_stage,
            beside=plan.beside,
            deadline_s=_smaller(plan.deadline, asked.limits.deadline_s),
            retry_budget=plan.retry_budget,
            ask=plan.ask,
            unanswered=plan.unanswered.resolved(),
        ),
        drafts,
    )


def agents_of(plan: PlanFile, agents: Iterable[AgentCandidate]) -> dict[str, tuple[AgentRef, ...]]:
    """Return whom each stage may send to, without a message. Raises `RequestRefused` when nobody matches."""
    known = sorted(agents, key=lambda agent: agent.ref.name)
    chosen = {}
    for name, stage in plan.stages.items():
        where = f"plan {plan.name}, stage {name}"
        chosen[name], stand_ins = _choose(where, stage.fan_out.to, known)
        check_ready(where, stage, Team(chosen[name], stand_ins, _assistants(where, stage, known)), known)
    return chosen


def _waits(stage: Stage) -> bool:
    """Whether the sub-tasks depend on what an earlier stage brings."""
    from_stage = stage.split is not None and stage.split.of != MESSAGE
    return from_stage or stage.planned_by not in {"", CLIENT}


def _drafts(stage: Stage, message: Sequence[Part], asked: Asked) -> Sequence[Draft]:
    drafts = expand(stage, {MESSAGE: message}, asked.tasks if stage.planned_by == CLIENT else None)
    if stage.need.of(len(drafts)) > len(drafts):
        words = f"it needs {stage.need} successes, but there are only {len(drafts)} sub-tasks"
        raise RequestRefused("plan", f"stage {stage.name}: {words}")
    return drafts


def _stage(
    plan: PlanFile,
    name: str,
    stage: StageFile,
    known: Sequence[AgentCandidate],
    values: Mapping[str, str],
    narrower: Limits,
) -> Stage:
    fan_out, failure, barrier = stage.fan_out, stage.on_failure, stage.barrier
    where = f"plan {plan.name}, stage {name}"
    agents, stand_ins = _choose(where, fan_out.to, known)
    assistants = _assistants(where, stage, known)
    check_ready(where, stage, Team(agents, stand_ins, assistants), known)
    return Stage(
        name=name,
        agents=agents,
        stand_ins=stand_ins,
        split=fan_out.split.resolved() if fan_out.split else None,
        planned_by=fan_out.planned_by or "",
        template=_filled(fan_out.template, values) if fan_out.template else "",
        uses=fan_out.uses,
        with_message=fan_out.message,
        by_type=fan_out.by_type,
        most_sub_tasks=fan_out.most_sub_tasks,
        limits=_narrowed(stage.limits.resolved(f"{plan.name}/{name}"), narrower),
        retry=stage.retry,
        fallback=failure.fallback,
        hedge_s=failure.hedge,
        exhausted=failure.exhausted,
        release=barrier.release,
        need=barrier.need,
        stragglers=barrier.stragglers,
        merge=stage.merge,
        assistants=assistants,
        expect=stage.expect,
        passes_through=plan.passes_through,
        keep_message_id=fan_out.keep_message_id,
    )


def _parameters(plan: PlanFile, given: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters' values, with their dollar signs doubled: they are text, not templates."""
    unknown = sorted(set(given) - set(plan.parameters))
    if unknown:
        there = ", ".join(sorted(plan.parameters)) or "none"
        raise RequestRefused(f"parameters.{unknown[0]}", f"plan {plan.name} has no such parameter; it has: {there}")
    values = {}
    for name, parameter in plan.parameters.items():
        value = given.get(name, parameter.default)
        if value is None:
            raise RequestRefused(f"parameters.{name}", f"plan {plan.name} needs it: {parameter.description or name}")
        if parameter.values and value not in parameter.values:
            raise RequestRefused(f"parameters.{name}", f"{value!r} is none of: {', '.join(parameter.values)}")
        values[name] = value.replace("$", "$$")
    return values


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Return *template* with the parameters put in; what a split gives is put in later, so `$$` has to last twice."""
    return Template(template.replace("$$", "$$$$")).safe_substitute(values)


def _check_tasks(plan: PlanFile, asked: Asked) -> None:
    wants = any(stage.fan_out.planned_by == CLIENT for stage in plan.stages.values())
    if wants and not asked.tasks:
        raise RequestRefused("tasks", f"plan {plan.name} works on a list of sub-tasks the message has to give")
    if asked.tasks is not None and not wants:
        raise RequestRefused("tasks", f"plan {plan.name} makes its own sub-tasks")


def _choose(where: str, to: To, known: Sequence[AgentCandidate]) -> tuple[tuple[AgentRef, ...], tuple[AgentRef, ...]]:
    """Return the agents that get sub-tasks, and those that only stand in."""
    able = _able(where, to, known)
    most = to.most or len(able)
    return tuple(able[:most]), tuple(able[most:])


def _assistants(where: str, stage: StageFile, known: Sequence[AgentCandidate]) -> tuple[AgentRef, ...]:
    """Return the agents its merge may ask."""
    names = assistants_of(stage.merge)
    return tuple(_able(where, To(agents=names), known)) if names else ()


def _able(where: str, to: To, known: Sequence[AgentCandidate]) -> list[AgentRef]:
    if to.agents is not None:
        by_name = {agent.ref.name: agent.ref for agent in known}
        unknown = [name for name in to.agents if name not in by_name]
        if unknown:
            raise RequestRefused("plan", f"{where}: no agent is named {', '.join(unknown)}; {_who(known)}")
        return [by_name[name] for name in to.agents]
    matching = [
        agent.ref
        for agent in known
        if (to.skill is not None and to.skill in agent.ref.skills) or (to.tag is not None and to.tag in agent.tags)
    ]
    if not matching:
        asked = f"the skill {to.skill}" if to.skill is not None else f"the tag {to.tag}"
        raise RequestRefused("plan", f"{where}: no agent has {asked}; {_who(known)}")
    return matching


def _who(known: Sequence[AgentCandidate]) -> str:
    if not known:
        return "no agent is known at all: give a card folder or URL with --agents"
    return "known agents: " + ", ".join(agent.ref.name for agent in known)


def _narrowed(limits: Limits, narrower: Limits) -> Limits:
    """Return the smaller of both, field by field: a client never widens what a plan allows."""
    return replace(
        limits,
        concurrency=_smaller(limits.concurrency, narrower.concurrency),
        branch_timeout_s=_smaller(limits.branch_timeout_s, narrower.branch_timeout_s),
        deadline_s=_smaller(limits.deadline_s, narrower.deadline_s),
    )


def _smaller(ours: Bound | None, theirs: Bound | None) -> Bound | None:
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    return min(ours, theirs)

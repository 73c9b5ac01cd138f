"""From what a stage draws on to its sub-tasks: splits, lists somebody planned, templates.

Deterministic and by index: the same input gives the same sub-tasks under the same ids, and
every item is in exactly one of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from string import Template
from typing import Any

from coordinator.core.model import MESSAGE, AgentRef, Exhausted, Part, Split, Stage
from coordinator.errors import RequestRefused
from coordinator.planning.accepting import media_type_of, taken_by, takers
from coordinator.planning.planned import PlannedTask, planned_tasks

Drawn = Mapping[str, Sequence[Part]]
"""The parts behind the message and behind every stage that is drawn on."""


MOST_OFFERED = 10
"""How many other agents a client that is asked what to do about a failure may choose from."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A sub-task with the content of its parts; None: the parts every sub-task of the stage gets."""

    id: str
    agent: AgentRef
    others: tuple[AgentRef, ...]
    parts: tuple[Part, ...] | None = None
    after: tuple[str, ...] = ()


def expand(stage: Stage, drawn: Drawn, given: Sequence[PlannedTask] | None = None) -> list[Draft]:
    """Return the sub-tasks of *stage*; *given* is the client's list, for a stage planned by the client.

    Raises `RequestRefused` that names the field, or the stage, that is wrong.
    """
    if stage.planned_by:
        tasks = given if given is not None else planned_tasks(drawn[stage.planned_by], stage.planned_by)
        drafts = _planned(stage, tasks, drawn)
    elif stage.split is not None:
        drafts = _split(stage, stage.split, drawn)
    elif stage.by_type:
        drafts = _by_type(stage, drawn[MESSAGE])
    else:
        text = _template(stage)
        parts = (*text, *(drawn[MESSAGE] if stage.with_message else ())) if text else ()
        drafts = [_draft(stage, agent.name, number, parts) for number, agent in enumerate(stage.agents)]
    _refuse_too_many(stage, len(drafts))
    return drafts


def _refuse_too_many(stage: Stage, number: int) -> None:
    if number > stage.most_sub_tasks:
        raise RequestRefused(stage.name, f"{number} sub-tasks are more than the {stage.most_sub_tasks} allowed")


def _split(stage: Stage, split: Split, drawn: Drawn) -> list[Draft]:
    source = drawn[split.of]
    items: Sequence[Any] = _ITEMS.get(split.items, _listed)(source, split.items)
    if not items and split.at_least:
        raise _nothing_to_split(stage, split)
    teams = _teams(stage, items) if stage.by_type else [(stage, items)]
    batches = [(team, batch) for team, own in teams if own for batch in _batches(own, split, len(team.agents))]
    _refuse_too_many(stage, len(batches))
    width = len(str(len(batches)))
    drafts = []
    for number, (team, batch) in enumerate(batches):
        text = _template(stage, items="\n".join(map(_as_text, batch)), index=number + 1, count=len(batches))
        parts = (*_beside(stage, split, drawn[MESSAGE], text), *_as_parts(batch, split.items))
        drafts.append(_draft(team, f"{number + 1:0{width}}", number, parts))
    return drafts


def _nothing_to_split(stage: Stage, split: Split) -> RequestRefused:
    if split.of == MESSAGE:
        return RequestRefused("message.parts", f"stage {stage.name} splits {split.items}, but the message holds none")
    return RequestRefused(stage.name, f"there are no {split.items} to split in what stage {split.of} brought")


def _teams(stage: Stage, items: Sequence[Part]) -> list[tuple[Stage, list[Part]]]:
    """Return the items by who takes their media type: the stage as it is with those agents only, and their items."""
    by_agents: dict[tuple[AgentRef, ...], list[Part]] = {}
    for item in items:
        able = takers(stage.agents, media_type_of(item))
        if not able:
            what = f"{item.filename or 'a file'} ({media_type_of(item)})"
            raise RequestRefused(
                stage.name, f"no agent's card lists the type of {what}; one that lists */* would take it"
            )
        by_agents.setdefault(able, []).append(item)
    return [
        (replace(stage, agents=able, stand_ins=_all_taken(stage.stand_ins, own)), own)
        for able, own in by_agents.items()
    ]


def _by_type(stage: Stage, message: Sequence[Part]) -> list[Draft]:
    """Return a sub-task for each agent that takes any file of the message: these files, and the client's words."""
    words = _instructions(message)
    files = [part for part in message if part not in words]
    drafts = []
    for number, agent in enumerate(stage.agents):
        if own := taken_by(agent, files):
            chosen, others = _turn(stage.agents, number)
            stand_ins = _wanted(stage, _all_taken((*others, *stage.stand_ins), own))
            drafts.append(Draft(agent.name, chosen, stand_ins, (*_template(stage), *words, *own)))
    if not drafts:
        types = ", ".join(sorted({media_type_of(part) for part in files})) or "no files at all"
        raise RequestRefused("message.parts", f"no agent of stage {stage.name} takes what the message holds: {types}")
    return drafts


def _all_taken(agents: Sequence[AgentRef], parts: Sequence[Part]) -> tuple[AgentRef, ...]:
    return tuple(agent for agent in agents if len(taken_by(agent, parts)) == len(parts))


def _beside(stage: Stage, split: Split, message: Sequence[Part], text: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return what every batch comes with: the template's text or the client's, or all of an unsplit message."""
    if not stage.with_message or (split.of == MESSAGE and split.items == "lines"):
        return text
    if split.of == MESSAGE:
        return text or _instructions(message)
    return (*text, *message)


def _batches(items: Sequence[Any], split: Split, agents: int) -> list[Sequence[Any]]:
    """Cut *items* into runs of neighbours, as even as can be; below `at_least` into one."""
    if len(items) < split.at_least:
        return [items]
    if split.batch is not None:
        return [items[start : start + split.batch] for start in range(0, len(items), split.batch)]
    number = min(len(items), split.into or agents)
    cuts = [len(items) * cut // number for cut in range(number + 1)]
    return [items[start:end] for start, end in pairwise(cuts)]


def _planned(stage: Stage, tasks: Sequence[PlannedTask], drawn: Drawn) -> list[Draft]:
    _refuse_too_many(stage, len(tasks))
    places = {task.id: number for number, task in reversed(list(enumerate(tasks)))}
    for number, task in enumerate(tasks):
        where = f"tasks.{number}"
        if places[task.id] != number:
            raise RequestRefused(f"{where}.id", f"{task.id!r} is there twice")
        unknown = [other for other in task.after if other not in places]
        if unknown:
            raise RequestRefused(f"{where}.after", f"{unknown[0]!r} is none of the tasks")
    _refuse_circles(tasks)
    return [_planned_draft(stage, task, number, drawn[MESSAGE]) for number, task in enumerate(tasks)]


def _refuse_circles(tasks: Sequence[PlannedTask]) -> None:
    try:
        TopologicalSorter({task.id: task.after for task in tasks}).prepare()
    except CycleError as error:
        raise RequestRefused("tasks", f"tasks wait for each other in a circle: {' <- '.join(error.args[1])}") from None


def _planned_draft(stage: Stage, task: PlannedTask, number: int, message: Sequence[Part]) -> Draft:
    where = f"tasks.{number}"
    able, stand_ins = _suited(task, stage.agents), _suited(task, stage.stand_ins)
    if not able:
        named = _suited(task.model_copy(update={"skill": None}), stage.agents)
        field, asked = ("skill", task.skill) if named else ("agent", task.agent)
        there = ", ".join(agent.name for agent in stage.agents)
        raise RequestRefused(f"{where}.{field}", f"{field} {asked} is not to be had; there are: {there}")
    outside = [index for index in task.parts if not 0 <= index < len(message)]
    if outside:
        raise RequestRefused(f"{where}.parts", f"the message has no part {outside[0]}; it has {len(message)}, from 0")
    text = (Part("text", task.text, "text/plain"),) if task.text else ()
    chosen, others = _turn(able, number)
    return Draft(
        task.id,
        chosen,
        _wanted(stage, (*others, *stand_ins)),
        (*_template(stage), *text, *(message[index] for index in task.parts)),
        task.after,
    )


def _suited(task: PlannedTask, agents: Sequence[AgentRef]) -> list[AgentRef]:
    """Return the agents *task* may go to: the one it names, and only those with the skill it names."""
    named = [agent for agent in agents if task.agent in {None, agent.name}]
    return [agent for agent in named if task.skill is None or task.skill in agent.skills]


def _draft(stage: Stage, name: str, number: int, parts: tuple[Part, ...]) -> Draft:
    chosen, others = _turn(stage.agents, number)
    return Draft(name, chosen, _wanted(stage, (*others, *stage.stand_ins)), parts or None)


def _wanted(stage: Stage, others: tuple[AgentRef, ...]) -> tuple[AgentRef, ...]:
    """Return as many stand-ins as the stage may ever use: each is written down with every sub-task."""
    offered = MOST_OFFERED if stage.exhausted is Exhausted.ESCALATE else 0
    return others[: max(offered, stage.fallback + (stage.hedge_s is not None))]


def _turn(agents: Sequence[AgentRef], number: int) -> tuple[AgentRef, tuple[AgentRef, ...]]:
    """Return whose turn it is, and the others in the order in which they would stand in."""
    start = number % len(agents)
    return agents[start], (*agents[start + 1 :], *agents[:start])


def _template(stage: Stage, **names: Any) -> tuple[Part, ...]:
    if not stage.template:
        return ()
    return (Part("text", Template(stage.template).substitute(names), "text/plain"),)


# -- what can be split --------------------------------------------------------------------------------


def _files(parts: Sequence[Part], _: str) -> list[Part]:
    return [part for part in parts if _is_file(part)]


def _lines(parts: Sequence[Part], _: str) -> list[str]:
    texts = [str(part.content) for part in parts if part.kind == "text"]
    return [line for text in texts for line in text.splitlines() if line.strip()]


def _listed(parts: Sequence[Part], path: str) -> list[Any]:
    """Return the lists at the dotted *path* of all data parts, one after the other."""
    found: list[Any] = []
    for part in parts:
        value = part.content if part.kind == "data" else None
        for step in path.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        found += value if isinstance(value, list) else []
    return found


_ITEMS: Mapping[str, Callable[[Sequence[Part], str], Sequence[Any]]] = {"parts": _files, "lines": _lines}


def _as_parts(batch: Sequence[Any], items: str) -> tuple[Part, ...]:
    """Return a batch in the form its items came in: files, text, or the document with only this list in it."""
    if items == "parts":
        return tuple(batch)
    if items == "lines":
        return (Part("text", "\n".join(batch), "text/plain"),)
    document: Any = list(batch)
    for step in reversed(items.split(".")):
        document = {step: document}
    return (Part("data", document, "application/json"),)


def _as_text(item: Any) -> str:
    if isinstance(item, Part):
        return item.filename or (str(item.content) if item.kind in {"text", "url"} else "")
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)


def _instructions(parts: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(part for part in parts if part.kind == "text" and not part.filename)


def _is_file(part: Part) -> bool:
    return part.kind in {"raw", "url"} or bool(part.filename)

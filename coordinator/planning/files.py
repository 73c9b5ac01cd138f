"""Plan files: YAML, checked by pydantic, so that a wrong field is named before anything runs.

The classes below are the file format; `coordinator.core.model` holds what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from coordinator.core.model import (
    MESSAGE,
    Ask,
    Exhausted,
    Limits,
    MergeSpec,
    Need,
    Observed,
    Release,
    Retry,
    Shared,
    Split,
    Stragglers,
    Unanswered,
)
from coordinator.errors import ConfigurationError
from coordinator.flaws import flaws_in
from coordinator.planning.fields import Duration, Merge, Needed, Range, check_agents
from coordinator.planning.graph import SPLIT_NAMES, Graph, check_beside, check_graph, check_template, sinks

Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]

CLIENT = "client"
"""What `planned_by` names when the client gives the sub-tasks."""

RESERVED = frozenset({"agents", "plans", "healthz", "readyz", "tasks", "v1", "message", "extendedagentcard"})
"""Paths of ours that a plan's endpoint must not hide."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class To(_Strict):
    """Which agents it may go to: exactly one of skill, tag and agents."""

    skill: str | None = None
    tag: str | None = None
    agents: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    most: Annotated[int, Field(ge=1)] | None = None  #: so many of them get a sub-task; the others may stand in

    @model_validator(mode="after")
    def _one_of(self) -> To:
        if [self.skill, self.tag, self.agents].count(None) != 2:
            raise ValueError("give exactly one of skill, tag, agents")
        if self.agents and len(set(self.agents)) != len(self.agents):
            raise ValueError("agents names an agent twice")
        return self


class SplitFile(_Strict):
    """A list that becomes sub-tasks: the files of the message, the lines of its text, or a list in a data part."""

    of: Name = MESSAGE
    items: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$")] = "parts"
    batch: Annotated[int, Field(ge=1)] | None = None
    into: Annotated[int, Field(ge=1)] | None = None
    at_least: Annotated[int, Field(ge=0)] = 1  #: 0: where there is nothing to split, the stage has no sub-tasks

    @model_validator(mode="after")
    def _one_size(self) -> SplitFile:
        if self.batch and self.into:
            raise ValueError("give batch (items in a sub-task) or into (number of sub-tasks), not both")
        return self

    def resolved(self) -> Split:
        """Return the core's value."""
        return Split(self.of, self.items, self.batch, self.into, self.at_least)


class FanOut(_Strict):
    """Where the branches come from, and what each of them gets."""

    to: To
    split: SplitFile | None = None
    planned_by: Name | None = None  #: `client`, or a stage whose answer lists the sub-tasks
    template: Annotated[str, Field(min_length=1)] | None = None
    uses: tuple[Name, ...] = ()  #: stages whose merged artifacts every sub-task gets as well
    message: bool = True  #: whether it gets the parts of the client's message
    by_type: bool = False  #: agents get only files of the media types on their cards
    most_sub_tasks: Annotated[int, Field(ge=1, le=10_000)] = 1000
    keep_message_id: bool = False  #: in plain delegation, send the client's messageId as it is

    @model_validator(mode="after")
    def _one_source(self) -> FanOut:
        if self.split and self.planned_by:
            raise ValueError("split and planned_by both say where the sub-tasks come from; give one")
        if self.by_type and (self.planned_by or (self.split and self.split.items != "parts")):
            raise ValueError("by_type is for files: of the message, or of a split with items: parts")
        if self.by_type and not (self.split or self.message):
            raise ValueError("by_type with message: false leaves nothing to choose from; give split")
        if not (self.message or self.split or self.planned_by or self.template or self.uses):
            raise ValueError("message: false leaves nothing to send; give split, planned_by, template or uses")
        return self

    @property
    def names_one_agent(self) -> bool:
        """Whether the client's message goes to one named agent as it is."""
        made = self.split or self.planned_by or self.template or self.uses or self.by_type
        return not made and self.message and self.to.agents is not None and len(self.to.agents) == 1

    @property
    def draws_on(self) -> tuple[str, ...]:
        """Return the stages it needs done first."""
        split = (self.split.of,) if self.split and self.split.of != MESSAGE else ()
        planned = (self.planned_by,) if self.planned_by and self.planned_by != CLIENT else ()
        return tuple(dict.fromkeys((*self.uses, *split, *planned)))


class ObservedFile(_Strict):
    """A branch timeout of so many times the 95th percentile of the agent's latest run times."""

    p95_times: Annotated[float, Field(gt=0)] = 3.0
    at_least: Duration = 1.0
    at_most: Duration


class LimitsFile(_Strict):
    """Bounds of a stage; a client may narrow them, never widen them."""

    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None
    scope: Literal["task", "global"] = "task"
    """Whether `concurrency` is one task's, or that of all tasks and replicas together."""
    branch_timeout: Duration | ObservedFile | None = None
    deadline: Duration | None = None

    @property
    def longest_branch(self) -> float | None:
        """Return the longest a branch may take, in seconds."""
        return self.branch_timeout.at_most if isinstance(self.branch_timeout, ObservedFile) else self.branch_timeout

    @model_validator(mode="after")
    def _has_what_is_shared(self) -> LimitsFile:
        if self.scope == "global" and self.concurrency is None:
            raise ValueError("limits.scope is global, but there is no limits.concurrency to hold over all tasks")
        return self

    def resolved(self, name: str = "") -> Limits:
        """Return the core's value; what all tasks share goes by *name*."""
        rule = self.branch_timeout
        observed = None
        if isinstance(rule, ObservedFile):
            observed = Observed(rule.p95_times, rule.at_least, rule.at_most)
        shared = Shared(name, self.concurrency) if self.scope == "global" and self.concurrency else None
        return Limits(self.concurrency, self.longest_branch, self.deadline, observed, shared)


class RetryFile(_Strict):
    """How often a failed attempt is repeated at the same agent."""

    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    backoff: Range = (0.5, 8.0)


class OnFailure(_Strict):
    """What a failure leads to."""

    retry: RetryFile | None = None
    fallback: Annotated[int, Field(ge=0, le=20)] = 0  #: other agents that may take a sub-task over
    hedge: Duration | None = None  #: a second attempt at another agent after so long without a result
    exhausted: Exhausted = Exhausted.COUNT


class BarrierFile(_Strict):
    """When to stop waiting, and how many have to have succeeded then."""

    release: Release = Release.SETTLED
    need: Needed = Need()
    stragglers: Stragglers = Stragglers.CANCEL

    @model_validator(mode="after")
    def _consistent(self) -> BarrierFile:
        if self.release is Release.FIRST and "need" in self.model_fields_set:
            raise ValueError("need has no meaning with release: first, which waits for one success")
        if self.release is Release.ENOUGH and not self.need.value and self.need.kind != "all":
            raise ValueError("release: enough with need: 0 would not wait for anybody")
        if self.release is Release.SETTLED and self.stragglers is Stragglers.CONTINUE:
            raise ValueError("stragglers: continue has no meaning with release: settled, which waits for everybody")
        return self


class StageFile(_Strict):
    """One fan-out, one barrier, one merge."""

    fan_out: FanOut
    limits: LimitsFile = LimitsFile()
    on_failure: OnFailure = OnFailure()
    barrier: BarrierFile = BarrierFile()
    merge: Merge = MergeSpec()
    expect: Literal["", "findings"] = ""

    @model_validator(mode="after")
    def _consistent(self) -> StageFile:
        if self.on_failure.exhausted is Exhausted.FAIL_FAST and self.barrier.need.kind != "all":
            raise ValueError(
                "on_failure.exhausted: fail_fast contradicts barrier.need: the first failure ends the task"
            )
        if self.on_failure.exhausted is Exhausted.FAIL_FAST and self.barrier.release is Release.FIRST:
            raise ValueError("on_failure.exhausted: fail_fast contradicts barrier.release: first")
        stand_ins = self.on_failure.fallback or self.on_failure.hedge
        if stand_ins and self.fan_out.to.agents and len(self.fan_out.to.agents) == 1:
            raise ValueError("on_failure.fallback and hedge need another agent, but fan_out.to.agents names only one")
        longest = self.limits.longest_branch
        if self.on_failure.hedge and longest and self.on_failure.hedge >= longest:
            raise ValueError("on_failure.hedge comes after limits.branch_timeout: the second attempt would never start")
        if self.limits.deadline and longest and longest > self.limits.deadline:
            raise ValueError("limits.branch_timeout is longer than limits.deadline")
        return self

    @model_validator(mode="after")
    def _can_be_met(self) -> StageFile:
        made = self.fan_out.split or self.fan_out.planned_by
        need, named = self.barrier.need, self.fan_out.to.agents
        if not made and named is not None and need.kind == "count" and need.value > len(named):
            raise ValueError(
                f"barrier.need: {need} successes can never be met, since fan_out.to.agents names only {len(named)}"
            )
        return self

    @model_validator(mode="after")
    def _merges_its_own_agents(self) -> StageFile:
        check_agents(self.merge, self.fan_out.to.agents)
        return self

    @property
    def passes_through(self) -> bool:
        """Whether a plan of this stage alone is plain delegation: one agent, and nothing done to its answer."""
        untouched = not {"merge", "expect", "barrier", "on_failure"} & self.model_fields_set
        return self.fan_out.names_one_agent and untouched

    @property
    def retry(self) -> Retry:
        """Return the core's value."""
        chosen = self.on_failure.retry
        return Retry() if chosen is None else Retry(chosen.attempts, *chosen.backoff)


class UnansweredFile(_Strict):
    """What happens to a question nobody answers."""

    after: Duration = Unanswered().after_s
    then: Literal["skip", "take", "abort"] = Unanswered().then

    def resolved(self) -> Unanswered:
        """Return the core's value."""
        return Unanswered(self.after, self.then)


def _not_reserved(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"{name} is a path of the server itself; choose another name")
    return name


class ParameterFile(_Strict):
    """A value the client may give; templates use it as `$name`."""

    description: str = ""
    default: str | None = None  #: None: the client has to give it
    values: tuple[str, ...] = ()  #: empty: anything

    @model_validator(mode="after")
    def _default_is_one(self) -> ParameterFile:
        if self.default is not None and self.values and self.default not in self.values:
            raise ValueError(f"default is {self.default!r}, which is none of the values")
        return self


class PlanFile(_Strict):
    """A whole plan; `name` is also the path of its endpoint."""

    name: Annotated[Name, AfterValidator(_not_reserved)]
    description: Annotated[str, Field(min_length=1)]
    tags: tuple[str, ...] = ()
    input_modes: tuple[str, ...] = ("text/plain", "application/json", "application/octet-stream")
    parameters: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], ParameterFile] = Field(default_factory=dict)
    deadline: Duration | None = None  #: for the whole task
    retry_budget: Annotated[int, Field(ge=0)] | None = None  #: attempts beyond the first, over all branches
    ask: Ask = Ask.LAST
    unanswered: UnansweredFile = UnansweredFile()
    answer: Name | None = None  #: the stage whose artifact is the task's; needed when several are not used by others
    beside: tuple[Name, ...] = ()  #: stages whose artifacts the client gets as well, after the answer
    stages: Annotated[dict[Name, StageFile], Field(min_length=1)]

    @model_validator(mode="after")
    def _whole(self) -> PlanFile:
        wrong = sorted({MESSAGE, CLIENT} & set(self.stages))
        if wrong:
            raise ValueError(f"stages.{wrong[0]}: this name means something else; choose another")
        taken = sorted(SPLIT_NAMES & set(self.parameters))
        if taken:
            raise ValueError(f"parameters.{taken[0]}: in templates it stands for what a split gives; choose another")
        check_graph(self.graph, self.answer)
        check_beside(self.graph, self.answering_stage, self.beside)
        if not self.passes_through:
            for name, stage in self.stages.items():
                if stage.fan_out.keep_message_id:
                    raise ValueError(f"stages.{name}.fan_out.keep_message_id: only plain delegation keeps the id")
        for name, stage in self.stages.items():
            if stage.fan_out.template is not None:
                given = set(self.parameters) | (SPLIT_NAMES if stage.fan_out.split else set())
                check_template(f"stages.{name}.fan_out.template", stage.fan_out.template, given)
        return self

    @property
    def passes_through(self) -> bool:
        """Whether it is plain delegation: one stage, one named agent, everything passed through unchanged."""
        stages = list(self.stages.values())
        return len(stages) == 1 and stages[0].passes_through

    @property
    def reads_message(self) -> bool:
        """Whether making the sub-tasks takes a look at the content of the client's message."""
        fan_outs = [stage.fan_out for stage in self.stages.values()]
        return any(f.split or f.template is not None or f.planned_by is not None or f.by_type for f in fan_outs)

    @property
    def graph(self) -> Graph:
        """Return what each stage draws on."""
        return {name: stage.fan_out.draws_on for name, stage in self.stages.items()}

    @property
    def answering_stage(self) -> str:
        """Return the stage whose artifact is the task's."""
        return self.answer or sinks(self.graph)[0]


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema of a plan file, for editors."""
    return PlanFile.model_json_schema()


def load_plans(places: Iterable[Path]) -> dict[str, PlanFile]:
    """Read every `*.yaml` below *places* (folders or files), by plan name.

    Raises `ConfigurationError` that names file and field.
    """
    plans: dict[str, PlanFile] = {}
    for place in places:
        if not place.exists():
            raise ConfigurationError(f"{place}: there is no such plan file or folder")
        files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
        for file in files:
            plan = _load(file)
            if plan.name in plans:
                raise ConfigurationError(f"{file}: there are two plans named {plan.name}")
            plans[plan.name] = plan
    return plans


def _load(file: Path) -> PlanFile:
    try:
        return PlanFile.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        flaws = flaws_in(error, _Strict.__subclasses__(), whole="the document")
        raise ConfigurationError(f"{file}: {flaws}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{file}: {error}") from error

"""Plan files: YAML, checked by pydantic, so that a wrong field is named before anything runs.

The classes below are the file format; `coordinator.core.model` holds what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from coordinator.core.durations import seconds
from coordinator.core.merging import STRATEGIES
from coordinator.core.model import Exhausted, Limits, MergeSpec, Need, Release, Retry
from coordinator.errors import ConfigurationError

Duration = Annotated[float, BeforeValidator(seconds)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]

RESERVED = frozenset({"agents", "plans", "healthz", "readyz", "tasks", "v1", "message", "extendedagentcard"})
"""Paths of ours that a plan's endpoint must not hide."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class To(_Strict):
    """Which agents get a sub-task each: exactly one of the three."""

    skill: str | None = None
    tag: str | None = None
    agents: Annotated[tuple[str, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> To:
        if [self.skill, self.tag, self.agents].count(None) != 2:
            raise ValueError("give exactly one of skill, tag, agents")
        if self.agents and len(set(self.agents)) != len(self.agents):
            raise ValueError("agents names an agent twice")
        return self


class FanOut(_Strict):
    """Where the branches come from."""

    to: To


class LimitsFile(_Strict):
    """Bounds of a stage; a client may narrow them, never widen them."""

    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None
    branch_timeout: Duration | None = None
    deadline: Duration | None = None

    def resolved(self) -> Limits:
        """Return the core's value."""
        return Limits(self.concurrency, self.branch_timeout, self.deadline)


def _backoff(text: Any) -> tuple[float, float]:
    low, dots, high = str(text).partition("..")
    if not dots:
        raise ValueError("write a range, for example 0.5s..8s")
    bounds = seconds(low), seconds(high)
    if bounds[0] > bounds[1]:
        raise ValueError("the range starts with the shorter delay")
    return bounds


class RetryFile(_Strict):
    """How often a failed attempt is repeated at the same agent."""

    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    backoff: Annotated[tuple[float, float], BeforeValidator(_backoff)] = (0.5, 8.0)


class OnFailure(_Strict):
    """What a failure leads to."""

    retry: RetryFile | None = None
    exhausted: Exhausted = Exhausted.COUNT


def _need(value: Any) -> Need:
    if isinstance(value, Need):
        return value
    if value == "all":
        return Need()
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError("need is all, a count (0, 1, 2 …) or a ratio between 0 and 1 (0.6)")
    if isinstance(value, int):
        return Need("count", value)
    if value > 1:
        raise ValueError("a ratio lies between 0.0 and 1.0; write a count without a point")
    return Need("ratio", value)


class BarrierFile(_Strict):
    """When to stop waiting, and how many have to have succeeded then."""

    release: Release = Release.SETTLED
    need: Annotated[Need, BeforeValidator(_need)] = Need()


def _merge(value: Any) -> Any:
    """Take a bare strategy name, and check the options against the strategy's own fields."""
    if isinstance(value, str):
        value = {"strategy": value}
    if not isinstance(value, Mapping):  # pydantic turns ValueError, not TypeError, into a named problem
        raise ValueError("merge is a strategy name, or a mapping with strategy and its options")
    options = {str(key): option for key, option in value.items() if key != "strategy"}
    name = str(value.get("strategy"))
    if name not in STRATEGIES:
        raise ValueError(f"there is no strategy {name!r}; there are: {', '.join(STRATEGIES)}")
    unknown = set(options) - {option.name for option in fields(STRATEGIES[name])}
    if unknown:
        raise ValueError(f"{name} has no option {', '.join(sorted(unknown))}")
    strategy = TypeAdapter(STRATEGIES[name]).validate_python(options)
    return MergeSpec(name, {option: getattr(strategy, option) for option in options})


class StageFile(_Strict):
    """One fan-out, one barrier, one merge."""

    fan_out: FanOut
    limits: LimitsFile = LimitsFile()
    on_failure: OnFailure = OnFailure()
    barrier: BarrierFile = BarrierFile()
    merge: Annotated[MergeSpec, BeforeValidator(_merge)] = MergeSpec()
    expect: Literal["", "findings"] = ""

    @model_validator(mode="after")
    def _consistent(self) -> StageFile:
        if self.on_failure.exhausted is Exhausted.FAIL_FAST and self.barrier.need.kind != "all":
            raise ValueError(
                "on_failure.exhausted: fail_fast contradicts barrier.need: the first failure ends the task"
            )
        if self.limits.deadline and self.limits.branch_timeout and self.limits.branch_timeout > self.limits.deadline:
            raise ValueError("limits.branch_timeout is longer than limits.deadline")
        return self

    @property
    def retry(self) -> Retry:
        """Return the core's value."""
        chosen = self.on_failure.retry
        return Retry() if chosen is None else Retry(chosen.attempts, *chosen.backoff)


def _only_one(stages: Mapping[str, StageFile]) -> Mapping[str, StageFile]:
    if len(stages) != 1:
        raise ValueError("a plan has exactly one stage in this version")
    return stages


def _not_reserved(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"{name} is a path of the server itself; choose another name")
    return name


class PlanFile(_Strict):
    """A whole plan; `name` is also the path of its endpoint."""

    name: Annotated[Name, AfterValidator(_not_reserved)]
    description: Annotated[str, Field(min_length=1)]
    tags: tuple[str, ...] = ()
    input_modes: tuple[str, ...] = ("text/plain", "application/json", "application/octet-stream")
    stages: Annotated[dict[Name, StageFile], AfterValidator(_only_one)]


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
        raise ConfigurationError(f"{file}: {describe(error)}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{file}: {error}") from error


def describe(error: ValidationError) -> str:
    """Return the first few problems, each with the field it is about."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    told = [(".".join(map(str, p["loc"])) or "the document", p["msg"].removeprefix("Value error, ")) for p in problems]
    return "; ".join(f"{field}: {message}" for field, message in told[:5])

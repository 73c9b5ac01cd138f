"""Values as people write them in plan files: durations, ranges, `need`, `merge`.

Each says how it is read, and to editors how it is written; what a plan is made of is in `files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError, WithJsonSchema

from coordinator.core.durations import seconds
from coordinator.core.merging import STRATEGIES
from coordinator.core.model import MergeSpec, Need

_WRITTEN = r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)?\s*$"

Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": _WRITTEN}, {"type": "number", "exclusiveMinimum": 0}]}),
]
"""Seconds, written as `500ms`, `60s`, `10m` or a plain number."""


def _range(text: Any) -> tuple[float, float]:
    if isinstance(text, tuple):
        return text
    low, dots, high = str(text).partition("..")
    if not dots:
        raise ValueError("write a range, for example 0.5s..8s")
    bounds = seconds(low), seconds(high)
    if bounds[0] > bounds[1]:
        raise ValueError("the range starts with the shorter delay")
    return bounds


Range = Annotated[
    tuple[float, float], BeforeValidator(_range), WithJsonSchema({"type": "string", "pattern": r"^.+\.\..+$"})
]
"""Two durations, written as `0.5s..8s`."""


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


Needed = Annotated[
    Need, BeforeValidator(_need), WithJsonSchema({"anyOf": [{"const": "all"}, {"type": "number", "minimum": 0}]})
]
"""How many have to succeed, written as `all`, a count or a ratio."""


def _merge(value: Any) -> Any:
    """Take a bare strategy name, and check the options against the strategy's own fields."""
    if isinstance(value, MergeSpec):
        return value
    if isinstance(value, str):
        value = {"strategy": value}
    if not isinstance(value, Mapping):  # pydantic turns ValueError, not TypeError, into a named problem
        raise ValueError("merge is a strategy name, or a mapping with strategy and its options")
    options = {str(key): option for key, option in value.items() if key != "strategy"}
    name = str(value.get("strategy", MergeSpec().strategy))
    if name not in STRATEGIES:
        raise ValueError(f"there is no strategy {name!r}; there are: {', '.join(STRATEGIES)}")
    unknown = set(options) - {option.name for option in fields(STRATEGIES[name])}
    if unknown:
        raise ValueError(f"{name} has no option {', '.join(sorted(unknown))}")
    return MergeSpec(name, _checked(name, options))


def _checked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as the journal keeps them. Raises `ValueError` that names the one which is wrong."""
    adapter = TypeAdapter(STRATEGIES[name])
    try:
        strategy = adapter.validate_python(options)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        place = problems[0]["loc"][:1]  # what follows may be a choice of a union, which nobody has written
        same = (problem["msg"].removeprefix("Value error, ") for problem in problems if problem["loc"][:1] == place)
        told = "; or: ".join(dict.fromkeys(same))
        raise ValueError(f"{place[0]}: {told}" if place else told) from error
    plain = adapter.dump_python(strategy, mode="json")
    return {option: plain[option] for option in options}


def _written(name: str) -> dict[str, Any]:
    """Return the schema of a strategy with its options; nothing in it refers to anything else."""
    options = TypeAdapter(STRATEGIES[name]).json_schema()
    return {
        "type": "object",
        "properties": {"strategy": {"const": name}, **options["properties"]},
        "required": ["strategy", *options.get("required", ())] if name != MergeSpec().strategy else [],
        "additionalProperties": False,
    }


def _needs_no_options(name: str) -> bool:
    return not TypeAdapter(STRATEGIES[name]).json_schema().get("required")


Merge = Annotated[
    MergeSpec,
    BeforeValidator(_merge),
    WithJsonSchema({"anyOf": [{"enum": list(filter(_needs_no_options, STRATEGIES))}, *map(_written, STRATEGIES)]}),
]
"""A strategy, written as its name, or as a mapping of `strategy` and its options."""


def check_agents(merge: MergeSpec, agents: tuple[str, ...] | None) -> None:
    """Raise `ValueError` for an option that names none of the stage's agents, where those are given by name."""
    conflicts = merge.options.get("conflicts")
    named = {
        "output_keys": list(merge.options.get("output_keys", ())),
        "conflicts.trust": [conflicts["trust"]] if isinstance(conflicts, Mapping) and "trust" in conflicts else [],
    }
    for option, names in named.items():
        for name in names:
            if agents and name not in agents:
                raise ValueError(f"merge.{option} names {name}, which is none of fan_out.to.agents")


def assistants_of(merge: MergeSpec) -> tuple[str, ...]:
    """Return the names of the agents a merge may ask."""
    conflicts = merge.options.get("conflicts")
    arbiter = conflicts.get("ask", "") if isinstance(conflicts, Mapping) else ""
    named = (arbiter, merge.options.get("judge", ""), merge.options.get("agent", ""))
    return tuple(dict.fromkeys(filter(None, named)))

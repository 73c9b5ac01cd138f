"""Values as people write them in plan files: durations, ranges, `need`, `merge`.

Each says how it is read, and to editors how it is written; what a plan is made of is in `files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, WithJsonSchema

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
    strategy = TypeAdapter(STRATEGIES[name]).validate_python(options)
    return MergeSpec(name, {option: getattr(strategy, option) for option in options})


def _option(option: Field[Any]) -> dict[str, Any]:
    kind = "integer" if option.type == "int" else "string"
    return {"type": kind} | ({} if option.default is MISSING else {"default": option.default})


def _written(name: str) -> dict[str, Any]:
    options = {option.name: _option(option) for option in fields(STRATEGIES[name])}
    return {"type": "object", "properties": {"strategy": {"const": name}, **options}, "additionalProperties": False}


Merge = Annotated[
    MergeSpec,
    BeforeValidator(_merge),
    WithJsonSchema({"anyOf": [{"enum": list(STRATEGIES)}, *map(_written, STRATEGIES)]}),
]
"""A strategy, written as its name, or as a mapping of `strategy` and its options."""

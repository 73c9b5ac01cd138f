"""`json`: the data parts of all answers as one document, object into object, with a rule for clashes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from coordinator.core.merging.contribution import Contribution, MergedArtifact, Merging, Source, parts_of
from coordinator.core.merging.fields import canonical, label
from coordinator.core.model import Json, Part

Clash = Literal["first", "last", "list", "majority", "error"]
Said = Sequence[tuple[Source, Json]]

MOST_CLASHES = 1000
"""Clashes the provenance lists one by one; the summary counts them all."""


@dataclass(slots=True)
class _Clashes:
    rule: Clash
    count: int = 0
    listed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, path: Sequence[str], said: Said, decided: Json) -> None:
        self.count += 1
        if len(self.listed) < MOST_CLASHES:
            values = [{"value": value, "agents": _agents(who)} for value, who in _distinct(said)]
            self.listed.append({"path": list(path), "values": values, "decided": decided})


@dataclass(frozen=True, slots=True)
class JsonMerge:
    """Objects are joined key by key; values that differ at one place clash."""

    clash: Clash = "first"  #: which value counts: in plan order the first or last, a list of all, the most frequent
    name: str = "result"  #: name of the merged artifact

    def __call__(self, contributions: Sequence[Contribution]) -> Merging:
        """Return the document, and behind it what it was made of. Raises `ValueError` for a clash with `error`."""
        parts = list(parts_of(contributions))
        said = [(source, part.content) for source, part in parts if part.kind == "data"]
        clashes = _Clashes(self.clash)
        document = _joined(said, (), clashes) if said else {}
        summary = {"documents": len(said), "clashes": clashes.count, "passed_over": len(parts) - len(said)}
        provenance = {
            "schema": "merged-json/v1",
            "sources": [source.as_json() for source, _ in said],
            "clashes": clashes.listed,
        }
        made = tuple(Part("data", content, "application/json") for content in (document, provenance))
        told = f"{len(said)} documents joined, {clashes.count} clashes: {self.clash}."
        return Merging(MergedArtifact(self.name, made, told), summary)


def _joined(said: Said, path: tuple[str, ...], clashes: _Clashes) -> Json:
    """Return what *said* comes to at *path*; there is at least one value."""
    if all(isinstance(value, Mapping) for _, value in said):
        keys = dict.fromkeys(key for _, value in said for key in value)
        return {key: _joined([(s, v[key]) for s, v in said if key in v], (*path, key), clashes) for key in keys}
    distinct = _distinct(said)
    if len(distinct) == 1:
        return said[0][1]
    decided = _decided(clashes.rule, said, distinct, path)
    clashes.add(path, said, decided)
    return decided


def _decided(rule: Clash, said: Said, distinct: Sequence[tuple[Json, list[Source]]], path: Sequence[str]) -> Json:
    match rule:
        case "first":
            return said[0][1]
        case "last":
            return said[-1][1]
        case "list":
            flat = (part for value, _ in distinct for part in (value if isinstance(value, list) else [value]))
            return list({canonical(value): value for value in flat}.values())
        case "majority":
            return max(distinct, key=lambda option: len(_agents(option[1])))[0]
        case "error":
            told = ", ".join(f"{label(value, 40)} ({', '.join(_agents(who))})" for value, who in distinct[:5])
            raise ValueError(f"the answers clash at {'.'.join(path) or 'the top'}: {told}")


def _distinct(said: Said) -> list[tuple[Json, list[Source]]]:
    """Return each different value once, with its sources, in order of first appearance."""
    values: dict[str, tuple[Json, list[Source]]] = {}
    for source, value in said:
        values.setdefault(canonical(value), (value, []))[1].append(source)
    return list(values.values())


def _agents(sources: Iterable[Source]) -> list[str]:
    return list(dict.fromkeys(source.agent for source in sources))

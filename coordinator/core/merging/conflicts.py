"""Contradictions: agents mean the same thing and say different things about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from coordinator.core.merging.entries import Entry, Key
from coordinator.core.merging.fields import at, canonical
from coordinator.core.model import Json

Conflicts = (
    Literal["worst", "majority", "highest_confidence", "flag", "escalate"] | Mapping[Literal["trust", "ask"], str]
)
"""How contradictions are settled: by rule, by the agent that is trusted, by one that is asked, or by the client."""

Verdicts = Mapping[tuple[Key, str], Json]
"""What somebody decided, by the key of the group and the field."""


def check_conflicts(conflicts: Conflicts) -> None:
    """Raise `ValueError` for a rule that names no agent, or two."""
    if isinstance(conflicts, Mapping) and (len(conflicts) != 1 or not all(conflicts.values())):
        raise ValueError("conflicts is a rule, or one of {trust: AGENT} and {ask: AGENT}")


def asks(conflicts: Conflicts) -> bool:
    """Whether somebody else decides."""
    return "ask" in conflicts if isinstance(conflicts, Mapping) else conflicts == "escalate"


@dataclass(frozen=True, slots=True)
class Claim:
    """One of the values, with who says so and how sure they are at most."""

    value: Json
    agents: tuple[str, ...]
    confidence: float

    def as_json(self) -> dict[str, Any]:
        """Return the shape used in merged documents."""
        return {"value": self.value, "agents": list(self.agents), "confidence": self.confidence}


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A field with two or more claims, in plan order."""

    field: str
    claims: tuple[Claim, ...]

    def decide(self, conflicts: Conflicts, verdict: Json = None) -> tuple[Claim | None, str]:
        """Return the claim that counts and the rule it counts by; none, and `flag`, where nobody could decide."""
        claim: Claim | None
        by: str
        match conflicts:
            case "worst" | "flag":
                return None, conflicts
            case "majority":
                return max(self.claims, key=lambda claim: (len(claim.agents), claim.confidence)), conflicts
            case "highest_confidence":
                return max(self.claims, key=lambda claim: claim.confidence), conflicts
            case "escalate":
                claim, by = self._chosen(verdict), conflicts
            case {"trust": agent}:
                claim, by = next((claim for claim in self.claims if agent in claim.agents), None), f"trust {agent}"
            case Mapping():
                claim, by = self._chosen(verdict), f"ask {conflicts['ask']}"
        return (claim, by) if claim else (None, "flag")

    def _chosen(self, verdict: Json) -> Claim | None:
        """Return the claim a judge is for; what nobody has claimed is no decision."""
        chosen = canonical(verdict)
        return next((claim for claim in self.claims if canonical(claim.value) == chosen), None)


def contradictions(entries: Sequence[Entry], fields: Iterable[str]) -> list[Contradiction]:
    """Return the fields in which *entries* contradict each other; who says nothing about one contradicts nobody."""
    if len(entries) < 2:
        return []
    found = (Contradiction(field, _claims(entries, field)) for field in fields)
    return [contradiction for contradiction in found if len(contradiction.claims) > 1]


def _claims(entries: Sequence[Entry], field: str) -> tuple[Claim, ...]:
    said: dict[str, tuple[Json, dict[str, float]]] = {}
    for entry in entries:
        value = at(entry.item, field)
        if value is not None:
            agents = said.setdefault(canonical(value), (value, {}))[1]
            agents[entry.source.agent] = max(agents.get(entry.source.agent, 0), entry.confidence)
    return tuple(Claim(value, tuple(agents), max(agents.values())) for value, agents in said.values())

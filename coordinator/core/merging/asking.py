"""Contradictions that another agent or the client decides: how they are told, and how the decision is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.core.merging.conflicts import Conflicts, Contradiction, Verdicts
from coordinator.core.merging.contribution import Answer, Ask, Question
from coordinator.core.merging.entries import Group
from coordinator.core.merging.fields import label, one_line
from coordinator.core.model import Part

SCHEMA = "contradictions/v1"
MOST_ASKED = 100
"""Contradictions that are put to somebody at once; what is beyond them is flagged."""
MOST_IN_TEXT = 20
RULES = ("majority", "highest_confidence", "flag")
TRUST = "trust "


@dataclass(frozen=True, slots=True)
class Open:
    """A contradiction that waits for a decision."""

    number: int
    group: Group
    contradiction: Contradiction

    def as_json(self) -> dict[str, Any]:
        """Return what whoever decides has to know."""
        return {
            "number": str(self.number),
            "field": self.contradiction.field,
            "claims": [claim.as_json() for claim in self.contradiction.claims],
            "items": [{"agent": entry.source.agent, "item": entry.item} for entry in self.group.entries],
        }

    def line(self) -> str:
        """Return it in words."""
        claims = (f"{label(c.value, 60)} ({label(', '.join(c.agents), 60)})" for c in self.contradiction.claims)
        return f"{self.number}. {one_line(self.contradiction.field)}: {' or '.join(claims)}"


def ask(conflicts: Conflicts, unsettled: Sequence[Open]) -> Ask:
    """Return what a judge is asked."""
    agent = conflicts["ask"] if isinstance(conflicts, Mapping) else ""
    text = (
        f"{_told(unsettled)}\n\nDecide each of them. Answer with a data part "
        f'{{"verdicts": {{"1": VALUE, …}}}} in which every VALUE is one of the claims.'
    )
    return Ask(agent, (Part("text", text, "text/plain"), _document(unsettled)))


def question(unsettled: Sequence[Open]) -> Question:
    """Return what the client is asked: one rule for all of them, or a verdict on each in a data part."""
    agents = sorted({agent for one in unsettled for claim in one.contradiction.claims for agent in claim.agents})
    choices = (*RULES, *(f"{TRUST}{agent}" for agent in agents))
    return Question(f"{_told(unsettled)}\n\nWhat counts?", choices, (_document(unsettled),))


def ruling(answer: Answer, unsettled: Sequence[Open], conflicts: Conflicts) -> tuple[Conflicts, Verdicts]:
    """Return the rule and the verdicts an answer comes to; what it does not settle is flagged."""
    verdicts: dict[Any, Any] = {}
    for part in () if answer.failure else answer.parts:
        if part.kind == "text" and conflicts == "escalate":
            chosen = part.content.strip()
            if chosen in RULES:
                return chosen, {}
            if chosen in question(unsettled).choices:
                return {"trust": chosen.removeprefix(TRUST)}, {}
        if part.kind == "data" and isinstance(part.content, Mapping):
            given = part.content.get("verdicts")
            verdicts |= given if isinstance(given, Mapping) else {}
    by_number = {str(one.number): one for one in unsettled[:MOST_ASKED]}
    return conflicts, {
        (by_number[number].group.key, by_number[number].contradiction.field): verdict
        for number, verdict in verdicts.items()
        if number in by_number
    }


def _told(unsettled: Sequence[Open]) -> str:
    lines = [f"The agents contradict each other about {len(unsettled)} thing{'s' if len(unsettled) > 1 else ''}:"]
    lines += [one.line() for one in unsettled[:MOST_IN_TEXT]]
    if len(unsettled) > MOST_IN_TEXT:
        lines.append(f"… and {len(unsettled) - MOST_IN_TEXT} more in the data part.")
    return "\n".join(lines)


def _document(unsettled: Sequence[Open]) -> Part:
    asked = [one.as_json() for one in unsettled[:MOST_ASKED]]
    return Part("data", {"schema": SCHEMA, "contradictions": asked}, "application/json")

"""What `items` and `findings` share: entries become groups, groups are judged, ranked and filtered.

Nothing here depends on who was first, and every entry ends in exactly one group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from coordinator.core.merging import judging
from coordinator.core.merging.asking import Open, ask, question, ruling
from coordinator.core.merging.conflicts import (
    Conflicts,
    Verdicts,
    asks,
    check_conflicts,
    contradictions,
)
from coordinator.core.merging.contribution import Answer, Contribution, Decision, Merging
from coordinator.core.merging.entries import Entry, Group, grouped
from coordinator.core.merging.judging import Judged
from coordinator.core.merging.near import Found, Near, near
from coordinator.core.model import Json

Weighed = Literal["severity", "confidence", "agreement"]
Weights = Mapping[Weighed, float]
Ties = Literal["agreement", "order"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The options of a plan that say how entries are joined."""

    severity: str
    severities: Sequence[str]
    near: Near
    claims: Sequence[str] = ()
    conflicts: Conflicts = "worst"
    weights: Weights = field(default_factory=dict)
    min_confidence: int = 0
    min_votes: int = 1
    ties: Ties = "agreement"

    def check(self) -> None:
        """Raise `ValueError` that names the option which is out of range."""
        if not 0 <= self.min_confidence <= 100:
            raise ValueError("min_confidence lies between 0 and 100")
        if self.min_votes < 1:
            raise ValueError("min_votes is at least 1")
        if self.weights and (min(self.weights.values()) < 0 or not 0 < sum(self.weights.values()) <= 1e6):
            raise ValueError("weights are at least 0, and one of them is more")
        self.near.check()
        check_conflicts(self.conflicts)
        if self.near.judge and asks(self.conflicts):
            raise ValueError("conflicts cannot ask anybody where judge is asked already: give it a rule, such as flag")

    def groups(self, entries: Iterable[Entry]) -> Found:
        """Return the entries by identity, near-duplicates joined."""
        return near(grouped(entries), self.near)

    def open(self, groups: Iterable[Group]) -> list[Open]:
        """Return the contradictions somebody else has to decide, numbered from 1."""
        if not asks(self.conflicts):
            return []
        found = [
            (group, contradiction)
            for group in sorted(groups, key=lambda group: group.key)
            for contradiction in contradictions(group.entries, (self.severity, *self.claims))
        ]
        return [Open(number, *one) for number, one in enumerate(found, start=1)]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One merged item: the group, what was decided about it, and why it ranks where it ranks."""

    group: Group
    severity: int
    confidence: float
    decided: Mapping[str, Json]  #: fields whose value is not simply that of the spokesman
    conflicts: Sequence[Mapping[str, Any]]
    score: float | None
    because: str
    ties: Ties

    @property
    def votes(self) -> int:
        """How many agents are for it."""
        return len(self.group.agents)

    @property
    def order(self) -> tuple[Any, ...]:
        """What it is sorted by: the score where the plan has weights, then severity, then as the plan says."""
        first = -(self.score or 0.0), self.severity
        if self.ties == "order":
            return *first, min(entry.number for entry in self.group.entries)
        return *first, -self.votes, -self.confidence, self.group.key

    def words(self) -> dict[str, Any]:
        """Say whose words the item uses."""
        spokesman = self.group.spokesman
        return {"agent": spokesman.source.agent, "source": self.group.entries.index(spokesman)}


@dataclass(frozen=True, slots=True)
class Sorted:
    """What a merge came to."""

    kept: Sequence[Ranked]
    dropped: Mapping[str, Sequence[Ranked]]  #: by the option that dropped them
    contradictions: Mapping[str, int]  #: by the rule that settled them
    judged: Mapping[str, Any]  #: what the summary says about pairs that were in doubt


class Form(Protocol):
    """A strategy that joins entries: where they come from and what the report looks like is its own."""

    @property
    def rules(self) -> Rules:
        """The rules of the plan."""
        ...

    def read(self, contributions: Sequence[Contribution]) -> tuple[list[Entry], Counter[str], int]:
        """Return the entries, how many items each agent sent, and how many of them were none."""
        ...

    def report(self, result: Sorted, groups: int, by_agent: Mapping[str, int], malformed: int) -> Merging:
        """Return the artifact."""
        ...


def decided(form: Form, contributions: Sequence[Contribution]) -> Decision:
    """Return the report, or who has to decide first: what is the same thing, or which claim counts."""
    rules = form.rules
    material = _material(form, contributions)
    if material.found.doubts:
        return judging.ask(material.found, rules.near)
    judged = judging.unjudged(material.found, rules.near)
    unsettled = rules.open(judged.groups)
    if not unsettled:
        return material.report(form, rules, judged, {})
    return question(unsettled) if rules.conflicts == "escalate" else ask(rules.conflicts, unsettled)


def resumed(form: Form, contributions: Sequence[Contribution], answer: Answer) -> Merging:
    """Return the report; what the answer does not settle stays apart, or is flagged."""
    rules = form.rules
    material = _material(form, contributions)
    if rules.near.judge:
        return material.report(form, rules, judging.judged(material.found, answer), {})
    judged = judging.unjudged(material.found, rules.near)
    conflicts, verdicts = ruling(answer, rules.open(judged.groups), rules.conflicts)
    return material.report(form, replace(rules, conflicts=conflicts), judged, verdicts)


@dataclass(frozen=True, slots=True)
class _Material:
    found: Found
    by_agent: Mapping[str, int]
    malformed: int

    def report(self, form: Form, rules: Rules, judged: Judged, verdicts: Verdicts) -> Merging:
        ranked = (_ranked(group, rules, verdicts, len(self.by_agent)) for group in judged.groups)
        return form.report(_sorted(ranked, rules, judged), len(judged.groups), self.by_agent, self.malformed)


def _material(form: Form, contributions: Sequence[Contribution]) -> _Material:
    entries, counts, malformed = form.read(contributions)
    by_agent = {one.source.agent: counts[one.source.agent] for one in contributions}
    return _Material(form.rules.groups(entries), by_agent, malformed)


def _sorted(every: Iterable[Ranked], rules: Rules, judged: Judged) -> Sorted:
    kept: list[Ranked] = []
    dropped: dict[str, list[Ranked]] = {"min_confidence": [], "min_votes": []}
    settled: Counter[str] = Counter()
    for one in every:
        settled.update(conflict["by"] for conflict in one.conflicts)
        if one.confidence < rules.min_confidence:
            dropped["min_confidence"].append(one)
        elif one.votes < rules.min_votes:
            dropped["min_votes"].append(one)
        else:
            kept.append(one)
    for ranked in (kept, *dropped.values()):
        ranked.sort(key=lambda one: one.order)
    return Sorted(kept, dropped, dict(sorted(settled.items())), judged.told)


def _ranked(group: Group, rules: Rules, verdicts: Verdicts, agents: int) -> Ranked:
    severity = min(entry.severity for entry in group.entries)
    decided: dict[str, Json] = {}
    conflicts = []
    if severity < len(rules.severities):
        decided[rules.severity] = rules.severities[severity]
    for contradiction in contradictions(group.entries, (rules.severity, *rules.claims)):
        claim, by = contradiction.decide(rules.conflicts, verdicts.get((group.key, contradiction.field)))
        if claim:
            decided[contradiction.field] = claim.value
        if by != "worst":
            claims = [one.as_json() for one in contradiction.claims]
            conflicts.append({"field": contradiction.field, "claims": claims, "by": by})
    severity = _place(decided.get(rules.severity), rules.severities)
    confidence = max(entry.confidence for entry in group.entries)
    score, because = _score(severity, confidence, len(group.agents), agents, rules)
    return Ranked(group, severity, confidence, decided, conflicts, score, because, rules.ties)


def _place(severity: Json, severities: Sequence[str]) -> int:
    return severities.index(severity) if severity in severities else len(severities)


def _score(severity: int, confidence: float, votes: int, agents: int, rules: Rules) -> tuple[float | None, str]:
    """Return the score from 0 to 100, where the plan has weights, and the reasons for the rank in words."""
    known = severity < len(rules.severities)
    reasons = [
        f"severity {rules.severities[severity]}" if known else "no severity",
        f"{votes} of {agents} agents",
        f"confidence {confidence:g}",
    ]
    if not rules.weights:
        return None, ", ".join(reasons)
    shares: Mapping[Weighed, float] = {
        "severity": 1 - severity / max(len(rules.severities), 1),
        "agreement": votes / agents,
        "confidence": confidence / 100,
    }
    weighed = [(rules.weights.get(name, 0), share) for name, share in shares.items()]
    score = round(100 * sum(weight * share for weight, share in weighed) / sum(weight for weight, _ in weighed), 3)
    told = [f"{reason} ({share:.2f} x {weight:g})" for reason, (weight, share) in zip(reasons, weighed, strict=True)]
    return score, f"score {score:g}: {', '.join(told)}"

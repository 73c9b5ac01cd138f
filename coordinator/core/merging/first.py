"""`first`: the whole answer of the first branch, in plan order, that brought one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coordinator.core.merging.contribution import (
    Contribution,
    MergedArtifact,
    Merging,
    Source,
    answers_of,
    with_source,
)
from coordinator.core.model import Part

Answered = Sequence[tuple[Source, Part]]


@dataclass(frozen=True, slots=True)
class First:
    """Order in the plan is the order of preference; who was fastest makes no difference."""

    name: str = "result"  #: name of the merged artifact

    def __call__(self, contributions: Sequence[Contribution]) -> Merging:
        """Return the parts of that answer untouched; of nothing at all an empty text."""
        answers = answers_of(contributions)
        return chosen(self.name, answers[0] if answers else (), len(answers), "the first in plan order")


def chosen(name: str, answer: Answered, count: int, reason: str) -> Merging:
    """Return one whole answer of *count* as the result, with whose it is and why."""
    parts = tuple(with_source(part, source) for source, part in answer) or (Part("text", "", "text/plain"),)
    summary: dict[str, str | int] = {"answers": count}
    description = ""
    if answer:
        source = answer[0][0]
        summary |= {"agent": source.agent, "branch": source.branch}
        description = f"The answer of {source.agent}: {reason} of {count}."
    return Merging(MergedArtifact(name, parts, description), summary)

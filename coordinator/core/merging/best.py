"""`best`: the whole answer of the branch that states the highest confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from coordinator.core.merging.contribution import Contribution, Merging, answers_of
from coordinator.core.merging.fields import check_path, number_at
from coordinator.core.merging.first import Answered, chosen


@dataclass(frozen=True, slots=True)
class Best:
    """Among equals the first in plan order; who states no confidence comes after all who do."""

    confidence: str = "confidence"  #: dotted path of a number in a data part
    name: str = "result"  #: name of the merged artifact

    def __post_init__(self) -> None:
        """Raise `ValueError` for options that mean nothing."""
        check_path("confidence", self.confidence)

    def __call__(self, contributions: Sequence[Contribution]) -> Merging:
        """Return the parts of that answer untouched; the summary says how sure it was."""
        answers = answers_of(contributions)
        stated = [confidence_of(answer, self.confidence) for answer in answers]
        sure = [number for number in stated if number is not None]
        if not sure:
            nobody = f"nobody states {self.confidence}, so the first in plan order"
            return chosen(self.name, answers[0] if answers else (), len(answers), nobody)
        highest = max(sure)
        reason = f"{self.confidence} {highest:g}, the highest"
        merging = chosen(self.name, answers[stated.index(highest)], len(answers), reason)
        return replace(merging, summary={**merging.summary, "confidence": highest})


def confidence_of(answer: Answered, path: str) -> float | None:
    """Return the highest number at *path* in the data parts of an answer."""
    numbers = [number_at(part.content, path) for _, part in answer if part.kind == "data"]
    return max((number for number in numbers if number is not None), default=None)

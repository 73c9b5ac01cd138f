"""How long agents took lately, so that a branch timeout can follow them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import quantiles

from coordinator.core.model import Observed

KEPT = 200
FEWEST = 20


@dataclass(slots=True)
class RunTimes:
    """The latest successful run times of every agent, in seconds, as this process has seen them."""

    _seen: dict[str, deque[float]] = field(default_factory=dict)

    def note(self, agent: str, seconds: float) -> None:
        """Take one more run time in."""
        self._seen.setdefault(agent, deque(maxlen=KEPT)).append(seconds)

    def timeout_s(self, agent: str, rule: Observed) -> float:
        """Return the branch timeout *rule* means for *agent*; its upper bound until enough was seen."""
        seen = self._seen.get(agent, ())
        if len(seen) < FEWEST:
            return rule.at_most_s
        return min(rule.at_most_s, max(rule.at_least_s, rule.times * _p95(seen)))


def _p95(seconds: Iterable[float]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1]

"""How the answers of several agents become one.

A strategy is a frozen dataclass whose fields are its options and whose call turns the
contributions, in plan order, into artifacts. It is pure: the same contributions give the same
bytes. To add one, write a file like `concat.py` and a row below.
"""

from __future__ import annotations

from collections.abc import Mapping

from coordinator.core.merging.by_agent import ByAgent
from coordinator.core.merging.concat import Concat
from coordinator.core.merging.contribution import Contribution, MergedArtifact, Merging, Source, Strategy
from coordinator.core.merging.findings import Findings

STRATEGIES: Mapping[str, type[Strategy]] = {
    "concat": Concat,
    "by_agent": ByAgent,
    "findings": Findings,
}

__all__ = [
    "STRATEGIES",
    "ByAgent",
    "Concat",
    "Contribution",
    "Findings",
    "MergedArtifact",
    "Merging",
    "Source",
    "Strategy",
]

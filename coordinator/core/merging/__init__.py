"""How the answers of several agents become one.

A strategy is a frozen dataclass whose fields are its options and whose call turns the
contributions, in plan order, into artifacts. It is pure: the same contributions give the same
bytes. To add one, write a file like `concat.py` and a row below.
"""

from __future__ import annotations

from collections.abc import Mapping

from coordinator.core.merging.best import Best
from coordinator.core.merging.by_agent import ByAgent
from coordinator.core.merging.concat import Concat
from coordinator.core.merging.conflicts import asks
from coordinator.core.merging.contribution import (
    Answer,
    Ask,
    Asking,
    Contribution,
    Decision,
    MergedArtifact,
    Merging,
    Question,
    Source,
    Strategy,
)
from coordinator.core.merging.findings import Findings
from coordinator.core.merging.first import First
from coordinator.core.merging.items import Items
from coordinator.core.merging.json_merge import JsonMerge
from coordinator.core.merging.synthesize import Synthesize
from coordinator.core.merging.usage import usage_summary
from coordinator.core.merging.vote import Vote

STRATEGIES: Mapping[str, type[Strategy]] = {
    "concat": Concat,
    "by_agent": ByAgent,
    "first": First,
    "best": Best,
    "vote": Vote,
    "json": JsonMerge,
    "items": Items,
    "findings": Findings,
    "synthesize": Synthesize,
}

__all__ = [
    "STRATEGIES",
    "Answer",
    "Ask",
    "Asking",
    "Best",
    "ByAgent",
    "Concat",
    "Contribution",
    "Decision",
    "Findings",
    "First",
    "Items",
    "JsonMerge",
    "MergedArtifact",
    "Merging",
    "Question",
    "Source",
    "Strategy",
    "Synthesize",
    "Vote",
    "asks",
    "usage_summary",
]

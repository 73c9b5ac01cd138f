"""Findings that count how often they are read, hashed and compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Effort:
    """The work a merge has done, in steps that do not depend on the machine."""

    reads: int = 0
    hashes: int = 0
    comparisons: int = 0


def counted(finding: dict[str, Any], effort: Effort) -> dict[str, Any]:
    """Return *finding* with an eye on it; its path counts hashes and comparisons."""

    class Path(str):
        __slots__ = ()

        def __hash__(self) -> int:
            effort.hashes += 1
            return str.__hash__(self)

        def __eq__(self, other: object) -> bool:
            effort.comparisons += 1
            return str.__eq__(self, other)

        def __lt__(self, other: str) -> bool:
            effort.comparisons += 1
            return str.__lt__(self, other)

    class Watched(dict):
        def __getitem__(self, name: str) -> Any:
            effort.reads += 1
            return super().__getitem__(name)

    return Watched(finding | {"path": Path(finding["path"])})

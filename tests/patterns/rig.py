"""The patterns that ship, each behind a coordinator of its own: one line starts one with its agents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from coordinator import testing
from coordinator.config import PLANS
from coordinator.testing import Behaviour, Fleet, Specialist, answers
from tests.planning.making import Document
from tests.policies.rig import Coordinator, coordinating

PATTERNS = PLANS / "patterns"
FIVE = tuple(f"worker-{number}" for number in range(1, 6))
STUCK = Behaviour(never_ends=True)
FAILED = Behaviour(end="failed", end_text="out of ideas")


def shipped(name: str) -> Document:
    """Return a pattern's plan as it ships."""
    document: Document = yaml.safe_load((PATTERNS / f"{name}.yaml").read_text(encoding="utf-8"))
    return document


@asynccontextmanager
async def pattern(
    folder: Path, name: str, staff: Iterable[Specialist | str]
) -> AsyncIterator[tuple[Fleet, Coordinator]]:
    """Serve *staff*, and a coordinator that knows the plan *name* and nothing else."""
    async with testing.fleet(staff) as fleet, coordinating(folder, fleet, shipped(name)) as coordinator:
        yield fleet, coordinator


def says(name: str, words: str = "", *, skill: str = "work", **behaviour: Any) -> Specialist:
    """Return an agent that answers with a text, by default its name."""
    return Specialist(name, Behaviour(artifacts=(answers.text(words or name),), **behaviour), skills=(skill,))


def brings(name: str, document: Document, *, skill: str = "work") -> Specialist:
    """Return an agent that answers with a data part."""
    return Specialist(name, Behaviour(artifacts=(answers.data(document),)), skills=(skill,))


def held(names: Iterable[str]) -> list[Specialist]:
    """Return agents that answer with their names when they are released."""
    return [says(name, holds=("end",)) for name in names]


def finds(name: str, *items: Document) -> Specialist:
    """Return a checker that answers with these items."""
    return brings(name, {"items": list(items)}, skill="check")

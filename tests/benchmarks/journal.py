"""What durability costs: the same fan-out with the journal in SQLite and in memory.

The specialists answer at once, so there is nothing to hide the writing behind.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from coordinator.outbound import shared_http_client
from coordinator.testing import Specialist, crowd, fleet_process
from tests.benchmarks.report import Figure, median_of
from tests.benchmarks.rig import PATIENCE_S, coordinator

BRANCHES = 20


async def run(*, quick: bool) -> list[Figure]:
    """Return wall times with either journal, and their ratio."""
    rounds = 10 if quick else 60
    memory: list[float] = []
    sqlite: list[float] = []
    async with fleet_process(crowd(BRANCHES, Specialist("worker"))) as fleet, shared_http_client(PATIENCE_S) as http:
        with tempfile.TemporaryDirectory() as folder:
            agents = await fleet.write_cards(Path(folder) / "cards")
            async with (
                coordinator(Path(folder) / "memory", agents, http, db="memory") as forgetting,
                coordinator(Path(folder) / "sqlite", agents, http) as durable,
            ):
                for number in range(rounds + 2):
                    turn = (await forgetting.round()).wall_s, (await durable.round()).wall_s
                    if number >= 2:  # the first ones warm up
                        memory.append(turn[0])
                        sqlite.append(turn[1])
    ratios = [b / a for a, b in zip(memory, sqlite, strict=True)]
    return [
        median_of("journal", f"{BRANCHES} instant branches, memory", [wall * 1000 for wall in memory], "ms"),
        median_of("journal", "the same, SQLite", [wall * 1000 for wall in sqlite], "ms"),
        median_of("journal", "SQLite / memory", ratios, "", "<= 2.0"),
    ]

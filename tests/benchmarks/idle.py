"""What a coordinator costs that has nothing to do: memory, and processor time in a quiet while."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from coordinator.outbound import shared_http_client
from coordinator.testing import Specialist, fleet_process
from tests.benchmarks.report import Figure
from tests.benchmarks.rig import PATIENCE_S, coordinator, cpu_of


async def run(*, quick: bool) -> list[Figure]:
    """Return resident memory after one task, and processor time a minute."""
    watched_s = 5.0 if quick else 20.0
    async with fleet_process([Specialist("worker")]) as fleet, shared_http_client(PATIENCE_S) as http:
        with tempfile.TemporaryDirectory() as folder:
            agents = await fleet.write_cards(Path(folder) / "cards")
            async with coordinator(Path(folder) / "a", agents, http) as resting:
                await resting.round()
                before = cpu_of(resting.process)
                await asyncio.sleep(watched_s)
                spent = cpu_of(resting.process) - before
                memory = resting.process.memory_info().rss / 2**20
    return [
        Figure("idle", "resident memory", memory, "MiB"),
        Figure("idle", "CPU a minute", spent / watched_s * 60 * 1000, "ms"),
    ]

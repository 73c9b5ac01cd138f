"""What branches cost that only wait: many open at once in one process, each on a stream of its own.

Every size gets a fresh coordinator. The agents accept and then say nothing.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from a2a.client import Client, ClientCallContext

from coordinator.outbound import shared_http_client
from coordinator.testing import Behaviour, Specialist, crowd, fleet_process
from tests.benchmarks.report import Figure
from tests.benchmarks.rig import PATIENCE_S, PLAN, Coordinator, coordinator, cpu_of, request_of

AGENTS, BRANCHES_A_TASK = 50, 250
SIZES = (1250, 2500, 5000)
SPLIT = PLAN.replace("to: {skill: work}", "to: {skill: work}, split: {items: lines, batch: 1}")
CAPS = {"max_branches": max(SIZES), "agent_concurrency": max(SIZES) // AGENTS}


async def run(*, quick: bool) -> list[Figure]:
    """Return memory and processor time by the number of open branches."""
    figures: list[Figure] = []
    for size in SIZES[:2] if quick else SIZES:
        figures += await _at(size, watched_s=5.0 if quick else 20.0)
    return figures


async def _at(size: int, *, watched_s: float) -> list[Figure]:
    specialists = crowd(AGENTS, Specialist("silent", Behaviour(never_ends=True)))
    async with fleet_process(specialists) as fleet, shared_http_client(PATIENCE_S) as http:
        with tempfile.TemporaryDirectory() as folder:
            agents = await fleet.write_cards(Path(folder) / "cards")
            async with coordinator(Path(folder) / "a", agents, http, plan=SPLIT, **CAPS) as holding:
                empty_mb, empty_s = _memory_mb(holding), cpu_of(holding.process)
                for _ in range(size // BRANCHES_A_TASK):
                    await _send(holding.client)
                await fleet.until("open", size, timeout_s=60.0)
                await asyncio.sleep(2.0)  # the last acceptances are on their way to the journal
                opened_s, open_mb = cpu_of(holding.process), _memory_mb(holding)
                await asyncio.sleep(watched_s)
                waiting_s = cpu_of(holding.process) - opened_s
    return [
        Figure("open", f"{size} branches open: memory", open_mb, "MiB"),
        Figure("open", f"{size} branches open: memory a branch", (open_mb - empty_mb) / size * 1024, "KiB"),
        Figure("open", f"{size} branches: CPU to open one", (opened_s - empty_s) / size * 1000, "ms"),
        Figure("open", f"{size} branches open: CPU a minute", waiting_s / watched_s * 60, "s"),
    ]


async def _send(client: Client) -> None:
    lines = "\n".join(f"item {number}" for number in range(BRANCHES_A_TASK))
    request = request_of(lines, return_immediately=True)
    async for _ in client.send_message(request, context=ClientCallContext(timeout=PATIENCE_S)):
        pass


def _memory_mb(holding: Coordinator) -> float:
    return float(holding.process.memory_info().rss) / 2**20

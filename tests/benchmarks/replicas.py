"""What replicas bring and what PostgreSQL costs: fan-outs of instant branches, so that nothing but work is waited for.

On one machine replicas share its cores: what a second one brings there is little, and says how much of the work is
the coordinators' own. PostgreSQL is a server that is started for this, its files in memory where there is room.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from coordinator.outbound import shared_http_client
from coordinator.testing import Specialist, crowd, fleet_process
from tests import postgres
from tests.benchmarks.report import Figure, median_of
from tests.benchmarks.rig import PATIENCE_S, Coordinator, coordinator

BRANCHES = 20
AT_ONCE = 12
REPLICAS = (1, 2, 3)


async def run(*, quick: bool) -> list[Figure]:
    """Return the wall time of one fan-out, the throughput of many, and their ratios."""
    rounds = 3 if quick else 15
    async with fleet_process(crowd(BRANCHES, Specialist("worker"))) as fleet, shared_http_client(PATIENCE_S) as http:
        with tempfile.TemporaryDirectory() as folder, postgres.own() as server:
            place = Path(folder)
            agents = await fleet.write_cards(place / "cards")
            alone, many = await _measured(place / "memory", agents, http, ["memory"], rounds)
            walls, rates = {0: alone}, {0: many}
            for replicas in REPLICAS:
                with server.database() as url:
                    on = place / f"postgres-{replicas}"
                    walls[replicas], rates[replicas] = await _measured(on, agents, http, [url] * replicas, rounds)
    return [*_walls(walls[0], walls[1]), *_rates(rates)]


def _walls(memory: Sequence[float], database: Sequence[float]) -> list[Figure]:
    what = f"{BRANCHES} instant branches"
    return [
        median_of("replicas", f"{what}, in memory: wall", memory, "s"),
        median_of("replicas", f"{what}, on PostgreSQL: wall", database, "s"),
        Figure(
            "replicas", "the cost of PostgreSQL: ratio", statistics.median(database) / statistics.median(memory), ""
        ),
    ]


def _rates(rates: dict[int, list[float]]) -> list[Figure]:
    one = statistics.median(rates[1])
    figures = [median_of("replicas", f"{AT_ONCE} such tasks at once, in memory", rates[0], "tasks/s")]
    for replicas in REPLICAS:
        what = f"{AT_ONCE} such tasks at once, {replicas} on PostgreSQL"
        figures.append(median_of("replicas", what, rates[replicas], "tasks/s"))
        if replicas > 1:
            ratio = statistics.median(rates[replicas]) / one
            figures.append(Figure("replicas", f"{replicas} replicas against one: ratio", ratio, ""))
    return figures


async def _measured(
    place: Path, agents: Path, http: httpx.AsyncClient, databases: Sequence[str], rounds: int
) -> tuple[list[float], list[float]]:
    """Return the seconds of single tasks, and how many tasks a second came through at once."""
    async with AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(coordinator(Path(f"{place}-{number}"), agents, http, db=db))
            for number, db in enumerate(databases)
        ]
        await _at_once(running)  # warms up
        walls = [(await running[0].round()).wall_s for _ in range(rounds)]
        rates = [AT_ONCE / await _at_once(running) for _ in range(rounds)]
    return walls, rates


async def _at_once(running: Sequence[Coordinator]) -> float:
    """Send tasks to all in turn, and return the seconds until the last is completed."""
    before = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(AT_ONCE):
            group.create_task(running[number % len(running)].round())
    return time.perf_counter() - before

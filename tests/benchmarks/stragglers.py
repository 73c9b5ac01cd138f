"""How soon "enough" is enough: a hundred agents of 1 s, five of which take 30 s, and 95 answers wanted."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from a2a.client import Client

from coordinator.outbound import shared_http_client
from coordinator.testing import Behaviour, Specialist, crowd, fleet_process
from coordinator.testing.process import RemoteFleet
from tests.benchmarks.report import Figure, median_of
from tests.benchmarks.rig import PATIENCE_S, PLAN, cards, client_of, completed, coordinator, measured

QUICK, SLOW = 95, 5
ENOUGH = PLAN + "    barrier: {release: enough, need: 0.95}\n"


async def run(*, quick: bool) -> list[Figure]:
    """Return when the 95th agent has answered a bare client, when the coordinator has answered, and the ratio."""
    bare, ours, canceled = await _rounds(3 if quick else 10)
    return [
        median_of("stragglers", f"the {QUICK}th of {QUICK + SLOW} agents, bare client", bare, "s"),
        median_of("stragglers", "enough (0.95) through the coordinator", ours, "s"),
        median_of("stragglers", "ratio", [b / a for a, b in zip(bare, ours, strict=True)], "", "<= 1.15"),
        median_of("stragglers", "stragglers canceled at their agents, a round", canceled, "", str(SLOW)),
    ]


async def _rounds(rounds: int) -> tuple[list[float], list[float], list[float]]:
    told: tuple[list[float], list[float], list[float]] = ([], [], [])
    specialists = crowd(QUICK, Specialist("quick", Behaviour(work_s=1.0)))
    specialists += crowd(SLOW, Specialist("slow", Behaviour(work_s=30.0)))
    async with fleet_process(specialists) as fleet, shared_http_client(PATIENCE_S) as http:
        with tempfile.TemporaryDirectory() as folder:
            agents = await fleet.write_cards(Path(folder) / "cards")
            urls = [f"{fleet.url}/{specialist.name}/" for specialist in specialists[:QUICK]]
            clients = [client_of(card, http) for card in await cards(urls, http)]
            async with coordinator(Path(folder) / "a", agents, http, plan=ENOUGH) as enough:
                for number in range(rounds + 1):
                    before = (await fleet.counts())["cancels"]
                    turn = await _bare(clients), (await enough.round()).wall_s, await _canceled(fleet, before)
                    for kept, figure in zip(told, turn, strict=True):
                        if number:  # the first one warms up
                            kept.append(figure)
    return told


async def _canceled(fleet: RemoteFleet, before: int) -> float:
    """Return how many tasks were canceled since, once nobody works any more."""
    await fleet.until("cancels", before + SLOW)
    return float((await fleet.counts())["cancels"] - before)


async def _bare(clients: Sequence[Client]) -> float:
    async def everyone() -> None:
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(completed(client))

    return (await measured(everyone, time.process_time)).wall_s

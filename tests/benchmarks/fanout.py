"""What coordinating costs: a fan-out through the coordinator against the same sends by a bare client.

Both use the SDK's client over the same transport, stream, and talk to the same specialists, which are
processes of their own. The coordinator has its default journal; its client waits on a blocking send over
a socket. Rounds take turns, so that whatever else the machine does hits both.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from a2a.client import Client

from coordinator.outbound import shared_http_client
from coordinator.testing import Behaviour, Specialist, crowd, fleet_process
from tests.benchmarks.report import Figure, median_of
from tests.benchmarks.rig import PATIENCE_S, Cost, cards, client_of, completed, coordinator, measured

BRANCHES = 100
WORK = Behaviour(work_s=1.0, steps=("half way",))


async def run(*, quick: bool) -> list[Figure]:
    """Return wall and processor time of both, and their ratios."""
    rounds = 3 if quick else 15
    bare, ours, streamed = await _rounds(rounds)
    figures = [
        median_of("fanout", f"{BRANCHES} branches of 1 s, bare client: wall", [it.wall_s for it in bare], "s"),
        median_of("fanout", "the same through the coordinator: wall", [it.wall_s for it in ours], "s"),
        _ratio("wall ratio", [it.wall_s for it in bare], [it.wall_s for it in ours], "<= 1.12"),
        _ratio("wall ratio, client streams", [it.wall_s for it in bare], [it.wall_s for it in streamed], "<= 1.12"),
    ]
    # Processor time adds up, and the kernel tells it in steps of 10 ms: the mean says more than the median.
    mine, theirs, with_stream = (_cpu_ms(costs) for costs in (bare, ours, streamed))
    return [
        *figures,
        Figure("fanout", "bare client: CPU a branch", mine, "ms", samples=rounds),
        Figure("fanout", "coordinator: CPU a branch", theirs, "ms", samples=rounds),
        Figure("fanout", "coordinator, client streams: CPU a branch", with_stream, "ms", samples=rounds),
        Figure("fanout", "CPU ratio", theirs / mine, "", samples=rounds),
    ]


async def _rounds(rounds: int) -> tuple[list[Cost], list[Cost], list[Cost]]:
    costs: tuple[list[Cost], list[Cost], list[Cost]] = ([], [], [])
    specialists = crowd(BRANCHES, Specialist("worker", WORK))
    async with fleet_process(specialists) as fleet, shared_http_client(PATIENCE_S) as http:
        with tempfile.TemporaryDirectory() as folder:
            agents = await fleet.write_cards(Path(folder) / "cards")
            clients = [client_of(card, http) for card in await cards(_urls(fleet.url, specialists), http)]
            async with (
                coordinator(Path(folder) / "a", agents, http) as blocking,
                coordinator(Path(folder) / "b", agents, http, streaming=True) as streaming,
            ):
                for number in range(rounds + 1):
                    turn = (await _bare(clients), await blocking.round(), await streaming.round())
                    for kept, cost in zip(costs, turn, strict=True):
                        if number:  # the first one warms up
                            kept.append(cost)
    return costs


def _urls(base: str, specialists: Sequence[Specialist]) -> list[str]:
    return [f"{base}/{specialist.name}/" for specialist in specialists]


async def _bare(clients: Sequence[Client]) -> Cost:
    async def everyone() -> None:
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(completed(client))

    return await measured(everyone, time.process_time)


def _ratio(what: str, bare: Sequence[float], ours: Sequence[float], target: str) -> Figure:
    """Return the median of the ratios within each round."""
    return median_of("fanout", what, [b / a for a, b in zip(bare, ours, strict=True)], "", target)


def _cpu_ms(costs: Sequence[Cost]) -> float:
    return sum(cost.cpu_s for cost in costs) / len(costs) / BRANCHES * 1000

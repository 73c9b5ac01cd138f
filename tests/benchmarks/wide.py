"""Whether a wide fan-out costs more a branch than a narrow one: 1,000 branches against 100, under the same caps.

The agents answer at once, so that nothing but processor time is left.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from coordinator.outbound import shared_http_client
from coordinator.testing import Specialist, crowd, fleet_process
from tests.benchmarks.report import Figure, median_of
from tests.benchmarks.rig import PATIENCE_S, PLAN, Cost, coordinator

AGENTS, NARROW, WIDE = 100, 100, 1000
SPLIT = PLAN.replace("to: {skill: work}", "to: {skill: work}, split: {items: lines, batch: 1}")
CAPS = {"max_branches": 50, "agent_concurrency": 5}


async def run(*, quick: bool) -> list[Figure]:
    """Return processor time a branch of both, their ratio, and what was open at once."""
    rounds = 2 if quick else 6
    narrow: list[Cost] = []
    wide: list[Cost] = []
    async with fleet_process(crowd(AGENTS, Specialist("worker"))) as fleet, shared_http_client(PATIENCE_S) as http:
        with tempfile.TemporaryDirectory() as folder:
            agents = await fleet.write_cards(Path(folder) / "cards")
            async with coordinator(Path(folder) / "a", agents, http, plan=SPLIT, **CAPS) as capped:
                for number in range(rounds + 1):
                    # Ten narrow ones: the kernel tells processor time in steps of 10 ms.
                    turn = [await capped.round(_lines(NARROW)) for _ in range(10)], await capped.round(_lines(WIDE))
                    if number:  # the first one warms up
                        narrow += turn[0]
                        wide.append(turn[1])
        counts = await fleet.counts()
    few, many = _cpu_ms(narrow, NARROW), _cpu_ms(wide, WIDE)
    return [
        Figure("wide", f"CPU a branch, {NARROW} branches", few, "ms", samples=len(narrow)),
        Figure("wide", f"CPU a branch, {WIDE} branches", many, "ms", samples=len(wide)),
        Figure("wide", "ratio", many / few, "", "<= 1.3", samples=rounds),
        median_of("wide", f"{WIDE} branches: wall", [it.wall_s for it in wide], "s"),
        Figure("wide", "most open at once, cap 50", float(counts["most_open"]), "", "<= 50"),
    ]


def _lines(count: int) -> str:
    return "\n".join(f"item {number}" for number in range(count))


def _cpu_ms(costs: list[Cost], branches: int) -> float:
    return sum(it.cpu_s for it in costs) / len(costs) / branches * 1000

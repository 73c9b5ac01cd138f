"""Kill the coordinator again and again: `python -m tests.chaos --rounds 200 --seed 1 [--at-least 5] [--json]`.

With `--postgres --replicas 3` there are so many at once, on one database, and more befalls them: see replicas.py.
With `--upgrade-from REV` besides, they begin as that revision of this repository, and in each round one after the
other is replaced by the program of this folder.

Every round has ten coordinations of different plans under way, and one to three processes that die: at a
fault point, the one that was hit least so far, or at any moment. Then everything has to be as if nothing
had happened. Rounds go on, up to twice as many, until every point was hit often enough.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from coordinator.testing import fleet_process
from tests.chaos.points import POINTS
from tests.chaos.process import nursery
from tests.chaos.replicas import ReplicaTally, faults_of, replica_rig, round_on, undisturbed_on, upgrade_of
from tests.chaos.report import as_json, as_table, replicas_as_json, replicas_as_table
from tests.chaos.revisions import exported
from tests.chaos.rounds import Rig, Tally, planned, round_of, undisturbed
from tests.chaos.work import SPECIALISTS, write_plans


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds and print what came of them; 1 when anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill the coordinator again and again.")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-least", type=int, default=0, metavar="N", help="hits of every fault point")
    parser.add_argument("--postgres", action="store_true", help="replicas on PostgreSQL, instead of one on a file")
    parser.add_argument("--replicas", type=int, default=2, metavar="N", help="how many, with --postgres")
    parser.add_argument("--upgrade-from", metavar="REV", help="roll replicas from that git revision to this version")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    if options.upgrade_from and not options.postgres:
        parser.error("--upgrade-from goes with --postgres: one process alone has nobody to go on meanwhile")
    return _over_replicas(options) if options.postgres else _over_one(options)


def _over_one(options: argparse.Namespace) -> int:
    began = time.monotonic()
    tally = asyncio.run(_chaos(options.rounds, options.seed, options.at_least))
    spent_s = time.monotonic() - began
    sys.stdout.write((as_json if options.json else as_table)(tally, options.seed, spent_s) + "\n")
    is_enough = all(tally.hits[point] >= options.at_least for point in POINTS)
    return 0 if is_enough and not tally.complaints else 1


def _over_replicas(options: argparse.Namespace) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        older = exported(options.upgrade_from, Path(folder)) if options.upgrade_from else None
        tally = asyncio.run(_replica_chaos(options.replicas, options.rounds, options.seed, older))
    spent_s = time.monotonic() - began
    told = (replicas_as_json if options.json else replicas_as_table)(tally, options.seed, spent_s)
    sys.stdout.write(told + "\n")
    return 1 if tally.complaints else 0


async def _replica_chaos(replicas: int, rounds: int, seed: int, older: Path | None) -> ReplicaTally:
    rng, tally = random.Random(seed), ReplicaTally(replicas)
    with tempfile.TemporaryDirectory() as folder:
        async with replica_rig(Path(folder), replicas, older) as rig:
            expected = await undisturbed_on(rig, tally)
            while tally.rounds < rounds:
                faults = upgrade_of(rng, replicas) if older else faults_of(rng)
                wrong = await round_on(rig, faults, rng, tally, expected)
                line = f"round {tally.rounds} of {rounds}: {tally.faults.total()} faults, "
                sys.stderr.write(f"{line}{len(tally.complaints)} complaints\n")
                sys.stderr.write("".join(f"  {complaint}\n" for complaint in wrong))
                sys.stderr.flush()
    return tally


@asynccontextmanager
async def rigged(folder: Path) -> AsyncIterator[Rig]:
    """Start what all rounds share."""
    async with fleet_process(SPECIALISTS) as fleet, httpx.AsyncClient(timeout=30.0) as http, nursery() as forks:
        cards = await fleet.write_cards(folder / "cards")
        plans = write_plans(folder / "plans")
        settings = {"agents": [str(cards)], "plans": [str(plans)], "default_plan": "settled"}
        yield Rig(forks, fleet, http, folder, settings)


async def _chaos(rounds: int, seed: int, at_least: int) -> Tally:
    rng, tally = random.Random(seed), Tally()
    with tempfile.TemporaryDirectory() as folder:
        async with rigged(Path(folder)) as rig:
            expected = await undisturbed(rig)
            while tally.rounds < rounds or _is_short(tally, rounds, at_least):
                wrong = await round_of(rig, planned(tally.rarest(rng), rng), rng, tally, expected)
                _tell(tally, rounds, wrong)
    return tally


def _is_short(tally: Tally, rounds: int, at_least: int) -> bool:
    return tally.rounds < 2 * rounds and any(tally.hits[point] < at_least for point in POINTS)


def _tell(tally: Tally, rounds: int, wrong: Sequence[str]) -> None:
    hit = sum(tally.hits.values())
    reached = sum(1 for point in POINTS if tally.hits[point])
    line = f"round {tally.rounds} of {rounds}: {hit} kills at {reached} of {len(POINTS)} points, "
    sys.stderr.write(f"{line}{tally.random_kills} at any moment, {len(tally.complaints)} complaints\n")
    for complaint in wrong:
        sys.stderr.write(f"  {json.dumps(complaint)}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())

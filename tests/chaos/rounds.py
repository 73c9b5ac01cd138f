"""One round: several coordinations under way, and the process that drives them killed again and again."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from coordinator.testing import RemoteFleet
from tests.chaos.client import Client
from tests.chaos.points import POINTS, Fault
from tests.chaos.process import Nursery, Place, place_in, until
from tests.chaos.verdict import Json, complaints, doubled_unlisted, is_settled, phases, without_ids
from tests.chaos.work import PLANS

JOBS = tuple(PLANS)
ARMED_S = 6.0
"""How long we wait for an armed process to come to its point, before it is killed anyway."""

SETTLED_S = 60.0

USUAL: Mapping[str, int] = {
    "accept": 10, "claim": 10, "put": 2, "send": 20,
    "append:TurnStarted": 9, "append:AttemptStarted": 8, "append:TaskOpened": 8,
    "append:AttemptSucceeded": 8, "append:CancelSettled": 6, "cancel": 6, "append:Merged": 6, "list": 4, "get": 4,
    "subscribe": 4, "append:Progressed": 4, "append:TimePassed": 2, "append:AttemptFailed": 2,
}  # fmt: skip
"""How often a place is passed in a usual process; once if it is not listed."""

PREPARED: Mapping[str, str] = {"list": "send/after", "subscribe": "append:TaskOpened/after", "get": "send/after"}
"""Places that are passed after a crash only, and the fault that leads there."""


@dataclass(slots=True)
class Tally:
    """What has happened in all rounds together."""

    rounds: int = 0
    processes: int = 0
    hits: Counter[str] = field(default_factory=Counter)  #: by fault point
    random_kills: int = 0
    phases: Counter[str] = field(default_factory=Counter)  #: of coordinations, at every death
    coordinations: int = 0
    repeated: int = 0  #: requests of clients that had to be sent again
    doubled_unlisted: int = 0  #: work done twice by those who list no tasks
    complaints: list[str] = field(default_factory=list)

    def rarest(self, rng: random.Random) -> str:
        """Return a fault point that was hit least."""
        least = min(self.hits[point] for point in POINTS)
        return rng.choice([point for point in POINTS if self.hits[point] == least])


@dataclass(frozen=True, slots=True)
class Rig:
    """What all rounds share."""

    nursery: Nursery
    fleet: RemoteFleet
    http: httpx.AsyncClient
    folder: Path
    settings: Mapping[str, object]

    def place(self, name: str) -> Place:
        """Return a place for a coordinator that knows the fleet."""
        return place_in(self.folder / name, **self.settings)


def planned(point: str, rng: random.Random) -> list[Fault | None]:
    """Return the deaths of one round's processes, None for one at any moment; the last process lives."""
    place = point.partition("/")[0]
    deaths: list[Fault | None] = []
    if place in PREPARED:
        deaths.append(Fault(PREPARED[place], rng.randint(2, 9)))
    deaths.append(Fault(point, rng.randint(1, USUAL.get(place, 1))))
    return deaths + [None] * (rng.random() < 0.4)


async def undisturbed(rig: Rig) -> dict[str, str]:
    """Run every job in peace and return its artifacts, without ids. Raises `RuntimeError` when that fails."""
    place, tally = rig.place("undisturbed"), Tally()
    tasks = await disturbed(rig, place, [], random.Random(0), tally)
    if told := await _judged(rig, place, tasks, {}, tally):
        raise RuntimeError(f"in peace: {told}")
    return {plan: without_ids(task) for plan, task in tasks.items()}


async def round_of(
    rig: Rig, deaths: Sequence[Fault | None], rng: random.Random, tally: Tally, expected: Mapping[str, str]
) -> list[str]:
    """Run one round and return what was wrong with it."""
    tally.rounds += 1
    place = rig.place(f"round-{tally.rounds}")
    await rig.fleet.reset()
    try:
        tasks = await disturbed(rig, place, deaths, rng, tally)
    except TimeoutError:
        states = phases(place.database)
        found = [f"not settled after {SETTLED_S:g} s: {states}"]
        tally.complaints += found
        return found
    found = await _judged(rig, place, tasks, expected, tally)
    tally.complaints += [f"round {tally.rounds} ({', '.join(map(str, deaths))}): {complaint}" for complaint in found]
    return found


async def disturbed(
    rig: Rig, place: Place, deaths: Sequence[Fault | None], rng: random.Random, tally: Tally
) -> dict[str, Json]:
    """Let clients ask for every job while processes come and go; return the finished tasks by plan."""
    client = Client(place.url, rig.http)
    async with asyncio.timeout(SETTLED_S), asyncio.TaskGroup() as group:
        asking = {plan: group.create_task(asked(client, plan)) for plan in JOBS}
        for death in deaths:
            await _short_life(rig, place, death, rng, tally)
        last = await rig.nursery.start(place)
        tally.processes += 1
        await last.ready(rig.http)
        await until(lambda: _is_settled(place), SETTLED_S)
        # Who has not heard of the end yet has nobody to ask any more once it is stopped.
        await asyncio.wait(asking.values())
    code = await last.stop()
    if code:
        tally.complaints.append(f"a stop in good order ended with {code}")
    tally.coordinations += len(JOBS)
    tally.repeated += client.repeated
    return {plan: task.result() for plan, task in asking.items()}


async def asked(client: Client, plan: str) -> Json:
    """Ask for a job as its client would, and return the task once it is over."""
    task = await client.send(plan)
    if plan == "canceled":
        await asyncio.sleep(0.2)
        await client.cancel(task["id"])
    if plan == "asked":
        await client.answer(task["id"], "the red one")
    return await client.over(task["id"])


async def _short_life(rig: Rig, place: Place, death: Fault | None, rng: random.Random, tally: Tally) -> None:
    life = await rig.nursery.start(place, fault=str(death) if death else "")
    tally.processes += 1
    patience = ARMED_S if death else rng.uniform(0.05, 1.2)
    await until(lambda: life.ended.done() or _is_settled(place), patience)
    code = await life.kill()
    if death is not None and code == -signal.SIGKILL and not life.is_killed:
        tally.hits[death.point] += 1
    else:
        tally.random_kills += 1
    tally.phases.update(phases(place.database))


def _is_settled(place: Place) -> bool:
    try:
        return is_settled(place.database, len(JOBS))
    except sqlite3.OperationalError:  # there is no file yet, or no table
        return False


async def _judged(
    rig: Rig, place: Place, tasks: Mapping[str, Json], expected: Mapping[str, str], tally: Tally
) -> list[str]:
    counts = (await rig.fleet.http.get(f"{rig.fleet.url}/counts")).json()
    tally.doubled_unlisted += doubled_unlisted(counts)
    return complaints(tasks, expected, place.database, counts)

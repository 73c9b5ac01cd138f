"""Several coordinators on one PostgreSQL database; they die and freeze, are cut off, and the server restarts.

Each replica is started again whenever it dies, as its keeper would. Clients go to any of them. In the end everything
has to be as if nothing had happened, by the same verdict as for one coordinator on a file.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import httpx
import psycopg
from sqlalchemy import make_url

from coordinator.testing import RemoteFleet, fleet_process
from tests import postgres
from tests.chaos.client import Client
from tests.chaos.points import POINTS
from tests.chaos.process import Life, Nursery, Place, nursery, place_in
from tests.chaos.rounds import JOBS, asked
from tests.chaos.verdict import Json, complaints, coordinations, doubled_unlisted, phases, without_ids
from tests.chaos.work import SPECIALISTS, write_plans

FAULTS: Mapping[str, float] = {"kill": 0.4, "freeze": 0.25, "cut": 0.2, "restart": 0.15}
"""What can happen, and how often: kill -9 and SIGSTOP of a replica; all its connections, or all of PostgreSQL."""

ROLL = "roll"
"""What happens to each replica of an older version: it is stopped, and the newer one starts in its place."""

ARMED = 0.3
"""How many processes are started with a fault point at which they kill themselves."""

FROZEN_S = (5.5, 8.0)
"""Longer than a replica may be silent: others have taken over when it comes back."""

AWAY_S = (0.0, 1.0)
REQUEST_S = 3.0
SETTLED_S = 90.0
LOOK_S = 0.02
OVERTAKEN_S = 15.0

CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid = ANY(%s)"
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Stuck(Exception):
    """A round does not come to its end; the argument says how far it came."""


@dataclass(slots=True)
class ReplicaTally:
    """What has happened in all rounds together; times from a death to the next claim are in seconds."""

    replicas: int
    rounds: int = 0
    processes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)  #: of fault points
    taken_over: dict[str, list[float]] = field(default_factory=lambda: {"kill": [], "freeze": []})
    phases: Counter[str] = field(default_factory=Counter)
    coordinations: int = 0
    repeated: int = 0
    doubled_unlisted: int = 0
    complaints: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReplicaRig:
    """What all rounds share."""

    server: postgres.OwnPostgres
    template: str
    nurseries: Sequence[Nursery]
    successors: Sequence[Nursery]  #: of another version, to which the replicas are rolled; none: they are not
    fleet: RemoteFleet
    http: httpx.AsyncClient
    folder: Path
    settings: Mapping[str, Any]


@asynccontextmanager
async def replica_rig(folder: Path, replicas: int, older: Path | None = None) -> AsyncIterator[ReplicaRig]:
    """Start what all rounds share; with *older*, replicas begin as the program in that folder."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(postgres.own())
        fleet = await stack.enter_async_context(fleet_process(SPECIALISTS))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=REQUEST_S))
        trees = [older] * replicas + [None] * (replicas if older else 0)
        forks = [await stack.enter_async_context(nursery("coordinator.drivers.dbos", tree=tree)) for tree in trees]
        cards, plans = await fleet.write_cards(folder / "cards"), write_plans(folder / "plans")
        settings = {"agents": [str(cards)], "plans": [str(plans)], "default_plan": "settled"}
        url = stack.enter_context(server.database())
        beginning, following = forks[:replicas], forks[replicas:]
        rig = ReplicaRig(server, str(make_url(url).database), beginning, following, fleet, http, folder, settings)
        # The tables are made by the first that starts: once is enough for all rounds.
        life = await forks[0].start(place_in(folder / "first", db=url, **settings))
        await life.ready(http)
        await life.stop()
        yield rig


@dataclass(slots=True)
class Replica:
    """One of several, in whatever process."""

    place: Place
    nursery: Nursery
    successor: Nursery | None = None
    life: Life | None = None
    is_frozen: bool = False
    is_armed: bool = False

    @property
    def is_running(self) -> bool:
        """Whether it can be killed or frozen now."""
        return self.life is not None and not self.life.ended.done() and not self.is_frozen


@dataclass(slots=True)
class Round:
    """One round: the replicas, and what happens to them."""

    rig: ReplicaRig
    url: str
    replicas: Sequence[Replica]
    rng: random.Random
    tally: ReplicaTally
    is_over: bool = False

    async def keep(self, replica: Replica, *, is_armed: bool) -> None:
        """Start a replica, and again whenever it has died, until the round is over."""
        while not self.is_over:
            fault = f"{self.rng.choice(POINTS)}@{self.rng.randint(1, 5)}" if is_armed else ""
            replica.is_armed, is_armed, replica.life = is_armed, False, None
            replica.life = life = await replica.nursery.start(replica.place, fault)
            self.tally.processes += 1
            was_ready = await life.ready(self.rig.http)
            # Shielded: whoever is stopped here must not take the news from the others who wait for it.
            code = await asyncio.shield(life.ended)
            self._note(life, fault, code, was_ready=was_ready)
            if not self.is_over:
                await asyncio.sleep(self.rng.uniform(0.1, 2.0))

    def _note(self, life: Life, fault: str, code: int, *, was_ready: bool) -> None:
        if fault and code == -signal.SIGKILL and not life.is_killed:
            self.tally.hits[fault.partition("@")[0]] += 1
            self.tally.phases.update(phases(self.url))
        elif was_ready and not life.is_killed and (code or not (self.is_over or life.is_stopped)):
            self.tally.complaints.append(f"{life.place.folder.name} ended by itself with {code}")

    async def fault(self, name: str, group: asyncio.TaskGroup) -> None:
        """Let one thing happen; *group* holds what comes of it later."""
        running = [replica for replica in self.replicas if replica.is_running]
        if (name in {"kill", "freeze"} and not running) or (name == ROLL and not await self._roll()):
            return
        self.tally.faults[name] += 1
        if name == "kill":
            await self._kill(self.rng.choice(running))
        elif name == "freeze":
            await self._freeze(self.rng.choice(running), group)
        elif name == "cut":
            await self._cut()
        elif name == "restart":
            await asyncio.to_thread(self.rig.server.stop)
            await asyncio.sleep(self.rng.uniform(*AWAY_S))
            await asyncio.to_thread(self.rig.server.start)

    async def _roll(self) -> bool:
        """Put the newer version in the place of a replica of the older one; False when there is none left."""
        older = next((replica for replica in self.replicas if replica.successor is not None), None)
        if older is None or older.successor is None:
            return False
        older.nursery, older.successor = older.successor, None
        while older.life is None:  # noqa: ASYNC110 - one of the older version is being started at this moment
            await asyncio.sleep(LOOK_S)
        if not older.life.ended.done():
            await older.life.stop()
        return True

    async def _kill(self, victim: Replica) -> None:
        assert victim.life is not None
        began = asyncio.get_running_loop().time()
        await victim.life.kill()
        self.tally.phases.update(phases(self.url))
        await self._watch("kill", victim.life, began)

    async def _freeze(self, victim: Replica, group: asyncio.TaskGroup) -> None:
        assert victim.life is not None
        began, victim.is_frozen = asyncio.get_running_loop().time(), True
        victim.life.signal(signal.SIGSTOP)
        group.create_task(self._thaw(victim, victim.life))
        await self._watch("freeze", victim.life, began)

    async def _thaw(self, victim: Replica, life: Life) -> None:
        await asyncio.sleep(self.rng.uniform(*FROZEN_S))
        life.signal(signal.SIGCONT)
        victim.is_frozen = False

    async def _cut(self) -> None:
        """Cut all connections, or some: those of one replica cannot be told apart, and need not be."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            pids = [pid for (pid,) in connection.execute(BACKENDS)]
            most = len(pids) if self.rng.random() < 0.5 else len(pids) // 2
            connection.execute(CUT, [self.rng.sample(pids, most)])

    async def _watch(self, kind: str, life: Life, began: float) -> None:
        """Wait for the next driver of each coordination that *life* drove, and note how long that took."""
        executor = f"{life.place.settings['replica']}:{life.pid}:"
        # A process armed with another fault, or cut off a moment ago, may spoil the measurement: then there is none.
        with suppress(TimeoutError, psycopg.OperationalError):
            async with asyncio.timeout(OVERTAKEN_S), await _connected(self.url) as connection:
                driven = await _driven(connection, executor)
                while driven:
                    await asyncio.sleep(LOOK_S)
                    still = await _driven(connection, executor)
                    # What came to its end in the moment of the death is nobody's to take over.
                    taken = driven - still - await _over(connection)
                    now = asyncio.get_running_loop().time()
                    self.tally.taken_over[kind] += [now - began] * len(taken)
                    driven &= still

    async def settle(self, asking: Collection[asyncio.Task[Json]]) -> None:
        """Wait until everything is closed, clients know it and all replicas are there, and stop those in good order."""
        async with await _connected(self.url) as connection:
            await _until(lambda: _is_settled(connection))
        await asyncio.wait(asking)
        for replica in self.replicas:
            await _until(lambda it=replica: self._is_back(it))
        self.is_over = True
        for replica in self.replicas:
            assert replica.life is not None
            replica.life.signal(signal.SIGTERM)

    def told(self) -> str:
        """Say where everything stands."""
        counted = Counter(status for status, _ in coordinations(self.url).values())
        states = {replica.place.folder.name: replica.is_running for replica in self.replicas}
        return f"{dict(counted)}, {phases(self.url)}, running: {states}, over: {self.is_over}"

    async def _is_back(self, replica: Replica) -> bool:
        return replica.is_running and replica.life is not None and await replica.life.ready(self.rig.http)


async def _connected(url: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(url, autocommit=True)


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():  # noqa: ASYNC110 - there is no event between processes
        await asyncio.sleep(LOOK_S)


async def _ids(connection: psycopg.AsyncConnection[Any], which: str, *about: Any) -> set[str]:
    cursor = await connection.execute(f"SELECT task_id FROM head WHERE {which}".encode(), about)
    return {task_id for (task_id,) in await cursor.fetchall()}


async def _driven(connection: psycopg.AsyncConnection[Any], executor: str) -> set[str]:
    return await _ids(connection, "status = 'due' AND starts_with(driver, %s)", executor)


async def _over(connection: psycopg.AsyncConnection[Any]) -> set[str]:
    return await _ids(connection, "status <> 'due'")


async def _is_settled(connection: psycopg.AsyncConnection[Any]) -> bool:
    return len(await _ids(connection, "status = 'closed'")) == len(JOBS)


async def _is_busy(connection: psycopg.AsyncConnection[Any]) -> bool:
    return len(await _ids(connection, "true")) >= len(JOBS) // 2


def faults_of(rng: random.Random) -> list[tuple[float, str]]:
    """Return what happens in one round: the pause before it, and its name."""
    names = rng.choices(list(FAULTS), list(FAULTS.values()), k=rng.randint(1, 3))
    return [(rng.uniform(0.1, 1.2), name) for name in names]


def upgrade_of(rng: random.Random, replicas: int) -> list[tuple[float, str]]:
    """Return what happens while one replica after the other is replaced: that, and sometimes something else."""
    others = rng.choices(list(FAULTS), list(FAULTS.values()), k=rng.randint(0, 2))
    names = [ROLL] * replicas + others
    rng.shuffle(names)
    return [(rng.uniform(0.1, 1.2), name) for name in names]


async def round_on(
    rig: ReplicaRig,
    faults: Sequence[tuple[float, str]],
    rng: random.Random,
    tally: ReplicaTally,
    expected: Mapping[str, str],
) -> list[str]:
    """Run one round and return what was wrong with it; *expected* are the artifacts, empty for a round in peace."""
    tally.rounds += 1
    name = f"round-{tally.rounds}"
    await rig.fleet.reset()
    with rig.server.database(template=rig.template) as url:
        tally.complaints, before = [], tally.complaints
        try:
            tasks = await _disturbed(rig, url, name, faults, rng, tally)
            counts = (await rig.fleet.http.get(f"{rig.fleet.url}/counts")).json()
            tally.doubled_unlisted += doubled_unlisted(counts)
            tally.complaints += complaints(tasks, expected, url, counts)
        except Stuck as stuck:
            tally.complaints.append(str(stuck))
        what = ", ".join(f"{name} after {pause_s:.1f} s" for pause_s, name in faults) or "in peace"
        found = [f"{name} ({what}): {complaint}" for complaint in tally.complaints]
        tally.complaints = before + found
    return found


async def undisturbed_on(rig: ReplicaRig, tally: ReplicaTally) -> dict[str, str]:
    """Run every job in peace and return its artifacts, without ids. Raises `RuntimeError` when that fails."""
    await rig.fleet.reset()
    with rig.server.database(template=rig.template) as url:
        tasks = await _disturbed(rig, url, "peace", [], random.Random(0), tally, armed=0.0)
        counts = (await rig.fleet.http.get(f"{rig.fleet.url}/counts")).json()
        if told := complaints(tasks, {}, url, counts):
            raise RuntimeError(f"in peace: {told}")
    return {plan: without_ids(task) for plan, task in tasks.items()}


async def _disturbed(
    rig: ReplicaRig,
    url: str,
    name: str,
    faults: Sequence[tuple[float, str]],
    rng: random.Random,
    tally: ReplicaTally,
    armed: float = ARMED,
) -> dict[str, Json]:
    replicas = [
        Replica(
            place_in(rig.folder / name / f"r{number}", db=url, replica=f"r{number}", **rig.settings), forks, successor
        )
        for number, (forks, successor) in enumerate(zip_longest(rig.nurseries, rig.successors))
    ]
    it = Round(rig, url, replicas, rng, tally)
    asking: dict[str, asyncio.Task[Json]] = {}
    client = Client([replica.place.url for replica in replicas], rig.http)
    try:
        async with asyncio.timeout(SETTLED_S), asyncio.TaskGroup() as group:
            for replica in replicas:
                group.create_task(it.keep(replica, is_armed=rng.random() < armed))
            asking |= {plan: group.create_task(asked(client, plan)) for plan in JOBS}
            async with await _connected(url) as connection:
                await _until(lambda: _is_busy(connection))
            for pause_s, fault in faults:
                await asyncio.sleep(pause_s)
                await it.fault(fault, group)
            await it.settle(asking.values())
    except TimeoutError:
        unanswered = [plan for plan, task in asking.items() if task.cancelled()]
        raise Stuck(f"not settled after {SETTLED_S:g} s: {it.told()}; unanswered: {unanswered}") from None
    finally:
        for replica in replicas:
            if replica.life is not None:
                await replica.life.kill()
    tally.coordinations += len(JOBS)
    tally.repeated += client.repeated
    return {plan: task.result() for plan, task in asking.items()}

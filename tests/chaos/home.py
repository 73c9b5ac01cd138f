"""One coordinator at home with its specialists, all of them processes: for tests of a single crash or stop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from coordinator.core.coordination import Coordination
from coordinator.testing import RemoteFleet, Specialist, fleet_process
from tests.chaos.client import Client
from tests.chaos.process import Life, Nursery, Place, nursery, place_in, until
from tests.chaos.verdict import coordinations, is_settled

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Home:
    """A coordinator that can be started again and again."""

    place: Place
    nursery: Nursery
    fleet: RemoteFleet
    http: httpx.AsyncClient
    client: Client

    async def start(self, fault: str = "", ahead_s: float = 0.0) -> Life:
        """Start it, and return once it is ready, or dead."""
        life = await self.nursery.start(self.place, fault, ahead_s)
        await life.ready(self.http)
        return life

    def journaled(self) -> tuple[str, Coordination]:
        """Return the status and the replayed state of the one coordination there is."""
        ((status, coordination),) = coordinations(self.place.database).values()
        return status, coordination

    def epoch(self) -> int:
        """Return how often the one coordination was claimed."""
        with sqlite3.connect(f"file:{self.place.database}?mode=ro", uri=True) as connection:
            ((epoch,),) = connection.execute("select epoch from head").fetchall()
        return int(epoch)

    async def parked(self) -> None:
        """Wait until the one coordination is parked."""
        assert await until(lambda: self.journaled()[0] == "idle", PATIENCE_S)

    async def survives(self, life: Life) -> bool:
        """Wait until *life* has ended, or everything is closed: then it has survived."""
        await until(lambda: life.ended.done() or is_settled(self.place.database, 1), PATIENCE_S)
        return not life.ended.done()

    async def is_closed(self) -> bool:
        """Wait until the one coordination is closed."""
        return await until(lambda: is_settled(self.place.database, 1), PATIENCE_S)

    async def count(self, name: str, wanted: int, agent: str = "") -> bool:
        """Wait until a count of the specialists is *wanted*."""
        for _ in range(int(PATIENCE_S / 0.05)):
            if (await self.fleet.counts(agent)).get(name) == wanted:
                return True
            await asyncio.sleep(0.05)
        return False


@asynccontextmanager
async def at_home(
    folder: Path, specialists: Iterable[Specialist], plans: Mapping[str, Mapping[str, Any]], **settings: Any
) -> AsyncIterator[Home]:
    """Prepare a coordinator for *specialists* and *plans* (a plan is its stages by name, or the whole of it)."""
    (folder / "plans").mkdir()
    for name, plan in plans.items():
        whole = plan if "stages" in plan else {"stages": plan}
        document = {"name": name, "description": f"Plan {name}.", **whole}
        (folder / "plans" / f"{name}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    async with fleet_process(specialists) as fleet, httpx.AsyncClient(timeout=30.0) as http, nursery() as forks:
        cards = await fleet.write_cards(folder / "cards")
        known = {"agents": [str(cards)], "plans": [str(folder / "plans")], "default_plan": next(iter(plans))}
        place = place_in(folder / "home", **known, **settings)
        yield Home(place, forks, fleet, http, Client(place.url, http))

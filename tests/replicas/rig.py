"""Several coordinators on one PostgreSQL database, each a real process, and the specialists they share."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import yaml

from coordinator.testing import RemoteFleet, Specialist, fleet_process
from tests.chaos.client import Client
from tests.chaos.process import free_port

READY_S = 30.0
PATIENCE_S = 30.0
LOOK_S = 0.02


@dataclass(slots=True)
class Replica:
    """One process."""

    name: str
    url: str
    process: asyncio.subprocess.Process
    client: Client
    log: Path
    is_frozen: bool = False

    def freeze(self) -> None:
        """Stop it without a word (SIGSTOP)."""
        self.is_frozen = True
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.is_frozen = False
        self.process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """Kill -9."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """Stop it in good order and return its exit code."""
        self.process.terminate()
        async with asyncio.timeout(READY_S):
            return await self.process.wait()

    async def is_ready(self, http: httpx.AsyncClient) -> bool:
        """Whether it says so."""
        with suppress(httpx.TransportError):
            return (await http.get(f"{self.url}/readyz")).status_code == 200
        return False


@dataclass(slots=True)
class Rig:
    """Replicas that share a database, and their specialists."""

    url: str
    folder: Path
    fleet: RemoteFleet
    http: httpx.AsyncClient
    settings: Mapping[str, Any]
    replicas: dict[str, Replica] = field(default_factory=dict)

    async def start(self, *names: str, **settings: Any) -> list[Replica]:
        """Start replicas of those names and wait until they are ready."""
        started = [await self._start(name, settings) for name in names]
        for replica in started:
            await self.until(lambda it=replica: it.is_ready(self.http), f"{replica.name} is ready")
        return started

    async def _start(self, name: str, settings: Mapping[str, Any]) -> Replica:
        port = free_port()
        config = self.folder / f"{name}.yaml"
        known = {"port": port, "db": self.url, "replica": name, "log_format": "json"}
        config.write_text(json.dumps({**known, **self.settings, **settings}), encoding="utf-8")
        log = self.folder / f"{name}.log"
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "coordinator.cli", "serve", "--config", str(config)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, "OTEL_INSTRUMENTATION_A2A_SDK_ENABLED": "false"},
            )
        url = f"http://127.0.0.1:{port}"
        replica = self.replicas[name] = Replica(name, url, process, Client(url, self.http), log)
        return replica

    async def until(self, condition: Any, what: str, timeout_s: float = PATIENCE_S) -> Any:
        """Wait for something in other processes, which nobody here is told of, and return it."""
        try:
            async with asyncio.timeout(timeout_s):
                while not (found := await condition()):
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            logs = "\n".join(f"{each.name}: {each.log.read_text()[-3000:]}" for each in self.replicas.values())
            raise AssertionError(f"not in time: {what}\n{logs}") from None
        return found

    async def query(self, statement: str, *about: Any) -> list[tuple[Any, ...]]:
        """Ask the database."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            cursor = await connection.execute(statement.encode(), about)
            return await cursor.fetchall() if cursor.description else []

    async def driver(self, task_id: str) -> str:
        """Return the name of the replica that claimed the task last."""
        [(driver,)] = await self.query("SELECT driver FROM head WHERE task_id = %s", task_id)
        return str(driver).partition(":")[0]

    async def driven_by(self, task_id: str, name: str) -> None:
        """Wait until that replica drives the task."""

        async def is_so() -> bool:
            return await self.driver(task_id) == name

        await self.until(is_so, f"{name} drives")

    async def over(self, task_id: str) -> str:
        """Return the state of a task once it is closed, whoever closed it."""

        async def closed() -> str:
            [(status, state)] = await self.query("SELECT status, state FROM head WHERE task_id = %s", task_id)
            return str(state) if status == "closed" else ""

        return str(await self.until(closed, f"{task_id} is closed"))


@asynccontextmanager
async def replicas(
    folder: Path, url: str, specialists: Iterable[Specialist], plans: Mapping[str, Any], **settings: Any
) -> AsyncIterator[Rig]:
    """Serve *specialists* and yield a rig without replicas; in the end nothing is left of it."""
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(fleet_process(specialists))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=60.0))
        cards = await fleet.write_cards(folder / "cards")
        known = {
            "agents": [str(cards)],
            "plans": [str(_write(plans, folder / "plans"))],
            "default_plan": next(iter(plans)),
        }
        rig = Rig(url, folder, fleet, http, {**known, **settings})
        try:
            yield rig
        finally:
            for replica in rig.replicas.values():
                await replica.kill()


def _write(plans: Mapping[str, Any], folder: Path) -> Path:
    folder.mkdir()
    for name, stages in plans.items():
        about = stages if "stages" in stages else {"stages": stages}
        plan = {"name": name, "description": f"Work that is {name}.", **about}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    return folder

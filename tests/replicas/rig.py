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
    pid: int
    client: Client
    log: Path
    ended: Path  #: holds the exit code once it has come to its end in good order

    def freeze(self) -> None:
        """Stop it without a word (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def is_there(self) -> bool:
        """Whether its process is."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    async def kill(self) -> None:
        """Kill -9."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        await self._gone()

    async def stop(self) -> int:
        """Stop it in good order and return its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        await self._gone()
        return int(self.ended.read_text(encoding="utf-8"))

    async def _gone(self) -> None:
        async with asyncio.timeout(READY_S):
            while self.is_there:  # noqa: ASYNC110 - it is not our child
                await asyncio.sleep(LOOK_S)

    async def is_ready(self, http: httpx.AsyncClient) -> bool:
        """Whether it says so."""
        assert self.is_there, self.log.read_text()
        with suppress(httpx.TransportError):
            return (await http.get(f"{self.url}/readyz")).status_code == 200
        return False


class Forks:
    """The process that forks replicas; see `nursery.py`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def start(self, order: Mapping[str, str]) -> int:
        """Start a replica and return the number of its process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        return int(await self._process.stdout.readline())


@asynccontextmanager
async def forks() -> AsyncIterator[Forks]:
    """Start the process that forks; what it forked ends with it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.replicas.nursery"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    try:
        yield Forks(process)
    finally:
        process.stdin.close()
        await process.wait()


@dataclass(slots=True)
class Rig:
    """Replicas that share a database, and their specialists."""

    url: str
    folder: Path
    fleet: RemoteFleet
    http: httpx.AsyncClient
    forks: Forks
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
        log, ended = self.folder / f"{name}.log", self.folder / f"{name}.ended"
        pid = await self.forks.start({"config": str(config), "log": str(log), "ended": str(ended)})
        url = f"http://127.0.0.1:{port}"
        replica = self.replicas[name] = Replica(name, url, pid, Client(url, self.http), log, ended)
        return replica

    async def until(self, condition: Any, what: str, timeout_s: float = PATIENCE_S) -> Any:
        """Wait for something in other processes, which nobody here is told of, and return it."""
        try:
            async with asyncio.timeout(timeout_s):
                while not (found := await condition()):  # noqa: ASYNC110 - see above
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
        forking = await stack.enter_async_context(forks())
        rig = Rig(url, folder, fleet, http, forking, {**known, **settings})
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


async def stream(replica: Replica, http: httpx.AsyncClient, method: str, params: object) -> AsyncIterator[Any]:
    """Yield what a stream of that replica brings, one event at a time."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with http.stream("POST", replica.url, json=body, headers={"A2A-Version": "1.0"}) as response:
        async for line in response.aiter_lines():
            if line.startswith("data:"):
                yield json.loads(line.removeprefix("data:"))["result"]

"""Coordinator processes on one configuration, one after the other: started, killed, stopped."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

READY_S = 30.0
BELOW_EPHEMERAL = range(10_240, 32_000)
"""Where systems take no ports from that are asked for any."""


async def until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait for something in another process, which nobody here is told of; False when it did not come in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110 - there is no event between processes
                await asyncio.sleep(0.02)
    return condition()


def free_port() -> int:
    """Return a port nobody listens on now, and nobody gets by chance while who listens there is dead for a while."""
    for port in random.SystemRandom().sample(BELOW_EPHEMERAL, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a coordinator is at home: its folder, and the settings every one of its processes starts with."""

    folder: Path
    settings: dict[str, Any]

    @property
    def url(self) -> str:
        """The base URL, the same for each process."""
        return f"http://127.0.0.1:{self.settings['port']}"

    @property
    def database(self) -> Path | str:
        """The SQLite file, or the URL of a PostgreSQL database."""
        place = str(self.settings["db"])
        return place if "://" in place else Path(place)

    @property
    def log(self) -> Path:
        """What its processes said."""
        return self.folder / "coordinator.log"

    def write(self) -> Path:
        """Write the configuration file."""
        file = self.folder / "coordinator.yaml"
        file.write_text(json.dumps(self.settings), encoding="utf-8")
        return file


def place_in(folder: Path, **settings: Any) -> Place:
    """Return a place in *folder*, which is made, with a port of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    known = {"port": free_port(), "db": str(folder / "coordinator.db"), "log_format": "json"}
    return Place(folder, {**known, **settings})


@dataclass(slots=True)
class Life:
    """One process, from its start to its end."""

    pid: int
    place: Place
    ended: asyncio.Future[int]
    is_killed: bool = False  #: by us, from outside
    is_stopped: bool = False  #: by us, in good order

    def signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def kill(self) -> int:
        """Kill -9 and return its exit code."""
        if not self.ended.done():
            self.is_killed = True
            self.signal(signal.SIGKILL)
        return await asyncio.shield(self.ended)

    async def stop(self) -> int:
        """Stop it in good order and return its exit code."""
        self.is_stopped = True
        self.signal(signal.SIGTERM)
        return await asyncio.wait_for(asyncio.shield(self.ended), READY_S)

    async def ready(self, http: httpx.AsyncClient) -> bool:
        """Wait until it is ready; False when it has ended before that."""
        async with asyncio.timeout(READY_S):
            while not self.ended.done():
                with suppress(httpx.TransportError):
                    if (await http.get(f"{self.place.url}/readyz")).status_code == 200:
                        return True
                await asyncio.sleep(0.02)
        return False


@dataclass(slots=True)
class Nursery:
    """The process that forks coordinators, one at a time."""

    _process: asyncio.subprocess.Process
    _group: asyncio.TaskGroup
    lives: list[Life] = field(default_factory=list)

    async def start(self, place: Place, fault: str = "", ahead_s: float = 0.0) -> Life:
        """Start a coordinator that may die of *fault*, with its clock *ahead_s* ahead."""
        assert self._process.stdin is not None
        order = {"config": str(place.write()), "log": str(place.log), "fault": fault, "ahead_s": ahead_s}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        life = Life(await self._number(), place, asyncio.get_running_loop().create_future())
        self.lives.append(life)
        self._group.create_task(self._end(life))
        return life

    async def _end(self, life: Life) -> None:
        life.ended.set_result(await self._number())

    async def _number(self) -> int:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that forks coordinators has ended")
        return int(line)


@asynccontextmanager
async def nursery(*modules: str, tree: Path | None = None) -> AsyncIterator[Nursery]:
    """Start the process that forks, which imports *modules* first; in the end nothing is left of it.

    The program is the one in the folder *tree*, this one by default.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos.server", *modules),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=tree,
    )
    assert process.stdin is not None
    try:
        async with asyncio.TaskGroup() as group:
            it = Nursery(process, group)
            try:
                yield it
            finally:
                for life in it.lives:
                    await life.kill()
    finally:
        process.stdin.close()
        await process.wait()

"""A fleet in a process of its own, and the way to steer it from here.

For tests that kill the coordinator, and for measurements in which the specialists must not
share a core with what is measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from coordinator.testing.behaviour import Json, Point, Scripted, Specialist, as_json, script_of
from coordinator.testing.wire import write_cards


@dataclass(frozen=True, slots=True)
class RemoteFleet:
    """A fleet elsewhere, steered over HTTP; see `pages.py`."""

    url: str
    http: httpx.AsyncClient
    pid: int = 0

    async def counts(self, agent: str = "") -> Json:
        """Return the counts of one agent, or of all together."""
        document = await self._read("/counts")
        counts: Json = document["agents"].get(agent, {}) if agent else document["total"]
        return counts

    async def journal(self, agent: str = "") -> list[Json]:
        """Return every request received, with its parameters."""
        journal: list[Json] = await self._read("/journal", agent=agent, params=1)
        return journal

    async def sent(self, agent: str = "") -> list[Json]:
        """Return the latest things sent."""
        sent: list[Json] = await self._read("/sent", agent=agent)
        return sent

    async def until(self, count: str, at_least: int = 1, *, agent: str = "", timeout_s: float = 10.0) -> None:
        """Wait until a count is reached, for example `sends`. Raises `httpx.HTTPStatusError` when it is not."""
        await self._read("/wait", agent=agent, count=count, at_least=at_least, timeout_s=timeout_s)

    async def reset(self) -> None:
        """Forget everything."""
        await self._steer("/reset")

    async def behave(self, agent: str, script: Scripted) -> None:
        """Begin another script."""
        await self._steer(f"/agents/{agent}/script", as_json(script_of(script)))

    async def hold(self, agent: str, *points: Point) -> None:
        """Close gates."""
        await self._steer(f"/agents/{agent}/hold", {"points": points})

    async def release(self, agent: str, *points: Point) -> None:
        """Open gates."""
        await self._steer(f"/agents/{agent}/release", {"points": points})

    async def restart(self, agent: str) -> None:
        """Let an agent forget its tasks."""
        await self._steer(f"/agents/{agent}/restart")

    async def write_cards(self, folder: Path) -> Path:
        """Write every Agent Card as a file, and return *folder*."""
        return write_cards(await self._read("/cards"), folder)

    async def _read(self, path: str, **asked: Any) -> Any:
        response = await self.http.get(self.url + path, params=asked, timeout=70.0)
        return response.raise_for_status().json()

    async def _steer(self, path: str, document: object = None) -> None:
        response = await self.http.post(self.url + path, json=document)
        response.raise_for_status()


@asynccontextmanager
async def fleet_process(specialists: Iterable[Specialist], *, seed: int = 0) -> AsyncIterator[RemoteFleet]:
    """Serve *specialists* in another process, which ends with this block, or with this process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "coordinator.testing", "--fleet", "-", "--seed", str(seed), "--until-eof"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    if process.stdin is None or process.stdout is None:  # pragma: no cover - both are pipes
        raise AssertionError
    try:
        process.stdin.write(json.dumps([as_json(specialist) for specialist in specialists]).encode() + b"\n")
        started = json.loads(await process.stdout.readline())
        async with httpx.AsyncClient() as http:
            yield RemoteFleet(started["url"], http, process.pid)
    finally:
        process.stdin.close()
        await process.wait()

"""What a restart costs with a thousand coordinations in the journal: time to ready, time to be back, memory.

Half of the question are those that are parked, with nothing to do before their time comes; the other half
are those that wait for specialists that say nothing, or for room: they are taken up again.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from coordinator.testing import Behaviour, RemoteFleet, Specialist, fleet_process
from tests.benchmarks.report import Figure
from tests.chaos.process import until

PLAN = """
name: one
description: Sends to one agent, and again when it has time.
stages:
  all:
    fan_out: {to: {skill: work}}
    on_failure: {retry: {attempts: 2, backoff: 1s..2s}}
    merge: concat
"""
SCRIPTS = {
    "parked": Behaviour(http_error=503, retry_after=3600),
    "waiting": Behaviour(never_ends=True),
}
AT_ONCE = 20
PATIENCE_S = 300.0


@dataclass(frozen=True)
class Process:
    """A coordinator that was just started, and how long it took to be ready."""

    process: psutil.Process
    url: str
    ready_s: float

    @property
    def memory(self) -> float:
        """Resident, in MiB."""
        return float(self.process.memory_info().rss / 2**20)


async def run(*, quick: bool) -> list[Figure]:
    """Return the figures for parked and for waiting coordinations."""
    count = 100 if quick else 1000
    return [figure for kind in SCRIPTS for figure in await _figures(kind, count)]


async def _figures(kind: str, count: int) -> list[Figure]:
    async with fleet_process([Specialist("worker", SCRIPTS[kind])]) as fleet, httpx.AsyncClient(timeout=60.0) as http:
        with tempfile.TemporaryDirectory() as folder:
            config = await _configured(Path(folder), fleet)
            async with _started(config, http) as empty:
                before = empty.memory
                await _submit(empty.url, count, http)
                await _rest(lambda: _entries(Path(folder) / "journal.db"))
            async with _started(config, http) as full:
                began = time.perf_counter()
                if kind == "waiting":
                    await _back(fleet, (await fleet.counts())["tasks"])
                back_s = full.ready_s + time.perf_counter() - began
                memory = full.memory
    return [
        Figure("restart", f"{count} {kind}: ready again", full.ready_s, "s"),
        Figure("restart", f"{count} {kind}: every one that was begun attached again", back_s, "s"),
        Figure("restart", f"{count} {kind}: memory after it", memory, "MiB"),
        Figure("restart", f"an empty journal ({kind}): ready", empty.ready_s, "s"),
        Figure("restart", f"an empty journal ({kind}): memory", before, "MiB"),
    ]


async def _configured(folder: Path, fleet: RemoteFleet) -> Path:
    (folder / "plan.yaml").write_text(PLAN)
    settings = {
        "port": 0,
        "db": str(folder / "journal.db"),
        "agents": [str(await fleet.write_cards(folder / "cards"))],
        "plans": [str(folder / "plan.yaml")],
        "default_plan": "one",
        "log_format": "json",
        # Nobody waits for room, and nobody is spared: the hardest case.
        "max_coordinations": 10_000,
        "max_branches": 10_000,
        "agent_concurrency": 10_000,
        "circuit_failures": 10_000,
        "log_level": "info",
    }
    config = folder / "coordinator.yaml"
    config.write_text(json.dumps(settings))
    return config


@asynccontextmanager
async def _started(config: Path, http: httpx.AsyncClient) -> AsyncIterator[Process]:
    """Start a coordinator, and kill it in the end."""
    began = time.perf_counter()
    log = config.with_suffix(".log").open("wb")
    with log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "coordinator.cli", "serve", "--config", config), stderr=log
        )
    try:
        await until(lambda: bool(_url(config.with_suffix(".log"))), PATIENCE_S)
        url = _url(config.with_suffix(".log"))
        while (await http.get(f"{url}/readyz")).status_code != 200:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.01)
        yield Process(psutil.Process(process.pid), url, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


def _url(log: Path) -> str:
    """Return where the process listens, empty as long as it has not said so."""
    for line in log.read_text().splitlines():
        with suppress(ValueError):  # half a line
            told = json.loads(line)
            if told["message"] == "listening":
                return str(told["detail"])
    return ""


async def _submit(url: str, count: int, http: httpx.AsyncClient) -> None:
    numbers = iter(range(count))

    async def one_after_the_other() -> None:
        for number in numbers:
            message = {"messageId": str(uuid.uuid4()), "role": "ROLE_USER", "parts": [{"text": f"work {number}"}]}
            params = {"message": message, "configuration": {"returnImmediately": True}}
            body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
            (await http.post(url, json=body, headers={"A2A-Version": "1.0"})).raise_for_status()

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one_after_the_other())


async def _rest(look: Callable[[], int]) -> None:
    """Wait until what *look* sees has not changed for a while."""
    seen, since = look(), time.perf_counter()
    while time.perf_counter() - since < 2.0:
        await asyncio.sleep(0.1)
        if (now := look()) != seen:
            seen, since = now, time.perf_counter()


def _entries(database: Path) -> int:
    """Return how far all coordinations are together."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        ((entries,),) = connection.execute("select count(*) from journal").fetchall()
    return int(entries)


async def _back(fleet: RemoteFleet, tasks: int) -> None:
    """Wait until every task the specialist has is followed again."""
    async with asyncio.timeout(PATIENCE_S):
        while (await fleet.counts())["subscribes"] < tasks:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.05)

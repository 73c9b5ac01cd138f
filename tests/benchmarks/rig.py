"""What the benchmarks measure with: a coordinator in its own process, clients, and processor time."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from a2a.client import A2ACardResolver, Client, ClientCallContext, ClientConfig, ClientFactory
from a2a.types import a2a_pb2 as a2a

PLAN = """
name: everyone
description: Sends to every agent at once.
stages:
  all:
    fan_out: {to: {skill: work}}
    merge: concat
"""

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Cost:
    """What one round took."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Coordinator:
    """A coordinator process, and a client that is connected to it over a socket."""

    process: psutil.Process
    client: Client

    async def round(self, text: str = "work") -> Cost:
        """Send one task and wait for its end; the processor time is the coordinator's alone."""
        return await measured(lambda: completed(self.client, text), lambda: cpu_of(self.process))


async def measured(act: Callable[[], Awaitable[None]], cpu: Callable[[], float]) -> Cost:
    """Return what *act* cost."""
    cpu_before, before = cpu(), time.perf_counter()
    await act()
    wall = time.perf_counter() - before
    return Cost(wall, cpu() - cpu_before)


def cpu_of(process: psutil.Process) -> float:
    """Return the processor time a process has used so far, all threads together."""
    times = process.cpu_times()
    return float(times.user + times.system)


def request_of(text: str, *, return_immediately: bool = False) -> a2a.SendMessageRequest:
    """Return a request for a new task."""
    message = a2a.Message(message_id=str(uuid.uuid4()), role=a2a.ROLE_USER, parts=[a2a.Part(text=text)])
    configuration = a2a.SendMessageConfiguration(history_length=0, return_immediately=return_immediately)
    return a2a.SendMessageRequest(message=message, configuration=configuration)


async def completed(client: Client, text: str = "work") -> None:
    """Send a message and wait until its task is completed. Raises `RuntimeError` for any other end."""
    request = request_of(text)
    state = a2a.TASK_STATE_UNSPECIFIED
    async for event in client.send_message(request, context=ClientCallContext(timeout=PATIENCE_S)):
        kind = event.WhichOneof("payload")
        if kind in {"task", "status_update"}:
            state = getattr(event, kind).status.state
    if state != a2a.TASK_STATE_COMPLETED:
        raise RuntimeError(f"the task ended as {a2a.TaskState.Name(state)}")


def client_of(card: a2a.AgentCard, http: httpx.AsyncClient, *, streaming: bool = True) -> Client:
    """Return the SDK's client of an agent, over our transport."""
    return ClientFactory(ClientConfig(httpx_client=http, streaming=streaming)).create(card)


async def cards(urls: Iterable[str], http: httpx.AsyncClient) -> list[a2a.AgentCard]:
    """Read Agent Cards."""
    return [await A2ACardResolver(http, url).get_agent_card() for url in urls]


@asynccontextmanager
async def coordinator(
    place: Path,
    agents: Path,
    http: httpx.AsyncClient,
    *,
    db: str = "",
    streaming: bool = False,
    plan: str = PLAN,
    **settings: Any,
) -> AsyncIterator[Coordinator]:
    """Run a coordinator for the cards in *agents*; it keeps everything in the folder *place*."""
    config = _configured(place, agents, plan, {"db": db or str(place / "journal.db")} | settings)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "coordinator.cli", "serve", "--config", config),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        (card,) = await cards([await _url(process)], http)
        yield Coordinator(psutil.Process(process.pid), client_of(card, http, streaming=streaming))
    finally:
        process.terminate()
        await process.communicate()


def _configured(place: Path, agents: Path, plan: str, settings: Mapping[str, Any]) -> Path:
    place.mkdir()
    (place / "plan.yaml").write_text(plan)
    known = {
        "port": 0,
        "agents": [str(agents)],
        "plans": [str(place / "plan.yaml")],
        "default_plan": "everyone",
        "log_format": "json",
    }
    config = place / "coordinator.yaml"
    config.write_text(json.dumps(known | dict(settings)))
    return config


async def _url(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        told = json.loads(line)
        if told["message"] == "listening":
            return str(told["detail"])
    raise RuntimeError("the coordinator did not start")

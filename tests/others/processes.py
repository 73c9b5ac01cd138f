"""Agents as processes of their own, started for a test and ended with it."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from coordinator.cli.members import free_ports

ROOT = Path(__file__).parents[2]
CARD = "/.well-known/agent-card.json"
READY_S = 60.0
STOP_S = 10.0
LOOK_EVERY_S = 0.05


@asynccontextmanager
async def agent(
    folder: Path, *command: object, cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """Run *command*, in which `{port}` is a free port, until the end of the block; yield the agent's URL."""
    (port,) = free_ports(1)
    log = folder / f"{port}.log"
    arguments = [str(part).replace("{port}", str(port)) for part in command]
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            *arguments, cwd=cwd, env=os.environ | (environment or {}), stdout=written, stderr=written
        )
    try:
        url = f"http://127.0.0.1:{port}"
        if not await _is_ready(url, process):
            raise AssertionError(f"{url} does not answer:\n{log.read_text(encoding='utf-8', errors='replace')}")
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _is_ready(url: str, process: asyncio.subprocess.Process) -> bool:
    """Wait until its card can be read; whether that came to be before the process ended or the time was up."""
    deadline = asyncio.get_running_loop().time() + READY_S
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        while asyncio.get_running_loop().time() < deadline and process.returncode is None:
            try:
                return (await http.get(url + CARD)).is_success
            except httpx.TransportError:
                await asyncio.sleep(LOOK_EVERY_S)
    return False

"""A webhook of clients that is down for a while: `python -m tests.chaos.webhook [--down SECONDS] [--tasks N] [--json]`.

Tasks that ask a question and get their answer are over before anybody listens where they are to be
told. The coordinator is `coordinator serve` with the pauses it has for everybody, and is killed once while it waits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import yaml

from coordinator.testing import Behaviour, Specialist, answers, fleet_process
from coordinator.testing.server import serving
from tests.benchmarks.report import machine
from tests.chaos.client import Client
from tests.chaos.process import Place, place_in
from tests.protocol.receiver import Receiver, is_over

ASKING = (Behaviour(end="input_required", end_text="which one?"), Behaviour(artifacts=(answers.text("that one"),)))
EVERYTHING = ("WORKING", "INPUT_REQUIRED", "WORKING", "artifact", "COMPLETED")
UP_S = 120.0
"""Twice the longest pause between two attempts, for all that is owed to be delivered."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it, seconds and counts; `complaints` says what was missing, or in another order."""

    down_s: float
    tasks: int
    notifications: int
    repeats: int
    last_after_s: float  #: from when the webhook was up to the last notification
    complaints: tuple[str, ...]


async def outage(folder: Path, down_s: float, tasks: int) -> Told:
    """Let *tasks* be told to a webhook that is down for *down_s*, and return what it was told in the end."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as door:
        door.bind(("127.0.0.1", 0))  # nobody else gets the port; as long as it does not listen, it refuses everybody
        return await _outage(folder, down_s, tasks, door)


async def _outage(folder: Path, down_s: float, tasks: int, door: socket.socket) -> Told:
    hook = Receiver(f"http://127.0.0.1:{door.getsockname()[1]}")
    async with _place(folder, tasks) as place, httpx.AsyncClient(timeout=30.0) as http:
        client = Client(place.url, http)
        down = asyncio.get_running_loop().time()
        async with _served(place, http):
            async with asyncio.TaskGroup() as group:
                for number in range(tasks):
                    group.create_task(_asked(client, f"asked-{number}", f"{hook.url}/{number}"))
            await _at(down + down_s / 2)
        async with _served(place, http):
            await _at(down + down_s)
            up = time.monotonic()
            async with serving(hook, door), asyncio.timeout(UP_S):
                await hook.until(lambda: len({push.path for push in hook.taken if is_over(push)}) >= tasks)
            spent_s = time.monotonic() - up
    keys = {push.headers["idempotency-key"] for push in hook.taken}
    complaints = [f"task {number} was told {seen}" for number in range(tasks) if (seen := missed(hook, number))]
    return Told(down_s, tasks, len(keys), len(hook.taken) - len(keys), round(spent_s, 1), tuple(complaints))


def missed(hook: Receiver, number: int) -> tuple[str, ...]:
    """Return what a client saw that drops repeats; empty when that is everything, in order."""
    pushed = {push.headers["idempotency-key"]: push.document for push in hook.at(f"/{number}")}.values()
    states = [document.get("statusUpdate", {}).get("status", {}).get("state", "artifact") for document in pushed]
    words = tuple(state.removeprefix("TASK_STATE_") for state in states)
    return () if words == EVERYTHING else words or ("nothing",)


async def _asked(client: Client, plan: str, url: str) -> None:
    task = await client.send(plan, taskPushNotificationConfig={"url": url})
    await client.answer(task["id"], "the red one")
    await client.over(task["id"])


async def _at(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))


@asynccontextmanager
async def _place(folder: Path, tasks: int) -> AsyncIterator[Place]:
    names = [f"asked-{number}" for number in range(tasks)]
    plans = folder / "plans"
    plans.mkdir()
    for name in names:
        stages = {"all": {"fan_out": {"to": {"agents": [name]}}, "merge": "concat"}}
        plan = {"name": name, "description": "Asks something.", "stages": stages}
        (plans / f"{name}.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    async with fleet_process([Specialist(name, ASKING) for name in names]) as fleet:
        known = {"agents": [str(await fleet.write_cards(folder / "cards"))], "plans": [str(plans)]}
        yield place_in(folder / "home", **known, default_plan=names[0], push_allow=["127.0.0.1"])


@asynccontextmanager
async def _served(place: Place, http: httpx.AsyncClient) -> AsyncIterator[None]:
    """Run the coordinator as a process of its own, which is killed in the end."""
    with place.log.open("ab") as log:
        command = (sys.executable, "-m", "coordinator.cli", "serve", "--config", str(place.write()))
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        await _ready(process, place, http)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _ready(process: asyncio.subprocess.Process, place: Place, http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while True:
            if process.returncode is not None:
                raise RuntimeError(place.log.read_text(encoding="utf-8"))
            with suppress(httpx.TransportError):
                if (await http.get(f"{place.url}/readyz")).is_success:
                    return
            await asyncio.sleep(0.05)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and print what came of it; 1 when anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.webhook", description="A webhook that is down.")
    parser.add_argument("--down", type=float, default=30.0, metavar="SECONDS", help="for how long nobody listens")
    parser.add_argument("--tasks", type=int, default=20, metavar="N", help="how many tasks are told to it")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        told = asyncio.run(outage(Path(folder), options.down, options.tasks))
    if options.json:
        sys.stdout.write(json.dumps({"machine": machine(), **asdict(told)}) + "\n")
    else:
        heads = f"the webhook was down for {told.down_s:g} s, in which {told.tasks} tasks ended and a process died"
        counts = f"{told.notifications} notifications, the last one {told.last_after_s:g} s after it was up again"
        sys.stdout.write(f"{heads}\n{counts}, {told.repeats} repeated\n{len(told.complaints)} complaints\n")
        sys.stdout.writelines(f"{complaint}\n" for complaint in told.complaints)
    return 1 if told.complaints else 0


if __name__ == "__main__":
    sys.exit(main())

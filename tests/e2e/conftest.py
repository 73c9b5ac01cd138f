"""Whole networks of real processes on free ports, stopped and searched for leftovers at the end."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from coordinator.config import CARDS

READY_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(url: str, process: subprocess.Popen) -> None:
    """Poll *url* until it answers 200; the deadline only keeps a broken test from hanging."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"{process.args} ended with {process.returncode}")
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{url} did not become ready")


class Network:
    """Specialists and a coordinator, each a process that can be killed and started again."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.cards = folder / "cards"
        self.cards.mkdir()
        self.plans = folder / "plans"
        self.plans.mkdir()
        self.db = folder / "coordinator.db"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._stack = stack
        self.processes: dict[str, subprocess.Popen] = {}

    def specialist(self, name: str) -> None:
        """Start the reviewer *name* on a port of its own, with a card that says so."""
        port = free_port()
        card = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", next(CARDS.rglob(f"{name}.json")).read_text())
        (self.cards / f"{name}.json").write_text(card)
        self._start(name, [sys.executable, "-m", "specialist_agents", name, "--port", str(port)])
        wait_until(f"http://127.0.0.1:{port}/healthz", self.processes[name])

    def coordinator(self, *options: str) -> None:
        """Start the coordinator, or start it again on the same database."""
        command = [sys.executable, "-m", "coordinator.cli", "serve", "--port", str(self.port), "--db", str(self.db)]
        self._start("coordinator", [*command, "--agents", str(self.cards), *options])
        wait_until(f"{self.url}/readyz", self.processes["coordinator"])

    def kill(self, name: str) -> None:
        """Kill -9 and wait until it is gone."""
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def run(self, *arguments: str, timeout_s: float = 300) -> subprocess.CompletedProcess:
        """Run the command line against this network."""
        command = [sys.executable, "-m", "coordinator.cli", "--server", self.url, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)

    def review(self, path: Path, *options: str) -> tuple[int, dict]:
        """Review *path* and return the exit code and the one JSON object."""
        done = self.run("review", str(path), "--json", *options)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def _start(self, name: str, command: list[str]) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self._stack.enter_context(log)
        self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        """Stop everything and fail when something of it is still running."""
        family = [psutil.Process(process.pid) for process in self.processes.values() if process.poll() is None]
        children = [child for member in family for child in member.children(recursive=True)]
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            process.wait(timeout=30)
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive


@pytest.fixture
def network(tmp_path):
    with ExitStack() as stack:
        network = Network(tmp_path, stack)
        try:
            yield network
        finally:
            network.stop()

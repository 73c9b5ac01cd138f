"""A handful of child processes that start together, are watched, and never stay behind.

Knows nothing of agents: `members.py` says which processes a network has. Children are stopped
in the reverse order of their start, first asked, then killed with everything in their process
group. If this process is killed itself, `launch.py` has made the kernel kill them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from coordinator.cli.exits import ExitCode, Stop

LAUNCHER = Path(__file__).with_name("launch.py")
STOP_S = 5.0
READY_S = 60.0
LOOK_EVERY_S = 0.1
LOG_LINES = 2


@dataclass(frozen=True, slots=True)
class Member:
    """One process of a network: its command, and the URL that answers once it is ready."""

    name: str
    command: Sequence[str]
    ready_url: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


class Network:
    """The processes of *members* for the length of a `with` block; their output goes to files in *logs*."""

    def __init__(self, members: Sequence[Member], logs: Path) -> None:
        self.members = members
        self.logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        """Start every process; if one cannot be started, none stays."""
        try:
            for member in self.members:
                self._running[member.name] = self._start(member)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every process, whatever ended the block."""
        self.stop()

    def _start(self, member: Member) -> subprocess.Popen[bytes]:
        # -P: a file of the user's that is called like a library must not be imported in its place
        command = [sys.executable, "-P", str(LAUNCHER), str(os.getpid()), *member.command]
        with self.log(member.name).open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **member.environment},
                start_new_session=True,  # Ctrl-C is for us; we then stop them in order
            )

    def log(self, name: str) -> Path:
        """Return the file with the output of a member."""
        return self.logs / f"{name}.log"

    def ended(self) -> dict[str, int]:
        """Return the members that have ended, with their exit codes."""
        codes = {name: process.poll() for name, process in self._running.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def waiting(self, http: httpx.Client) -> list[str]:
        """Return the members that do not answer yet. Raises `Stop` if one has ended."""
        for name, code in self.ended().items():
            raise Stop(f"{name} ended with code {code} while starting: {self.last_words(name)}", ExitCode.FAILED)
        return [member.name for member in self.members if member.ready_url and not _answers(http, member.ready_url)]

    def last_words(self, name: str) -> str:
        """Return the end of a member's output, on one line."""
        written = self.log(name).read_text(encoding="utf-8", errors="replace").splitlines()
        return " | ".join(line.strip() for line in written[-LOG_LINES:] if line.strip())

    def stop(self) -> None:
        """End every process, the last started first. Interrupted, it kills them all at once."""
        try:
            for process in reversed(self._running.values()):
                _end(process)
        except BaseException:
            for process in self._running.values():
                _kill(process)
            raise
        self._running.clear()


def _answers(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(url).is_success
    except httpx.RequestError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and make it end if it does not."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and what is left of its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until_ready(network: Network, told: Callable[[list[str]], None]) -> None:
    """Wait until every member answers. Raises `Stop` when one ends or the time is up."""
    deadline = time.monotonic() + READY_S
    with httpx.Client(timeout=2.0, trust_env=False) as http:
        while waiting := network.waiting(http):
            told(waiting)
            if time.monotonic() > deadline:
                raise Stop(f"not ready after {READY_S:.0f} s: {', '.join(waiting)}", ExitCode.FAILED)
            time.sleep(LOOK_EVERY_S)

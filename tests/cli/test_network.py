"""Child processes that start together and never stay behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from coordinator.cli import network as module
from coordinator.cli.exits import ExitCode, Stop
from coordinator.cli.members import free_ports
from coordinator.cli.network import Member, Network, wait_until_ready

pytestmark = pytest.mark.processes

ANSWERS = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
WAITS = "import signal; print('up', flush=True); signal.pause()"
DEAF = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"
)
HAS_CHILD = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])
print(child.pid, flush=True); signal.pause()
"""
HOLDS = """
import os, sys
from pathlib import Path
from coordinator.cli.network import Member, Network
from coordinator.cli.running import terminable
code = "import signal; signal.pause()"
members = [Member(name, [sys.executable, "-c", code]) for name in ("a", "b")]
with terminable(), Network(members, Path(sys.argv[1])) as network:
    print(*(process.pid for process in network._running.values()), flush=True)
    sys.stdin.read()
    raise SystemExit("the block failed")
"""


def member(name: str, code: str, *arguments: object, url: str = "") -> Member:
    return Member(name, [sys.executable, "-c", code, *map(str, arguments)], url)


def processes(network: Network) -> list[psutil.Process]:
    return [psutil.Process(process.pid) for process in network._running.values()]


def wait_for_log(network: Network, name: str) -> str:
    """Block until the member has said something."""
    with subprocess.Popen(["tail", "-n", "+1", "-F", network.log(name)], stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        line = tail.stdout.readline()
        tail.kill()
    return line.strip()


def assert_gone(watched: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(watched, timeout=10)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_members_are_ready_once_they_answer_and_gone_after_the_block(tmp_path):
    ports = free_ports(2)
    members = [member(f"m{port}", ANSWERS, port, url=f"http://127.0.0.1:{port}/") for port in ports]
    told: list[list[str]] = []
    with Network(members, tmp_path) as network:
        watched = processes(network)
        wait_until_ready(network, told.append)
        assert network.ended() == {}
    assert_gone(watched)
    assert {name for waiting in told for name in waiting} <= {m.name for m in members}


def test_an_exception_in_the_block_leaves_nothing_behind(tmp_path):
    watched: list[psutil.Process] = []

    def fail() -> None:
        with Network([member("a", WAITS), member("b", WAITS)], tmp_path) as network:
            watched.extend(processes(network))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert_gone(watched)


def test_a_member_that_does_not_listen_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STOP_S", 0.1)
    with Network([member("deaf", DEAF)], tmp_path) as network:
        watched = processes(network)
        wait_for_log(network, "deaf")
    assert_gone(watched)


def test_what_a_member_has_started_goes_with_it(tmp_path):
    with Network([member("parent", HAS_CHILD)], tmp_path) as network:
        watched = [psutil.Process(int(wait_for_log(network, "parent")))]
    assert_gone(watched)


def test_a_member_that_cannot_be_started_takes_the_others_with_it(tmp_path):
    (tmp_path / "b.log").mkdir()
    network = Network([member("a", WAITS), member("b", WAITS)], tmp_path)
    with pytest.raises(IsADirectoryError), network:
        pass
    assert network._running == {}
    children = psutil.Process().children(recursive=True)
    assert not [child for child in children if WAITS in " ".join(child.cmdline())]


def test_a_member_that_ends_while_starting_is_told_with_its_last_words(tmp_path):
    port = free_ports(1)[0]
    dying = member("dying", "import sys; sys.exit('port taken')", url=f"http://127.0.0.1:{port}/")
    words = "dying ended with code 1 while starting: port taken"
    with Network([dying], tmp_path) as network, pytest.raises(Stop, match=words) as stop:
        wait_until_ready(network, lambda _: None)
    assert stop.value.code is ExitCode.FAILED


def test_waiting_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "READY_S", 0.0)
    silent = member("silent", WAITS, url=f"http://127.0.0.1:{free_ports(1)[0]}/")
    with pytest.raises(Stop, match="not ready after 0 s: silent"), Network([silent], tmp_path) as network:
        wait_until_ready(network, lambda _: None)


def test_the_folder_of_the_user_provides_no_modules(tmp_path, monkeypatch):
    (tmp_path / "ctypes.py").write_text("raise RuntimeError('shadowed')")
    monkeypatch.chdir(tmp_path)
    with Network([member("a", WAITS)], tmp_path) as network:
        assert wait_for_log(network, "a") == "up"


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda number: number.name
)
def test_nothing_survives_the_process_that_started_it(tmp_path, number):
    with holding(tmp_path) as (holder, watched):
        holder.send_signal(number)
        holder.wait()
        assert_gone(watched)


def test_nothing_survives_a_failure_of_the_process_that_started_it(tmp_path):
    with holding(tmp_path) as (holder, watched):
        holder.stdin.close()
        assert holder.wait() == 1
        assert_gone(watched)


@contextmanager
def holding(logs: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """Start a process that holds a network of two until its standard input ends."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(logs)], text=True, **pipes) as holder:
        yield holder, [psutil.Process(int(pid)) for pid in holder.stdout.readline().split()]


def test_a_child_whose_parent_is_gone_already_does_not_start():
    done = subprocess.run(
        [sys.executable, str(module.LAUNCHER), "1", sys.executable, "-c", "print('started')"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""

"""The shipped specialists that ask, behind the coordinator, asked about and answered by the command line."""

import asyncio
import json
import os
import pty
import subprocess
import sys

import httpx
import pytest

from tests.protocol.clients import calling

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("processes")]

CODE = "import os\n\nx = 'one'\ny = 'two'\nz = \"three\"\n"


@pytest.fixture
def asked(network, tmp_path):
    """A network of one reviewer and both that ask, with a file to review."""
    for name in ("lint", "style", "licences"):
        network.specialist(name)
    network.coordinator()
    file = tmp_path / "a.py"
    file.write_text(CODE)
    return network, file


def questions(network):
    """What waits at the only task, by agent."""
    told = network.run("tasks", "--waiting", "--json")
    [task] = json.loads(told.stdout)["waiting"]
    return task["taskId"], {asked["agent"]: asked for asked in task["questions"]}


def page_of(question):
    return next(part["url"] for part in question["parts"] if "url" in part)


async def ended(url, task):
    """Follow a task to its end through whatever it waits for."""
    async with calling(url, "JSONRPC") as caller:
        await caller.end_of(task)


def test_a_question_and_an_authorisation_are_answered_from_other_shells(asked):
    network, file = asked
    code, told = network.review(file)
    assert (code, told["state"]) == (5, "TASK_STATE_INPUT_REQUIRED")
    task, open_ = questions(network)
    assert list(open_) == ["style"]
    unusable = network.run("answer", task, "neither")
    assert unusable.returncode in {0, 5}  # the specialist judges it, and on a busy machine takes longer than we stay
    assert ("'neither' is none of the choices" in unusable.stdout) == (unusable.returncode == 5)
    waited = network.run("watch", task)
    assert waited.returncode == 5
    assert "'neither' is none of the choices" in waited.stdout
    _, open_ = questions(network)
    assert network.run("answer", task, f"{open_['style']['id']}=double").returncode in {0, 5}
    assert network.run("watch", task).returncode == 5
    _, open_ = questions(network)
    assert list(open_) == ["licences"]
    assert open_["licences"]["kind"] == "auth"
    assert httpx.post(page_of(open_["licences"])).status_code == 200
    asyncio.run(ended(network.url, task))
    done = network.run("watch", task, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["run"]["verdict"] == "complete"
    report = network.run("show", task, "--report").stdout
    assert "quote-style" in report
    assert "missing-licence" in report
    assert "unused-import" in report


def test_in_the_terminal_one_command_goes_all_the_way(asked):
    network, file = asked
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "coordinator.cli", "--server", network.url, "review", str(file)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    _read_until(ours, b"Without an answer", b"your answer (empty leaves it open): ")
    os.write(ours, b"double\n")
    _read_until(ours, b"wants an authorisation", b"your answer (empty leaves it open): ")
    _, open_ = questions(network)
    httpx.post(page_of(open_["licences"]))
    _read_until(ours, b"the task goes on")
    _rest(ours)
    report, _ = process.communicate()
    os.close(ours)
    assert process.returncode == 0
    assert b"quote-style" in report
    assert b"missing-licence" in report


def _read_until(terminal, *words):
    seen = b""
    while not all(word in seen.lower() for word in (word.lower() for word in words)):
        seen += os.read(terminal, 4096)


def _rest(terminal):
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:
        pass  # the way Linux says that the other side is closed

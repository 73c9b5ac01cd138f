"""The program as a process: pipes, terminals, Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from tests.cli.stand_in import COMPLETE, asking, branch, progress, question, until_canceled

pytestmark = pytest.mark.processes

HANGING = [progress(branch("lint", "working")), until_canceled]


def command(url, *arguments):
    return [sys.executable, "-m", "coordinator.cli", "--server", url, *map(str, arguments)]


@pytest.fixture
def started(url):
    """Start the program; whatever a test does, it is gone afterwards."""
    processes = []

    def start(*arguments, **options):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        process = subprocess.Popen(command(url, *arguments), text=True, **pipes)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def read_until(process, words):
    """Read lines of stderr up to the one with *words*."""
    lines = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError(f"{words!r} never came: {lines}")


def test_in_a_pipe_there_are_no_colours_and_nothing_is_redrawn(url, coordinator, code):
    coordinator.steps = COMPLETE
    done = subprocess.run(command(url, "review", code), capture_output=True, check=False)
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout + done.stderr
    assert all(line == line.rstrip() for line in done.stdout.decode().splitlines())
    assert b"2 findings" in done.stdout
    assert b"lint: working" in done.stderr


def test_json_on_stdout_is_one_object_and_nothing_else(url, coordinator, code):
    coordinator.steps = COMPLETE
    done = subprocess.run(command(url, "review", code, "--json"), capture_output=True, check=False)
    assert json.loads(done.stdout)["state"] == "TASK_STATE_COMPLETED"
    assert b"\x1b" not in done.stdout


def test_on_a_terminal_the_branches_are_drawn(url, coordinator, code):
    coordinator.steps = COMPLETE
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(url, "review", code), stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    drawn = b""
    while block := _read(ours):
        drawn += block
    os.close(ours)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert b"\x1b[" in drawn
    assert b"task 0badcafe-1111" in drawn
    assert b"2 findings" in out


def _read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:  # the way Linux says that the other side is closed
        return b""


@pytest.fixture
def at_a_terminal(url):
    """Start the program at a terminal: yields a function that returns the process, and the other side of it."""
    opened = []

    def start(*arguments):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            command(url, *arguments),
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(theirs)
        opened.append((process, ours))
        return process, ours

    yield start
    for process, ours in opened:
        process.kill()
        process.wait()
        process.stdout.close()
        os.close(ours)


def _seen(terminal, words=None):
    """Read what is drawn up to *words*, or to the end."""
    drawn = b""
    while words is None or words not in drawn:
        if not (block := _read(terminal)):
            break
        drawn += block
    return drawn


def test_a_question_is_answered_at_the_terminal(at_a_terminal, coordinator, code):
    coordinator.steps = [asking(question("1"))]
    coordinator.answer_steps = [COMPLETE]
    process, terminal = at_a_terminal("review", code)
    drawn = _seen(terminal, b"your answer (empty leaves it open): ")
    assert b"tabs or spaces?" in drawn
    os.write(terminal, "größer\n".encode())
    _seen(terminal)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert coordinator.requests[1].message.parts[0].text == "größer"
    assert b"2 findings" in out


@pytest.mark.parametrize("form", [["review", "."], ["watch", "0bad"], ["answer", "0bad"]], ids=lambda form: form[0])
def test_ctrl_c_at_a_question_leaves_the_task_waiting_and_says_how_to_answer(at_a_terminal, coordinator, form):
    asked = asking(question("1"))
    asked(coordinator, coordinator.new_task())
    coordinator.steps = [asked]
    process, terminal = at_a_terminal(*form)
    _seen(terminal, b"your answer (empty leaves it open): ")
    process.send_signal(signal.SIGINT)
    told = _seen(terminal)
    assert process.wait() == 130
    assert b"left; the task waits" in told
    assert b"answer with: coordinator answer 0badcafe-1111 1=TEXT" in told
    assert b"Traceback" not in told
    assert "CancelTask" not in coordinator.calls


def test_no_input_asks_nobody_although_there_is_a_terminal(at_a_terminal, coordinator, code):
    coordinator.steps = [asking(question("1"))]
    process, terminal = at_a_terminal("review", code, "--no-input")
    assert b"your answer" not in _seen(terminal)
    assert process.wait() == 5


def test_the_end_of_input_leaves_a_question_open(at_a_terminal, coordinator, code):
    coordinator.steps = [asking(question("1"))]
    process, terminal = at_a_terminal("review", code)
    _seen(terminal, b"your answer (empty leaves it open): ")
    os.write(terminal, b"\x04")
    _seen(terminal)
    assert process.wait() == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_cancels_the_task_and_says_so(started, coordinator, code, number):
    coordinator.steps = HANGING
    process = started("review", code)
    read_until(process, "lint: working")
    process.send_signal(number)
    _, told = process.communicate()
    assert process.returncode == 130
    assert coordinator.calls == ["SendStreamingMessage", "CancelTask"]
    assert "canceling task 0badcafe-1111 (Ctrl-C again leaves at once)" in told
    assert "task 0badcafe-1111 is canceled" in told
    assert "Traceback" not in told


def test_a_second_ctrl_c_leaves_at_once(started, coordinator, code):
    coordinator.steps = HANGING
    coordinator.cancel_hangs = True
    process = started("review", code)
    read_until(process, "lint: working")
    process.send_signal(signal.SIGINT)
    read_until(process, "canceling task")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in told


def test_ctrl_c_leaves_a_watched_task_alone(started, coordinator):
    coordinator.new_task()
    coordinator.later_steps = HANGING
    process = started("watch", "0bad")
    read_until(process, "lint: working")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert "left; the task goes on" in told
    assert "CancelTask" not in coordinator.calls


def test_a_background_job_without_ctrl_c_can_still_be_ended(started, coordinator, code):
    coordinator.steps = HANGING
    process = started("review", code, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    read_until(process, "lint: working")
    process.terminate()
    process.communicate()
    assert process.returncode == 130
    assert "CancelTask" in coordinator.calls


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_reader_that_goes_away_is_no_reason_to_complain(started, form):
    process = started("agents", *form)
    process.stdout.close()
    assert process.stderr.read() == ""


def test_a_bug_is_told_in_one_line(url, code):
    program = "from coordinator.cli import program, main; program._add_servers = None; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: this is a bug of the program: TypeError")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["review", "--help"]])
def test_help_does_not_wait_for_the_heavy_imports(arguments):
    program = (
        "import sys; from coordinator.cli.program import program\n"
        "try: program()(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(sorted({'a2a', 'httpx', 'sqlalchemy', 'uvicorn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"

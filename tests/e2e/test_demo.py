"""The first thing a newcomer runs: it works, tells the truth, and leaves nothing behind."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]


def demo(*arguments):
    command = [sys.executable, "-m", "coordinator.cli", "demo", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def left_behind(session):
    """Return the processes of the session that are still there after a moment to end."""
    members = [process for process in psutil.process_iter() if is_of(process, session)]
    _, alive = psutil.wait_procs(members, timeout=15)
    return alive


def is_of(process, session):
    try:
        return os.getsid(process.pid) == session
    except (ProcessLookupError, PermissionError):
        return False


def test_the_demo_prints_the_merged_report_and_leaves_no_process_behind():
    process = demo()
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "shell-injection  2 votes" in out
    assert "lint S602" in out
    assert "security B602" in out
    assert "5 of 5 branches succeeded" in out
    assert "the wall clock" in out
    assert left_behind(process.pid) == []


@pytest.mark.parametrize("moment", ["starting", "task"])
def test_ctrl_c_ends_the_demo_and_all_it_started(moment):
    process = demo()
    for line in process.stderr:
        if line.startswith(moment):
            process.send_signal(signal.SIGINT)
            break
    _, err = process.communicate()
    # Before the program has taken the signal over the system ends it, and shells say 130 all the same.
    assert process.returncode in {130, -signal.SIGINT}
    assert "Traceback" not in err
    assert left_behind(process.pid) == []

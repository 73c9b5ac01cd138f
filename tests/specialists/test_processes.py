"""The child processes: limits, cancels, and what is left when somebody is killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from a2a.types.a2a_pb2 import CancelTaskRequest, SendMessageRequest, TaskState

from specialist_agents.analysis import limits
from specialist_agents.testing import connected, findings_in, message_of, running, send, task_of
from specialist_agents.workshop import Limits

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
GONE_WITHIN_S = 20


def _worker(code):
    """A worker that runs *code* instead of an analysis."""
    return [sys.executable, "-I", "-u", "-c", code]


#: Starts a program of its own, as the worker starts ruff, and never ends.
ENDLESS = _worker(
    "import subprocess, sys, time\n"
    f"sys.path.insert(0, {str(ROOT)!r})\n"
    "from specialist_agents.analysis.limits import guarded\n"
    "subprocess.Popen(guarded([sys.executable, '-S', '-c', 'import time; print(flush=True); time.sleep(900)']),\n"
    "                 stdout=subprocess.PIPE).stdout.readline()\n"
    "print('endless', flush=True)\n"
    "time.sleep(900)\n"
)

#: An agent in a process of its own, with the worker given as JSON; prints its URL.
AGENT = """
import json, sys, uvicorn
from specialist_agents.app import create_app
from specialist_agents.cards import at_address, base_url, read_card
from specialist_agents.server import bound, settings
card = read_card("lint")
with bound("127.0.0.1", 0) as listening:
    url = base_url("127.0.0.1", listening.getsockname()[1], card)
    app = create_app(at_address(card, url), worker=json.loads(sys.argv[1]))
    print(url, flush=True)
    uvicorn.Server(settings(app, 1)).run(sockets=[listening])
"""


async def _gone(processes):
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, timeout=GONE_WITHIN_S)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


async def _working(client):
    """Send a review and return its task's id once the child is at work."""
    async for event in client.send_message(SendMessageRequest(message=message_of({"a.py": "x = 1"}))):
        if event.status_update.status.state == TaskState.TASK_STATE_WORKING:
            return event.status_update.task_id
    raise AssertionError("it never worked")


async def _agent_process(tmp_path):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", AGENT, json.dumps(ENDLESS)),
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    return process, (await process.stdout.readline()).decode().strip()


async def test_a_cancel_ends_the_child_with_all_it_started(children_of, tmp_path):
    async with running("lint", worker=ENDLESS, folder=tmp_path) as url, connected(url) as client:
        task_id = await _working(client)
        children = children_of(os.getpid())
        assert len(children) == 2
        canceled = await client.cancel_task(CancelTaskRequest(id=task_id))
        assert await _gone(children)
    assert canceled.status.state == TaskState.TASK_STATE_CANCELED


async def test_a_cancel_while_waiting_for_a_turn_starts_no_child(children_of, tmp_path):
    one = running("lint", worker=ENDLESS, folder=tmp_path, limits=Limits(concurrent=1))
    async with one as url, connected(url) as client, connected(url, streaming=False, polling=True) as impatient:
        await _working(client)
        waiting = task_of(await send(impatient, message_of({"b.py": "x = 2"})))
        canceled = await client.cancel_task(CancelTaskRequest(id=waiting.id))
        assert len(children_of(os.getpid())) == 2
    assert canceled.status.state == TaskState.TASK_STATE_CANCELED


async def test_an_agent_that_stops_ends_its_children(children_of, tmp_path):
    async with running("lint", worker=ENDLESS, folder=tmp_path) as url, connected(url) as client:
        await _working(client)
        children = children_of(os.getpid())
    assert len(children) == 2
    assert await _gone(children)
    assert list(tmp_path.iterdir()) == []


async def test_a_killed_agent_leaves_no_child_and_the_next_one_sweeps_its_folder(children_of, tmp_path):
    process, url = await _agent_process(tmp_path)
    try:
        async with connected(url) as client:
            await _working(client)
            children = children_of(process.pid)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        assert len(children) == 2
        assert await _gone(children)
    finally:
        await asyncio.to_thread(_kill_all, children_of(process.pid))
    assert len(list(tmp_path.iterdir())) == 1
    async with running("lint", folder=tmp_path):
        own = list(tmp_path.iterdir())
    assert len(own) == 1
    assert list(tmp_path.iterdir()) == []


def _kill_all(processes):
    for process in processes:
        process.kill()


async def test_an_agent_told_to_stop_cleans_up(children_of, tmp_path):
    process, url = await _agent_process(tmp_path)
    async with connected(url) as client:
        await _working(client)
        children = children_of(process.pid)
        process.send_signal(signal.SIGTERM)
        await process.wait()
    assert await _gone(children)
    assert list(tmp_path.iterdir()) == []


def test_a_child_whose_parent_is_already_gone_never_starts(tmp_path):
    mark = tmp_path / "started"
    stranger = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    command = [sys.executable, "-I", "-S", str(limits.LAUNCHER), stranger.stdout.decode().strip(), "0", "0"]
    ended = subprocess.run([*command, sys.executable, "-c", f"open({str(mark)!r}, 'w')"], check=False)
    assert ended.returncode == 113
    assert not mark.exists()


@pytest.mark.parametrize(
    ("code", "allowed", "reason"),
    [
        ("import time; time.sleep(900)", Limits(wall_s=0.5), "the review took longer than 0.5 seconds"),
        ("while True: pass", Limits(cpu_s=1), "the review used more than 1 seconds of CPU time"),
        ("bytearray(1 << 30)", Limits(memory_mb=256), "the review needed more than 256 MiB of memory"),
        ("import os; os.abort()", Limits(), "the review ended with SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), 9)", Limits(), "SIGKILL (often the sign of too little memory)"),
        ("pass", Limits(), "the review ended without an answer"),
        ("raise SystemExit('no such luck')", Limits(), "the review ended with exit status 1: no such luck"),
        ("import resource as r, sys; sys.exit(str(r.getrlimit(r.RLIMIT_FSIZE)))", Limits(), f"{(1 << 29, 1 << 29)}"),
        ("import resource as r, sys; sys.exit(str(r.getrlimit(r.RLIMIT_CORE)))", Limits(), "(0, 0)"),
    ],
)
async def test_a_child_that_fails_fails_the_task_and_says_why(tmp_path, code, allowed, reason):
    async with running("lint", worker=_worker(code), folder=tmp_path, limits=allowed) as url, connected(url) as client:
        task = task_of(await send(client, message_of({"a.py": "x = 1"})))
    assert task.status.state == TaskState.TASK_STATE_FAILED
    assert reason in task.status.message.parts[0].text
    assert list(tmp_path.iterdir()) == []


async def test_a_file_too_large_for_the_memory_limit_is_a_finding(tmp_path):
    code = "x = [" + "[1, 2, 3], " * 300_000 + "]\n"
    async with running("lint", limits=Limits(memory_mb=100), folder=tmp_path) as url, connected(url) as client:
        task = task_of(await send(client, message_of({"a.py": code})))
    assert [finding["kind"] for finding in findings_in(task.artifacts)] == ["not-reviewed"]


async def test_too_many_findings_fail_the_task_and_say_how_many():
    code = "".join(f"import module_{number}\n" for number in range(20))
    async with running("deadcode", limits=Limits(max_findings=19)) as url, connected(url) as client:
        task = task_of(await send(client, message_of({"a.py": code})))
    assert task.status.state == TaskState.TASK_STATE_FAILED
    assert task.status.message.parts[0].text == "20 findings; the limit is 19: send fewer files"


async def test_findings_that_do_not_match_their_schema_are_never_sent():
    wrong = _worker(
        "import json, pathlib, sys\n"
        "place = pathlib.Path(sys.argv[1]).parent\n"
        "good = {'schema': 'findings/v1', 'findings': []}\n"
        "(place / 'findings-00000.json').write_text(json.dumps(good))\n"
        "(place / 'findings-00001.json').write_text(json.dumps(good | {'findings': [{'rule': 'X'}]}))\n"
    )
    async with running("lint", worker=wrong) as url, connected(url) as client:
        events = await send(client, message_of({"a.py": "x = 1"}))
    task = task_of(events)
    assert task.status.state == TaskState.TASK_STATE_FAILED
    assert "do not match their schema at 'findings/0'" in task.status.message.parts[0].text
    assert not task.artifacts

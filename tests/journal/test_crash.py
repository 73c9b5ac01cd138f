"""A process that writes is killed in the middle of it: what it was told is written, is written."""

import signal
import subprocess
import sys

import pytest

from coordinator.journal import SqlJournal

pytestmark = pytest.mark.processes

APPEND_FOR_EVER = """
import asyncio, sys
from coordinator.journal import HeadChange, NewTask, Payload, Record, Scope, SqlJournal, Status

async def main():
    journal = await SqlJournal.open(sys.argv[1])
    async with asyncio.TaskGroup() as group:
        for task_id in ("t1", "t2", "t3"):
            group.create_task(drive(journal, task_id))

async def drive(journal, task_id):
    if await journal.head(task_id) is None:
        await journal.accept(NewTask(task_id, "c", Scope("alice"), "p", "submitted", 1.0), Record("A", 1, "1"))
    claim = await journal.claim(task_id, "driver")
    while True:
        records = [Record("A", 1, str(claim.seq + n)) for n in (1, 2, 3)]
        claim = await journal.append(claim, records, HeadChange("working", Status.DUE, 1.0))
        print(task_id, claim.seq, flush=True)

asyncio.run(main())
"""


def killed_after(path, lines: int) -> dict[str, int]:
    """Return the last seq of each task that the process heard was committed."""
    command = [sys.executable, "-c", APPEND_FOR_EVER, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        heard = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        # Not `communicate`: it would leave out what the lines before it left in the buffer.
        rest, errors = process.stdout.read(), process.stderr.read()
    assert process.returncode == -signal.SIGKILL, errors
    # What the kill cut off in the middle of a line was not said.
    whole = [line.split() for line in "".join([*heard, rest]).split("\n")[:-1]]
    return {task_id: int(seq) for task_id, seq in whole}


@pytest.fixture(params=["path", "postgres_url"], ids=["sqlite", "postgres"])
def where(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("lines", [3, 50, 400])
async def test_a_killed_writer_leaves_a_journal_without_gaps_and_nothing_it_was_told_is_missing(where, lines):
    for _ in range(2):
        acknowledged = killed_after(where, lines)
        assert acknowledged
        journal = await SqlJournal.open(where)
        for task_id, seq in acknowledged.items():
            entries = await journal.read(task_id)
            head = await journal.head(task_id)
            assert [entry.seq for entry in entries] == list(range(1, head.seq + 1))
            assert [int(entry.record.body) for entry in entries] == [entry.seq for entry in entries]
            assert head.seq >= seq
            assert (head.seq - 1) % 3 == 0
        await journal.close()

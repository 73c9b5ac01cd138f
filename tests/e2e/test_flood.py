"""A flood, an endless stream, 1 GB, 100,000 updates: memory stays within its bound, others finish.

The coordinator is a process of its own with the sizes it ships with; its peak is what the kernel says.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from a2a.types import a2a_pb2 as a2a

from coordinator.core.extension import RUN
from coordinator.outbound import Bounds, shared_http_client
from coordinator.testing import Behaviour, Specialist, fleet_process
from tests.benchmarks.rig import Coordinator, coordinator
from tests.protocol.clients import message, metadata_of

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc"),
]

REFUSED, TAKEN = 3 * Bounds().answer, 20 * Bounds().answer
"""What docs/waiting.md promises: at most so many bytes above rest for an answer that is refused, and for the largest
one that is taken, merged and handed on."""

MOST_FACTS = 80

FLOODS = {
    "1 GB in one answer": (Behaviour(gush=1_000_000_000), "too_large"),
    "1 GB in one event": (Behaviour(gush=1_000_000_000), "too_large"),
    "a stream without end": (Behaviour(endless_s=0.001, padding=20_000), "too_large"),
    "the largest answer allowed": (Behaviour(oversized=15_000_000), "none"),
    "100,000 updates": (Behaviour(updates=100_000), "too_large"),
}


def peak(process: psutil.Process) -> int:
    """Return the most bytes a process has ever had resident."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


async def asked(running: Coordinator) -> a2a.Task:
    """Send a message and return the task in the end."""
    request = a2a.SendMessageRequest(message=message(), configuration=a2a.SendMessageConfiguration(history_length=0))
    (answer,) = [answer async for answer in running.client.send_message(request)]
    return answer.task


def facts_of(db: Path, task_id: str) -> int:
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("select count(*) from journal where task_id = ?", (task_id,)).fetchone()
        return int(count)


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_is_a_failed_branch_and_nothing_more(flood: str, tmp_path: Path) -> None:
    script, kind = FLOODS[flood]
    specialists = [Specialist("flood", script, streaming="answer" not in flood), Specialist("good")]
    async with fleet_process(specialists) as fleet, shared_http_client(100.0) as http:
        cards = await fleet.write_cards(tmp_path / "cards")
        await fleet.behave("flood", Behaviour())
        async with coordinator(tmp_path / "a", cards, http) as running:
            await running.round()
            before = peak(running.process)
            await fleet.behave("flood", script)
            task = await asked(running)
            branches = {branch["agent"]: branch for branch in metadata_of(task)[RUN]["branches"]}
            assert branches["flood"].get("error", {}).get("kind", "none") == kind
            assert branches["good"]["outcome"] == "succeeded"
            assert facts_of(tmp_path / "a" / "journal.db", task.id) < MOST_FACTS
            grown = peak(running.process) - before
            assert grown < (TAKEN if kind == "none" else REFUSED)

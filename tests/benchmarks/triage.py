"""What many agents are good for: 200 mails with one triage agent and with twenty.

Each agent takes one batch of ten at a time and waits two seconds with each answer, as one with a model
would. The agents share this process, their analyses and the coordinator are processes of their own.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from a2a.client import Client, ClientCallContext
from a2a.types import a2a_pb2 as a2a

from coordinator.cli.mails import mail_parts, pack_mails
from coordinator.cli.message import Parameters, request
from coordinator.outbound import shared_http_client
from specialist_agents.workshop import Limits
from tests.benchmarks.report import Figure
from tests.benchmarks.rig import PATIENCE_S, coordinator
from tests.mails.network import PLAN, mail_agents
from tests.mails.queues import queue_in

MAILS = Path("coordinator/sample/mails.mbox")
MODEL_S, MANY = 2.0, 20
WAIT_S = 300.0


async def run(*, quick: bool) -> list[Figure]:
    """Return both times and their ratio. Raises `RuntimeError` unless both queues are whole and the same."""
    mails = pack_mails(MAILS, 60 if quick else None)
    with tempfile.TemporaryDirectory() as folder:
        one_s, one = await _triaged(Path(folder) / "one", 1, mail_parts(mails))
        many_s, many = await _triaged(Path(folder) / "many", MANY, mail_parts(mails))
    if one != many or sorted(mail for mail, _ in one) != [mail.name for mail in mails]:
        raise RuntimeError("the queues are not the same, or a mail is not in them exactly once")
    return [
        Figure("triage", f"{len(mails)} mails, 1 agent, {MODEL_S:g} s a batch", one_s, "s"),
        Figure("triage", f"{len(mails)} mails, {MANY} agents, {MODEL_S:g} s a batch", many_s, "s"),
        Figure("triage", "ratio", one_s / many_s, ""),
    ]


async def _triaged(place: Path, agents: int, parts: list[a2a.Part]) -> tuple[float, Sequence[tuple[str, str]]]:
    """Return how long it took, and the queue as mails with their urgency."""
    limits = Limits(concurrent=1, pause_s=MODEL_S)
    settings = {"plans": [str(PLAN)], "default_plan": "mail-triage"}
    async with (
        mail_agents(place / "cards", agents, limits) as cards,
        shared_http_client(PATIENCE_S) as http,
        coordinator(place / "coordinator", cards, http, **settings) as running,
    ):
        before = time.perf_counter()
        task = await _completed(running.client, parts)
        return time.perf_counter() - before, queue_in(task)


async def _completed(client: Client, parts: list[a2a.Part]) -> a2a.Task:
    sent = request(parts, Parameters())
    last = a2a.Task()
    async for event in client.send_message(sent, context=ClientCallContext(timeout=WAIT_S)):
        last = event.task
    if last.status.state != a2a.TASK_STATE_COMPLETED:
        raise RuntimeError(f"the task ended as {a2a.TaskState.Name(last.status.state)}")
    return last

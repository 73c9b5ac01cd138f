"""The agent in the guide is a file that runs: as a process, behind a coordinator, asked by a client."""

import sys

import pytest

from coordinator.testing import fleet
from tests.documents.test_examples import ROOT, blocks
from tests.escalation.rig import plan, reply, results, words
from tests.others.processes import agent
from tests.policies.rig import coordinating
from tests.protocol.clients import message

pytestmark = pytest.mark.processes

GUIDE = "docs/writing-a-specialist.md"
LINES_OF_A_PAGE = 70


def test_the_guide_is_under_a_page():
    assert len((ROOT / GUIDE).read_text(encoding="utf-8").splitlines()) < LINES_OF_A_PAGE


async def test_the_agent_shown_answers_asks_and_fails_behind_a_coordinator(tmp_path):
    (program,) = blocks(GUIDE, "python")
    file = tmp_path / "glossary.py"
    file.write_text(program, encoding="utf-8")
    async with (
        agent(tmp_path, sys.executable, file, "--port", "{port}", environment={"PYTHONPATH": str(ROOT)}) as url,
        fleet([]) as nobody,
        coordinating(tmp_path, nobody, plan(["glossary"]), agents=[url]) as it,
    ):
        answered = await it.caller.send(message("What are SSE and RPC?"))
        asked = await it.caller.send(message("What are SSE and A-OK?"))
        assert "What does OK stand for?" in words(asked)
        told = await it.caller.send(reply(asked, "all correct"))
        failed = await it.caller.send(message("nothing"))
    assert results(answered) == [{"SSE": "server-sent events", "RPC": "remote procedure call"}]
    assert results(told) == [{"SSE": "server-sent events", "OK": "all correct"}]
    assert "there is no abbreviation in this text" in words(failed)

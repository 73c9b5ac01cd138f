"""The research agents end to end: a client of the SDK, loopback sockets, the work in child processes."""

import json
from uuid import uuid4

import jsonschema_rs
import pytest
from a2a.types.a2a_pb2 import Message, Part, Role, TaskState
from a2a.utils.errors import InvalidParamsError
from google.protobuf.json_format import MessageToDict

from coordinator.cli.repository import ALL_MODES, pack_repository
from specialist_agents.cards import CARDS, read_card
from specialist_agents.testing import connected, running, send, task_of
from specialist_agents.trades import RESEARCH
from tests.research.repositories import AGENTS, made

QUESTION = Part(text="How is the tax_rate of the total applied?")
BEST = {
    "search-source": "shop/basket.py:7",
    "search-tests": "tests/test_basket.py:4",
    "search-documentation": "README.md:5",
    "search-dependencies": "pyproject.toml:4",
}


async def answered(name, *parts):
    """Return the finished task of a message to the agent, and the items in it."""
    async with running(name) as url, connected(url) as client:
        message = Message(message_id=str(uuid4()), role=Role.ROLE_USER, parts=parts)
        task = task_of(await send(client, message))
    documents = [MessageToDict(part.data) for artifact in task.artifacts for part in artifact.parts]
    schema = jsonschema_rs.validator_for(json.loads((CARDS / "schemas/passages-v1.json").read_text("utf-8")))
    for document in documents:
        schema.validate(document)
    return task, [item for document in documents for item in document["items"]]


def test_there_is_an_agent_for_each_kind_of_source():
    assert sorted(RESEARCH) == list(AGENTS)
    for name in AGENTS:
        card = read_card(name)
        assert card.name == name
        assert [skill.id for skill in card.skills][1] == "repository-research"


@pytest.mark.parametrize("name", AGENTS)
async def test_an_agent_finds_the_answer_in_its_own_kind_of_source(name, tmp_path):
    task, items = await answered(name, QUESTION, *pack_repository([made(tmp_path)], ALL_MODES).parts)
    assert task.status.state == TaskState.TASK_STATE_COMPLETED, task.status.message
    assert [artifact.name for artifact in task.artifacts] == ["passages"]
    best = items[0]
    if name == "search-history":
        assert (best["title"], best["citation"][:7]) == ("Baskets know the tax", "commit ")
        assert "adds tax_rate (4 more, 0 less)" in best["excerpt"] or "tax" in best["excerpt"]
    else:
        assert best["citation"] == BEST[name]
    assert "tax" in best["terms"]
    assert [item["confidence"] for item in items] == sorted((item["confidence"] for item in items), reverse=True)


async def test_a_message_without_a_question_is_refused():
    file = Part(raw=b"x = 1", filename="a.py", media_type="text/x-python")
    async with running("search-source") as url, connected(url) as client:
        for parts, complaint in (
            ((file,), "no question: send it"),
            ((Part(text="x" * 2001), file), "the limit is 2000"),
        ):
            with pytest.raises(InvalidParamsError, match=complaint):
                await send(client, Message(message_id=str(uuid4()), role=Role.ROLE_USER, parts=parts))


async def test_a_question_without_files_is_rejected_and_one_of_filler_fails():
    task, _ = await answered("search-source", QUESTION)
    assert task.status.state == TaskState.TASK_STATE_REJECTED
    file = Part(raw=b"x = 1", filename="a.py", media_type="text/x-python")
    task, _ = await answered("search-source", Part(text="who is it?"), file)
    assert task.status.message.parts[0].text == "the question holds no word to search for"


async def test_binary_files_and_strange_text_do_no_harm():
    odd = Part(raw="tax\x1b[2J \udcff".encode("utf-8", "surrogatepass"), filename="odd.js", media_type="text/x-source")
    binary = Part(raw=b"tax\0tax", filename="b.js", media_type="text/x-source")
    _, [item] = await answered("search-source", Part(text="tax"), odd, binary)
    assert item["path"] == "odd.js"
    assert item["excerpt"].startswith("tax [2J")

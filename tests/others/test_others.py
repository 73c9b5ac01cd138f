"""Agents that others' frameworks serve, as processes, behind the coordinator: `make test-others`.

Each of them says what it heard; the words `NAME: fail`, `NAME: hang` and `NAME: ask` in the message make it do that.
"""

import json
import sys
from contextlib import AsyncExitStack, aclosing

import pytest
from a2a.types import a2a_pb2 as a2a
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value

from coordinator.cli import listing
from coordinator.config import AgentEntry, load_settings
from coordinator.core.extension import ANSWER, PROGRESS, URI
from coordinator.core.model import RemoteTask
from coordinator.directory import card_at, known_agent
from coordinator.outbound import AgentCalls, shared_http_client
from coordinator.testing import fleet
from coordinator.wire import struct_out
from tests.escalation.rig import ACTIVE, by_agent, parts_reply, questions, reply, state, words
from tests.others.environments import command_of
from tests.others.processes import CARD, ROOT, agent
from tests.policies.rig import Answer, coordinating
from tests.protocol.clients import message, metadata_of
from tests.protocol.environment import NotInstalled

pytestmark = [pytest.mark.others, pytest.mark.timeout(400)]

OTHERS = ("strands", "fasta2a", "javascript", "adk")
HEARD = {
    "adk": "ADK heard: hello",
    "strands": "Strands heard: hello\n",
    "fasta2a": "FastA2A heard: hello",
    "javascript": "JavaScript heard: hello",
    "ours": "Ours heard: hello",
}
OURS = """
from specialist_agents.template import serve

async def answer(request):
    return "Ours heard: " + request.text.splitlines()[0]

skill = {"id": "echo", "name": "Echo", "description": "Says what it heard.", "tags": ["echo"]}
serve(answer, {"name": "ours", "description": "Says what it heard.", "skills": [skill]})
"""


def command(name, folder):
    if name == "ours":
        script = folder / "ours.py"
        script.write_text(OURS, encoding="utf-8")
        return [sys.executable, script, "--port", "{port}"]
    try:
        return command_of(name)
    except NotInstalled as error:
        pytest.fail(f"{name} cannot be tried: {error}")


def process(name, folder, *options):
    return agent(folder, *command(name, folder), *options, environment={"PYTHONPATH": str(ROOT)})


@pytest.fixture
async def network(tmp_path):
    """Return a function that starts agents, and a coordinator with one plan over all of them."""
    async with AsyncExitStack() as stack:

        async def start(*names, wait="auto", options=(), **stage):
            urls = {name: await stack.enter_async_context(process(name, tmp_path, *options)) for name in names}
            entries = [{"card": url, "name": name, "wait": wait} for name, url in urls.items()]
            everybody = {"fan_out": {"to": {"agents": list(names)}}, "merge": "concat", **stage}
            plan = {"name": "all", "description": "Everybody.", "stages": {"all": everybody}}
            nobody = await stack.enter_async_context(fleet([]))
            return await stack.enter_async_context(
                coordinating(tmp_path, nobody, plan, agents=entries, headers=ACTIVE)
            ), urls

        yield start


def parts_of(task):
    """The texts of each agent, part by part."""
    told = {}
    for part in (part for artifact in task.artifacts for part in artifact.parts):
        told.setdefault(metadata_of(part)[f"{URI}/source"]["agent"], []).append(part.text)
    return told


def said(task):
    return {name: "".join(texts) for name, texts in parts_of(task).items()}


async def at(url, name, branch):
    """The task of a branch as its agent has it."""
    async with shared_http_client(10.0) as http:
        ref = known_agent(await card_at(http, url), AgentEntry(card=url, name=name), url).ref
        return await AgentCalls(http).task(ref, RemoteTask(branch["taskId"], branch["contextId"]))


@pytest.mark.parametrize("wait", ["stream", "poll"])
@pytest.mark.parametrize("name", OTHERS)
async def test_each_of_them_answers_by_stream_and_by_poll(network, name, wait):
    it, _ = await network(name, wait=wait)
    assert said(await it.caller.send(message("hello"))) == {name: HEARD[name]}


async def test_all_of_them_and_one_of_ours_answer_together(network):
    it, _ = await network(*OTHERS, "ours")
    task = await it.caller.send(message("hello"))
    assert (state(task), Answer(task).record["verdict"]) == ("COMPLETED", "complete")
    assert said(task) == HEARD


async def test_those_that_fail_are_named_with_their_words_and_the_others_count(network):
    it, _ = await network(*OTHERS, "ours", barrier={"need": 2}, on_failure={"exhausted": "count"})
    task = await it.caller.send(message("hello\nstrands: fail\njavascript: fail"))
    assert said(task) == {name: HEARD[name] for name in ("fasta2a", "adk", "ours")}
    assert "strands (failed: its task failed: Agent execution failed)" in words(task)
    assert "javascript (failed: its task failed: Agent execution error: out of order)" in words(task)


async def test_an_agent_that_fails_without_words_is_named_as_well(network):
    it, _ = await network("fasta2a", "ours", barrier={"need": 1}, on_failure={"exhausted": "count"})
    task = await it.caller.send(message("hello\nfasta2a: fail"))
    assert said(task) == {"ours": HEARD["ours"]}
    assert "fasta2a (failed: its task failed" in words(task)


async def begun(it, text):
    """The task a message made, once every branch works at its agent."""
    async with aclosing(it.caller.stream(message(text))) as events:
        async for event in events:
            progress = metadata_of(event.status_update).get(PROGRESS) if event.HasField("status_update") else None
            if progress and all(branch["state"] == "working" for branch in progress["branches"]):
                return event.status_update.task_id
    raise AssertionError("it ended before everybody worked")


async def test_a_cancel_reaches_them(network):
    it, urls = await network("strands", "javascript", "adk")
    task_id = await begun(it, "hello\nstrands: hang\njavascript: hang\nadk: hang")
    task = await it.caller.cancel(task_id)
    assert state(task) == "CANCELED"
    for branch in Answer(task).branches.values():
        name = branch["agent"]
        while state(await at(urls[name], name, branch)) != "CANCELED":
            pass  # ours is answered first; theirs follows


async def test_a_question_from_javascript_is_answered_in_words(network):
    it, _ = await network("javascript", "ours")
    asked = await it.caller.send(message("hello\njavascript: ask"))
    assert state(asked) == "INPUT_REQUIRED"
    assert "In which language?" in words(asked)
    assert said(await it.caller.send(reply(asked, "German"))) == {
        "javascript": "JavaScript heard: German",
        "ours": HEARD["ours"],
    }


async def test_an_interrupt_of_strands_is_answered_with_the_data_it_wants(network):
    it, _ = await network("strands")
    asked = await it.caller.send(message("hello\nstrands: ask"))
    assert "- language: In which language?" in words(asked)
    (question,) = questions(asked).values()
    (interrupt,) = next(part["data"]["interrupts"] for part in question["parts"] if "data" in part)
    answer = {"interruptResponse": {"interruptId": interrupt["interruptId"], "response": "German"}}
    part = a2a.Part(data=ParseDict(answer, Value()), metadata=struct_out({ANSWER: by_agent(asked)["strands"]}))
    assert said(await it.caller.send(parts_reply(asked, part))) == {"strands": "Strands heard: German\n"}


async def test_an_interrupt_of_strands_answered_in_words_is_asked_again_with_its_reason(network):
    it, _ = await network("strands")
    asked = await it.caller.send(message("hello\nstrands: ask"))
    again = await it.caller.send(reply(asked, "German"))
    assert state(again) == "INPUT_REQUIRED"
    assert "Task is awaiting an interrupt response and cannot accept a new message" in words(again)


async def test_javascript_is_spoken_to_over_rest_as_well(tmp_path):
    async with process("javascript", tmp_path) as url, shared_http_client(10.0) as http:
        card = (await http.get(url + CARD)).json()
        card["supportedInterfaces"] = [one for one in card["supportedInterfaces"] if one["url"].endswith("/rest")]
        (tmp_path / "card.json").write_text(json.dumps(card), encoding="utf-8")
        plan = {"fan_out": {"to": {"agents": ["javascript"]}}, "merge": "concat"}
        document = {"name": "one", "description": "One.", "stages": {"one": plan}}
        async with (
            fleet([]) as nobody,
            coordinating(tmp_path, nobody, document, agents=[str(tmp_path / "card.json")]) as it,
        ):
            assert said(await it.caller.send(message("hello"))) == {"javascript": HEARD["javascript"]}


async def test_strands_told_to_stream_by_the_words_of_the_protocol_answers_in_many_parts(network):
    it, _ = await network("strands", options=["--compliant"])
    assert parts_of(await it.caller.send(message("hello"))) == {"strands": ["Strands ", "heard: ", "hello", ""]}


async def test_fasta2a_as_it_comes_is_malformed_and_the_reason_is_told(network):
    it, _ = await network("fasta2a", options=["--as-it-comes"])
    task = await it.caller.send(message("hello"))
    assert state(task) == "FAILED"
    assert "malformed: the answer is not A2A" in words(task)
    assert "timestamp" in words(task)


@pytest.mark.parametrize(
    ("name", "version"),
    [("strands", "JSONRPC 0.3.0"), ("fasta2a", "JSONRPC 1.0"), ("javascript", "JSONRPC 1.0"), ("adk", "JSONRPC 1.0")],
)
async def test_each_of_them_can_be_added_to_a_configuration(tmp_path, capsys, name, version):
    file = tmp_path / "coordinator.yaml"
    async with process(name, tmp_path) as url:
        assert await listing.add(listing.Wish(url), file, as_json=False) == 0
    assert load_settings(file).agents[-1].name == name
    assert f"{version} {url}" in capsys.readouterr().out

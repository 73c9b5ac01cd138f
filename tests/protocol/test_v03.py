"""A client of version 0.3 on its own SDK, in a process of its own, on both bindings."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from coordinator.core.extension import PROGRESS, RUN, URI
from coordinator.testing import Behaviour
from tests.protocol.environment import NotInstalled, python_of_v03
from tests.protocol.receiver import receiving
from tests.protocol.specialists import answering, asked, busy, canceled, failing, hold, release, says, waiting
from tests.protocol.users import settings_for

pytestmark = [pytest.mark.timeout(400), pytest.mark.processes]

SCRIPT = Path(__file__).with_name("v03_client.py")
LINE_BYTES = 2**22


@pytest.fixture
def plans():
    return ("gather", "alone", "lenient", "hand-on")


@pytest.fixture(scope="session")
def python():
    """The interpreter that has the SDK of version 0.3; installing it takes half a minute, once."""
    try:
        return python_of_v03()
    except NotInstalled as error:
        pytest.fail(f"the SDK of version 0.3 cannot be installed, so its clients cannot be tested: {error}")


class Old:
    """The client's process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def __call__(self, do: str, **fields: Any) -> Any:
        """Give a command and return the only line of its answer."""
        (line,) = await self.all(do, **fields)
        return line

    async def all(self, do: str, **fields: Any) -> list[Any]:
        """Give a command and return its answer."""
        return [line async for line in self.lines(do, **fields)]

    async def lines(self, do: str, **fields: Any) -> AsyncIterator[Any]:
        """Give a command and yield its answer as it comes."""
        self._process.stdin.write(json.dumps({"do": do, **fields}).encode() + b"\n")
        while line := json.loads(await self._process.stdout.readline()):
            if line == {"done": True}:
                return
            yield line


@asynccontextmanager
async def running(python, *arguments):
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        python, SCRIPT, *arguments, stdin=pipe, stdout=pipe, limit=LINE_BYTES
    )
    try:
        yield Old(process)
    finally:
        process.stdin.close()
        await process.wait()


@pytest.fixture
async def url(start):
    """The URL of a coordinator that pushes to loopback."""
    return await start(push_allow=("127.0.0.1",))


@pytest.fixture
async def hook():
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def old(python, url, binding):
    async with running(python, url, binding) as client:
        yield client


def texts(holder):
    artifacts = [holder["artifact"]] if "artifact" in holder else holder["artifacts"]
    return [part["text"] for artifact in artifacts for part in artifact["parts"] if part["kind"] == "text"]


async def test_it_finds_the_card_and_the_interface(old, url):
    card = await old("card")
    assert (card["name"], card["protocolVersion"]) == ("A2A coordinator", "0.3")
    assert card["capabilities"]["streaming"]
    assert [skill["id"] for skill in card["skills"]] == ["gather", "alone", "lenient", "hand-on"]
    assert {interface["url"].rstrip("/") for interface in card["additionalInterfaces"]} == {url}


async def test_a_blocking_send_returns_the_finished_task(old):
    task = await old("send", text="hi", context_id="mine")
    assert (task["kind"], task["status"]["state"], task["contextId"]) == ("task", "completed", "mine")
    assert texts(task) == ["the answer of ada", "the answer of bob"]
    assert task["history"][0]["parts"][0]["text"] == "hi"
    assert task["metadata"][RUN]["verdict"] == "complete"


async def test_a_stream_begins_with_the_task_and_ends_with_its_terminal_state(old):
    events = await old.all("stream", text="hi")
    assert [event["kind"] for event in events][:1] == ["task"]
    assert [event["kind"] for event in events][-2:] == ["artifact-update", "status-update"]
    assert (events[-1]["status"]["state"], events[-1]["final"]) == ("completed", True)
    assert texts(events[-2]) == ["the answer of ada", "the answer of bob"]
    assert events[-2]["lastChunk"]
    assert events[-1]["metadata"][RUN]["verdict"] == "complete"


async def test_a_task_that_was_posted_can_be_polled(old, fleet):
    hold(fleet)
    task = await old("post")
    assert task["status"]["state"] in {"submitted", "working"}
    await busy(fleet, "bob")
    assert (await old("get", id=task["id"]))["status"]["state"] == "working"
    release(fleet)
    while (polled := await old("get", id=task["id"]))["status"]["state"] == "working":
        pass
    assert polled["status"]["state"] == "completed"
    assert texts(polled) == ["the answer of ada", "the answer of bob"]


async def test_a_client_that_hung_up_can_resubscribe(old, fleet):
    hold(fleet)
    (task,) = await old.all("stream", most=1)
    await busy(fleet, "bob")
    events = old.lines("resubscribe", id=task["id"])
    seen = [await anext(events)]
    says(fleet, "ada", "half way")
    while "half way" not in json.dumps(seen[-1]):
        seen.append(await anext(events))
    assert seen[-1]["metadata"][PROGRESS]["tally"]["open"] == 2
    release(fleet)
    seen += [event async for event in events]
    assert seen[0]["id"] == task["id"]
    assert (seen[-1]["status"]["state"], seen[-1]["final"]) == ("completed", True)


async def test_a_cancel_is_answered_with_the_canceled_task(old, fleet):
    hold(fleet)
    task = await old("post")
    await busy(fleet, "ada")
    assert (await old("cancel", id=task["id"]))["status"]["state"] == "canceled"
    await canceled(fleet, "ada")
    assert "error" in await old("cancel", id=task["id"])


async def test_a_history_length_of_0_means_all_of_it_in_this_version(old):
    task = await old("send", text="hi")
    for length in (0, 1, 2):
        history = (await old("get", id=task["id"], history_length=length))["history"]
        assert [message["parts"][0]["text"] for message in history] == ["hi"]


async def test_a_partial_result_is_labelled(old, fleet):
    fleet["eve"].behave(failing("no ink left"))
    task = await old("send", metadata={URI: {"plan": "lenient"}})
    assert task["status"]["message"]["parts"][0]["text"].startswith("Partial result")
    assert "Partial result" in task["artifacts"][0]["description"]


async def test_a_question_ends_the_stream_and_a_text_answers_it(old, fleet):
    fleet["ada"].behave((waiting("input_required", "tabs or spaces?"), answering({"text": "tabs it is"})))
    events = await old.all("stream", text="hi")
    assert events[-1]["status"]["state"] == "input-required"
    assert "tabs or spaces?" in events[-1]["status"]["message"]["parts"][0]["text"]
    task = events[0]
    done = await old("send", text="tabs", task_id=task["id"], context_id=task["contextId"])
    assert texts(done) == ["tabs it is", "the answer of bob"]


async def test_an_authorisation_ends_the_stream_in_this_version(old, fleet):
    fleet["ada"].behave((waiting("auth_required", "approve it"), answering({"text": "approved"})))
    events = await old.all("stream", text="hi")
    assert events[-1]["status"]["state"] == "auth-required"
    task = events[0]
    done = await old("send", text="it is approved", task_id=task["id"], context_id=task["contextId"])
    assert texts(done) == ["approved", "the answer of bob"]


async def test_a_direct_message_of_a_delegate_is_a_message(python, url, binding, fleet):
    fleet["eve"].behave(Behaviour(message="good morning"))
    async with running(python, f"{url}/hand-on", binding) as old:
        answer = await old("send", text="hi")
        assert (answer["kind"], answer["parts"][0]["text"]) == ("message", "good morning")
        (streamed,) = await old.all("stream", text="hi")
        assert (streamed["kind"], streamed["parts"][0]["text"]) == ("message", "good morning")


async def test_what_is_refused_is_told(old, fleet):
    wrong = {URI: {"plan": "nonsense"}}
    for command in ("send", "stream"):
        assert "error" in await old(command, metadata=wrong)
    assert "error" in await old("get", id="unknown")
    assert "error" in await old("resubscribe", id="unknown")
    assert not fleet.counts.sends


async def test_a_plans_card_leads_to_its_endpoint(python, url, binding, fleet):
    async with running(python, f"{url}/alone", binding) as old:
        assert (await old("card"))["name"] == "alone"
        assert texts(await old("send", text="hi")) == ["the answer of eve"]
    assert asked(fleet) == [0, 0, 1]


async def test_a_token_is_asked_for_and_accepted(python, start, binding, monkeypatch):
    url = await start(**settings_for(monkeypatch, "alice"))
    async with running(python, url, binding) as stranger, running(python, url, binding, "secret of alice") as alice:
        card = await stranger("card")
        assert card["securitySchemes"]["bearer"] == {"type": "http", "scheme": "Bearer"}
        assert "401" in (await stranger("send"))["error"]
        assert (await alice("send"))["status"]["state"] == "completed"


async def test_its_webhook_is_sent_the_task_as_this_version_writes_it(old, fleet, hook):
    fleet["ada"].behave((waiting("input_required", "tabs or spaces?"), answering({"text": "tabs it is"})))
    asked = await old("send_with_hook", url=f"{hook.url}/hook", token="a token")
    assert asked["status"]["state"] == "input-required"
    await old("send", text="tabs", task_id=asked["id"], context_id=asked["contextId"])
    pushed = await hook.until_over()
    tasks = [push.document for push in pushed]
    assert [task["status"]["state"] for task in tasks] == ["working", "input-required", "working", "completed"]
    assert "tabs or spaces?" in tasks[1]["status"]["message"]["parts"][0]["text"]
    assert {(task["kind"], task["id"]) for task in tasks} == {("task", asked["id"])}
    assert texts(tasks[-1]) == ["tabs it is", "the answer of bob"]
    assert tasks[-1]["metadata"][RUN]["verdict"] == "complete"
    assert {push.headers["x-a2a-notification-token"] for push in pushed} == {"a token"}


async def test_its_operations_on_webhooks_are_there(old, fleet, hook):
    hold(fleet)
    task = await old("post")
    await busy(fleet, "ada", "bob")
    made = await old("hook", id=task["id"], url=f"{hook.url}/hook", token="a token")
    assert made["pushNotificationConfig"] == {"id": task["id"], "url": f"{hook.url}/hook", "token": "a token"}
    assert await old("hooked", id=task["id"], hook=task["id"]) == made
    release(fleet)
    assert [push.document["status"]["state"] for push in await hook.until_over()] == ["completed"]

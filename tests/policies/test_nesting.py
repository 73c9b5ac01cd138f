"""Coordinators behind coordinators: what travels with a task, and where a ring ends."""

import asyncio
import uuid
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
import yaml
from a2a.client import ClientConfig, create_client
from a2a.types import a2a_pb2 as a2a

from coordinator import testing
from coordinator.app import assembled
from coordinator.config import Settings
from coordinator.core.extension import ENVELOPE, RUN, URI
from coordinator.testing import Specialist
from coordinator.testing.server import listener, serving
from coordinator.wire import json_in, struct_out

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNDERSTANDS = {"capabilities": {"streaming": True, "extensions": [{"uri": URI}]}}


def handing_on_to(agent):
    stage = {"fan_out": {"to": {"agents": [agent]}}, "on_failure": {"retry": {"attempts": 3}}}
    return {"name": "hand-on", "description": "Hands it on.", "stages": {"on": stage}}


@asynccontextmanager
async def coordinator(tmp_path, opened, *, to, card, **settings):
    """Serve a coordinator on *opened* that hands everything on to the agent *to*."""
    file = tmp_path / f"{uuid.uuid4()}.yaml"
    file.write_text(yaml.safe_dump(handing_on_to(to)))
    known = Settings(
        port=opened.getsockname()[1],
        db="memory",
        plans=(str(file),),
        default_plan="hand-on",
        agents=({"card": card, "name": to},),
        refresh_agents="50ms",
        **settings,
    )
    async with assembled(known) as app, serving(app, opened):
        yield known.url


async def knows_its_agent(url):
    """Return when the coordinator has read the card of whom it hands on to."""
    async with httpx.AsyncClient() as http, asyncio.timeout(20):
        # The other side of a socket sets no events.
        while (await http.post(f"{url}/plans/hand-on:resolve", json={})).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def sent(url, *, deadline=None, headers=None):
    async with httpx.AsyncClient(timeout=30, headers=headers) as http:
        client = await create_client(url, ClientConfig(httpx_client=http, streaming=False))
        message = a2a.Message(message_id=str(uuid.uuid4()), role=a2a.ROLE_USER, parts=[a2a.Part(text="hello")])
        if deadline:
            message.metadata.CopyFrom(struct_out({URI: {"limits": {"deadline": deadline}}}))
        return [answer.task async for answer in client.send_message(a2a.SendMessageRequest(message=message))][-1]


@pytest.fixture
async def fleet():
    async with testing.fleet([Specialist("worker", card=UNDERSTANDS), Specialist("stranger")]) as running:
        yield running


@asynccontextmanager
async def row(tmp_path, fleet, length, *, last="worker", **settings):
    """Serve *length* coordinators behind each other, the last one in front of a specialist; yield their URLs."""
    async with AsyncExitStack() as stack:
        to, card, urls = last, fleet[last].url, []
        for number in range(length):
            opened = stack.enter_context(listener())
            url = await stack.enter_async_context(coordinator(tmp_path, opened, to=to, card=card, **settings))
            await knows_its_agent(url)
            urls.insert(0, url)
            to, card = f"next-{number}", url
        yield urls


async def test_three_coordinators_in_a_row_work_and_the_journey_travels(fleet, tmp_path):
    async with row(tmp_path, fleet, 3) as urls:
        task = await sent(urls[0], deadline="20s", headers={"traceparent": TRACE})
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    (request,) = [received for received in fleet["worker"].received if received.operation == "send"]
    envelope = request.params["message"]["metadata"][ENVELOPE]
    assert envelope["via"] == urls
    assert envelope["hops"] == 3
    assert 0 < envelope["remainingMs"] <= 20_000
    _, trace, span, _ = request.headers["traceparent"].split("-")
    assert trace == TRACE.split("-")[1]
    assert span != TRACE.split("-")[2]


async def test_an_agent_that_does_not_declare_our_extension_is_told_nothing_of_it(fleet, tmp_path):
    async with row(tmp_path, fleet, 1, last="stranger") as urls:
        await sent(urls[0], deadline="20s")
    (request,) = [received for received in fleet["stranger"].received if received.operation == "send"]
    assert ENVELOPE not in request.params["message"].get("metadata", {})
    assert "traceparent" not in request.headers


async def test_too_many_hops_are_rejected_before_anything_is_sent(fleet, tmp_path):
    async with row(tmp_path, fleet, 3, max_hops=2) as urls:
        task = await sent(urls[0])
    assert task.status.state == a2a.TASK_STATE_FAILED
    assert f"too far: {' -> '.join(urls)}" in task.status.message.parts[0].text
    assert fleet["worker"].counts.sends == 0


async def test_a_ring_is_rejected_named_and_not_tried_again(tmp_path):
    with listener() as first, listener() as second:
        one, two = (f"http://127.0.0.1:{opened.getsockname()[1]}" for opened in (first, second))
        async with AsyncExitStack() as stack:
            # The first one starts without the second one's card and reads it later.
            await stack.enter_async_context(coordinator(tmp_path, first, to="two", card=two, request_timeout="1s"))
            await stack.enter_async_context(coordinator(tmp_path, second, to="one", card=one))
            await knows_its_agent(one)
            await knows_its_agent(two)
            task = await sent(one)
    assert task.status.state == a2a.TASK_STATE_FAILED
    assert f"{one} -> {two} -> {one}" in task.status.message.parts[0].text
    (branch,) = json_in(task.metadata)[RUN]["branches"]
    assert branch["attempts"] == 1

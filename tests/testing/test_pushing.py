"""Pushes of a specialist, as a webhook sees them; and the other answers a client cannot keep."""

import json
from contextlib import asynccontextmanager

import pytest
from a2a.client import ClientConfig, ClientFactory
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import InvalidParamsError, PushNotificationNotSupportedError
from google.protobuf.json_format import Parse
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from coordinator.testing import Behaviour, Script, Specialist, Uniform, answers, fleet
from coordinator.testing.server import listener, serving
from tests.testing.caller import in_words


@asynccontextmanager
async def webhook(status=204):
    """Serve a webhook; yields its URL and what it was pushed: headers and events in words."""
    pushed = []

    async def take(request):
        event = Parse(await request.body(), a2a.StreamResponse())
        pushed.append((request.headers, in_words(event)))
        return Response(status_code=status)

    with listener() as opened:
        app = Starlette(routes=[Route("/hook", take, methods=["POST"])])
        async with serving(app, opened):
            yield f"http://127.0.0.1:{opened.getsockname()[1]}/hook", pushed


async def sent(agent, http, url, *, token="secret"):
    """Send a message with a webhook and return the first answer."""
    authentication = a2a.AuthenticationInfo(scheme="Bearer", credentials=token)
    hook = a2a.TaskPushNotificationConfig(url=url, token=token, authentication=authentication)
    configuration = a2a.SendMessageConfiguration(return_immediately=True, task_push_notification_config=hook)
    message = a2a.Message(message_id="m", role=a2a.ROLE_USER, parts=[a2a.Part(text="hello")])
    card = a2a.AgentCard(supported_interfaces=[a2a.AgentInterface(url=agent.url, protocol_binding="JSONRPC")])
    client = ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(card)
    request = a2a.SendMessageRequest(message=message, configuration=configuration)
    (answer,) = [answer async for answer in client.send_message(request)]
    return answer


async def pushed_by(http, script, **more):
    """Return what a specialist pushed about one task, to its end, and its counts."""
    async with webhook(**more) as (url, pushed), fleet([Specialist("it", script, pushing=True)]) as network:
        await sent(network["it"], http, url)
        await network.until(lambda: not (network.counts.pushing or network.counts.open))
        return pushed, network


FULL = ["working", "working reading", "chunk fine .", "completed"]
WORK = {"steps": ("reading",), "artifacts": (answers.text("fine"),)}


async def test_every_event_is_pushed_in_order_with_token_and_authentication(http):
    pushed, network = await pushed_by(http, Behaviour(**WORK))
    assert [words for _, words in pushed] == FULL
    for headers, _ in pushed:
        assert headers["x-a2a-notification-token"] == "secret"
        assert headers["authorization"] == "Bearer secret"
        assert headers["content-type"] == "application/json"
    assert network.counts.pushes == 4


@pytest.mark.parametrize(
    ("push", "told"),
    [
        ("doubled", [words for words in FULL for _ in range(2)]),
        ("reordered", FULL[::-1]),
        ("never", []),
    ],
)
async def test_pushes_come_as_the_behaviour_says(http, push, told):
    pushed, _ = await pushed_by(http, Behaviour(push=push, push_s=Uniform(0.0, 0.001), **WORK))
    assert [words for _, words in pushed] == told


async def test_a_forged_push_shows_somebody_else_s_token(http):
    pushed, _ = await pushed_by(http, Behaviour(push="wrong_token"))
    assert {headers["x-a2a-notification-token"] for headers, _ in pushed} == {"wrong"}


async def test_a_push_nobody_takes_is_counted_and_not_repeated(http):
    pushed, network = await pushed_by(http, Behaviour(**WORK), status=401)
    assert len(pushed) == network.counts.pushes_refused == 4
    assert network.counts.pushes == 0
    assert {entry.answer for entry in network.ledger.sent if entry.kind == "push"} == {"HTTP 401"}


async def test_a_webhook_that_is_away_does_not_keep_a_task_from_its_end(http):
    async with fleet([Specialist("it", Behaviour(**WORK), pushing=True)]) as network:
        with listener() as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        await sent(network["it"], http, url)
        await network.until(lambda: not network.counts.pushing)
        assert (network.counts.open, network.counts.pushes_refused) == (0, 4)


async def test_an_agent_that_does_not_push_refuses_the_send(http):
    async with fleet(["it"]) as network:
        with pytest.raises(PushNotificationNotSupportedError):
            await sent(network["it"], http, "http://127.0.0.1/")
        assert network.counts.tasks == 0


async def test_an_agent_may_refuse_the_url_of_a_webhook_before_it_creates_a_task(http):
    async with fleet([Specialist("it", Behaviour(push="refused"), pushing=True)]) as network:
        with pytest.raises(InvalidParamsError, match="cannot be pushed to"):
            await sent(network["it"], http, "http://127.0.0.1/")
        assert network.counts.tasks == 0


async def test_what_was_sent_can_be_read_over_http(http):
    silent = Specialist("it", Behaviour(push="never", **WORK), pushing=True)
    async with fleet([silent, "other"]) as network:
        await sent(network["it"], http, "")
        await network.until(lambda: not network.counts.open)
        (reply,) = (await http.get(f"{network.url}/sent", params={"agent": "it"})).json()
        assert (reply["agent"], reply["kind"]) == ("it", "reply")
        assert json.loads(reply["text"])["result"]["task"]
        assert (await http.get(f"{network.url}/sent", params={"agent": "other"})).json() == []


async def test_an_answer_gushes_in_any_size_and_is_one_document_all_the_same(serve):
    _, agent, caller = await serve(Behaviour(gush=300_000, artifacts=(answers.text("fine"),)))
    task = await caller.task()
    assert len(task.metadata["gush"]) == 300_000
    agent.behave(Behaviour(gush=200_000, during=("get",)))
    again = await caller.get((await caller.task()).id)
    assert len(again.metadata["gush"]) == 200_000


async def test_a_stream_gushes_as_one_event(serve):
    _, _, caller = await serve(Behaviour(gush=100_000))
    events = [event async for event in caller.events()]
    assert [len(event.task.metadata["gush"]) for event in events] == [100_000]


async def test_updates_come_as_fast_as_they_are_read_and_then_the_work_goes_on(serve):
    _, _, caller = await serve(Behaviour(updates=500, padding=10))
    told = await caller.told()
    assert [words for words in told if words.startswith("working step")][-1] == "working step 500xxxxxxxxxx"
    assert told[-1] == "completed"


async def test_failures_come_at_the_rate_of_their_weights(serve):
    script = Script((Behaviour(), Behaviour(end="failed")), "random", (0.9, 0.1))
    _, _, caller = await serve(script)
    ends = [(await caller.told())[-1] for _ in range(60)]
    assert 1 <= ends.count("failed") <= 20


@pytest.mark.parametrize("then", ["last", "cycle"])
def test_weights_that_fit_nothing_are_refused(then):
    with pytest.raises(ValueError, match="weights"):
        Script((Behaviour(),), then, (1.0,))
    with pytest.raises(ValueError, match="weights"):
        Script((Behaviour(),), "random", (1.0, 2.0))

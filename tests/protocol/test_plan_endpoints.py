"""Each plan has a card and an endpoint of its own, for clients that know nothing of our extension."""

import pytest
from a2a.client import A2ACardResolver
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import ContentTypeNotSupportedError, TaskNotFoundError

from coordinator.core.extension import URI
from tests.protocol.clients import asking_for, calling, message, states
from tests.protocol.specialists import asked, hold
from tests.protocol.wires import WIRES, call, refusal_in, result_of, said, send


@pytest.fixture
def plans():
    return ("gather", "alone", "review")


@pytest.fixture
async def alone(url, binding):
    async with calling(f"{url}/alone", binding) as caller:
        yield caller


async def test_8_2_a_plans_card_leads_to_its_own_endpoint(http, url):
    card = await A2ACardResolver(http, f"{url}/alone").get_agent_card()
    told = [(each.protocol_version, each.protocol_binding, each.url, each.tenant) for each in card.supported_interfaces]
    assert card.name == "alone"
    assert [skill.id for skill in card.skills] == ["alone"]
    assert told == [
        ("1.0", "JSONRPC", f"{url}/alone", "alone"),
        ("1.0", "HTTP+JSON", url, "alone"),
        ("0.3", "JSONRPC", f"{url}/alone", ""),
        ("0.3", "HTTP+JSON", f"{url}/alone", ""),
    ]


async def test_a_client_of_a_plans_card_gets_that_plan(alone, fleet):
    assert (await alone.send()).status.state == a2a.TASK_STATE_COMPLETED
    streamed = [event async for event in alone.stream()]
    assert states(streamed)[-1] == "COMPLETED"
    assert asked(fleet) == [0, 0, 2]


async def test_every_operation_works_on_a_plans_endpoint(alone, fleet):
    finished = await alone.send()
    assert (await alone.get(finished.id)).id == finished.id
    hold(fleet)
    task = await alone.send(return_immediately=True)
    assert [each.id for each in (await alone.tasks()).tasks] == [task.id, finished.id]
    events = alone.subscribe(task.id)
    assert (await anext(events)).task.id == task.id
    assert (await alone.cancel(task.id)).status.state == a2a.TASK_STATE_CANCELED
    assert states([event async for event in events])[-1] == "CANCELED"


async def test_tasks_of_one_endpoint_are_unknown_at_another(alone, client):
    of_plan, of_root = await alone.send(), await client.send()
    for caller, task in ((client, of_plan), (alone, of_root)):
        with pytest.raises(TaskNotFoundError):
            await caller.get(task.id)
    assert [task.id for task in (await alone.tasks()).tasks] == [of_plan.id]
    assert [task.id for task in (await client.tasks()).tasks] == [of_root.id]


async def test_the_parameter_counts_more_than_the_endpoint(alone, fleet):
    await alone.send(asking_for("gather"))
    assert asked(fleet) == [1, 1, 0]


async def test_an_endpoint_takes_the_media_types_of_its_plan_only(url, binding, fleet):
    async with calling(f"{url}/review", binding) as review:
        with pytest.raises(ContentTypeNotSupportedError):
            await review.send(message(parts=[a2a.Part(text="hi", media_type="text/plain")]))
    assert not fleet.counts.sends


@pytest.mark.parametrize("streaming", [False, True], ids=["send", "stream"])
@pytest.mark.parametrize("wire", WIRES)
async def test_every_binding_and_version_is_served_below_the_plans_path(http, fleet, wire, streaming):
    answer = await send(http, wire, streaming=streaming, prefix="/alone")
    assert answer.status_code == 200
    assert asked(fleet) == [0, 0, 1]


@pytest.mark.parametrize("wire", WIRES)
async def test_a_wrong_parameter_below_the_plans_path_is_named(http, fleet, wire):
    request = {"message": said(wire, metadata={URI: {"plan": "nonsense"}})}
    assert refusal_in(await send(http, wire, request, prefix="/alone")).fields == (f"metadata.{URI}.plan",)
    assert not fleet.counts.sends


async def test_the_tenant_names_the_plan_at_the_root_as_well(http, fleet):
    task = result_of(await call(http, "SendMessage", {"message": said(), "tenant": "alone"}))["task"]
    assert asked(fleet) == [0, 0, 1]
    below = result_of(await call(http, "GetTask", {"id": task["id"]}, path="/alone"))
    assert below["id"] == task["id"]

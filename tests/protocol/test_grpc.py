"""The same operations over gRPC: the same tasks, the same refusals, and nothing that stays behind."""

import asyncio
import json
import re
from contextlib import AsyncExitStack, aclosing, suppress

import grpc
import pytest
from a2a.client import A2ACardResolver
from a2a.compat.v0_3 import a2a_v0_3_pb2, a2a_v0_3_pb2_grpc
from a2a.types import a2a_pb2 as a2a
from a2a.types import a2a_pb2_grpc
from a2a.utils.errors import (
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from a2a.utils.grpc_status import status_from_call
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2

from coordinator import app
from coordinator.core.extension import URI
from coordinator.errors import RetryLater
from coordinator.inbound import Stopping
from coordinator.inbound.grpc import Edge
from coordinator.inbound.intake import Intake
from coordinator.journal import MemoryJournal
from coordinator.testing import Behaviour, Script, Specialist, answers, fleet
from tests.journal.away import AwayJournal
from tests.leaks import nothing_left, until
from tests.protocol.clients import BINDINGS, OPERATIONS, all_of, asking_for, bare_http, message, states, texts
from tests.protocol.grpc_clients import calling_over, channels, serving_grpc
from tests.protocol.plans import PLANS
from tests.protocol.specialists import answer_of, busy, held, hold, staff, waiting
from tests.protocol.users import bearer, settings_for

EVERY = (*BINDINGS, "GRPC")
V1 = (("a2a-version", "1.0"),)
LIMIT = 64 * 1024


@pytest.fixture
async def network():
    """Ada and bob answer; eve asks first."""
    asks = Script((waiting("input_required", "which one?"), Behaviour(artifacts=(answers.text("that one"),))))
    async with fleet([*staff()[:2], Specialist("eve", asks)]) as running:
        yield running


@pytest.fixture
async def start(network, tmp_path):
    """Start coordinators that serve gRPC as well."""
    names = ("gather", "alone", "hand-on")
    for name in names:
        (tmp_path / f"{name}.yaml").write_text(PLANS[name], encoding="utf-8")
    files = tuple(str(tmp_path / f"{name}.yaml") for name in names)
    known = {"db": "memory", "plans": files, "default_plan": "gather"}
    known["agents"] = (str(network.write_cards(tmp_path / "cards")),)
    async with AsyncExitStack() as stack:

        async def starting(**settings):
            return await stack.enter_async_context(serving_grpc(known | settings))

        yield starting


@pytest.fixture
async def served(start):
    return await start()


@pytest.fixture
async def caller(served):
    async with calling_over(served.url, "GRPC") as calling:
        yield calling


@pytest.fixture
async def stub(served):
    """The bare service of 1.0, for what the SDK's client would not send or show."""
    async with channels() as opening:
        yield a2a_pb2_grpc.A2AServiceStub(opening(served.target))


def request(text="hello", **fields):
    return a2a.SendMessageRequest(message=message(text, **fields))


async def refused(call):
    """Return the error *call* ends with: its code, its words and its details by name."""
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await call
    error = refusal.value
    details = {}
    for packed in (status_from_call(error) or a2a.Task).details if error.trailing_metadata() else ():
        kind = getattr(error_details_pb2, packed.TypeName().rpartition(".")[2])()
        packed.Unpack(kind)
        details[type(kind).__name__] = kind
    return error.code().name, error.details(), details


# --- the same conversation -------------------------------------------------------------------------------------------


def comparable(said):
    """Return *said* without what differs from run to run: ids, times and durations."""
    text = json.dumps(said, sort_keys=True)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>", text)
    text = re.sub(r"(ada|bob|eve)-[0-9a-f]{12}", r"\1-<id>", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", text)
    text = re.sub(r"\d{9,}\.\d+", "<time>", text)
    return re.sub(r'("\w*(?:[sS]econds|Ms|S)": )[\d.e-]+', r"\1<time>", text)


async def conversation(caller, network):
    """Hold one conversation with every operation in it and return what was told."""
    told = []
    done = await caller.send(message("first", message_id="m-1", context_id="c"))
    told += [done, await caller.get(done.id), *await all_of(caller.stream(message("again", context_id="c")))]
    asked = await caller.send(asking_for("alone", "which?", context_id="c"))
    async with aclosing(caller.subscribe(asked.id)) as events:
        told += [asked, await anext(events)]
        told.append(await caller.send(message("this", task_id=asked.id, context_id="c")))
        told += [event async for event in events if event.WhichOneof("payload") == "artifact_update"]
    network["eve"].hold()
    doomed = await caller.send(asking_for("alone", "and?", context_id="c"), return_immediately=True)
    await busy(network, "eve")
    told.append(await caller.cancel(doomed.id))
    page = await caller.tasks(context_id="c", include_artifacts=True, page_size=3)
    told += [*page.tasks, a2a.ListTasksResponse(total_size=page.total_size, page_size=page.page_size)]
    return [comparable(MessageToDict(each)) for each in told]


async def test_the_same_conversation_over_json_rpc_rest_and_grpc_gives_the_same_tasks(start, network):
    told = {}
    for binding in EVERY:
        served = await start()
        async with calling_over(served.url, binding) as caller:
            told[binding] = await conversation(caller, network)
        network.reset()
    assert len(told["GRPC"]) > 10
    assert "that one" in "".join(told["GRPC"])
    assert told["GRPC"] == told["JSONRPC"]
    assert told["GRPC"] == told["HTTP+JSON"]


async def test_a_task_sent_on_one_binding_is_read_on_every_other(served):
    async with calling_over(served.url, "GRPC") as one, calling_over(served.url, "JSONRPC") as other:
        task = await one.send()
        assert await other.get(task.id) == await one.get(task.id)


async def test_3_2_2_clients_of_0_3_send_and_stream_over_grpc_too(served):
    async with calling_over(served.url, "GRPC", "0.3") as caller:
        task = await caller.send()
        assert (texts(task), states([a2a.StreamResponse(task=task)])) == (
            [answer_of("ada"), answer_of("bob")],
            ["COMPLETED"],
        )
        assert states(await all_of(caller.stream()))[-1] == "COMPLETED"
        assert (await caller.get(task.id)).id == task.id


async def test_8_2_the_cards_name_grpc_in_both_versions_after_the_others_when_it_is_served(served, start):
    told = await interfaces(served.url)
    assert [binding for _, binding, _, _ in told] == [*EVERY, *EVERY]
    assert [each for each in told if each[1] == "GRPC"] == [
        ("1.0", "GRPC", served.target, ""),
        ("0.3", "GRPC", served.target, ""),
    ]
    assert ("1.0", "GRPC", served.target, "alone") in await interfaces(f"{served.url}/alone")
    elsewhere = await start(grpc_url="agents.example:443")
    assert ("1.0", "GRPC", "agents.example:443", "") in await interfaces(elsewhere.url)


async def interfaces(url):
    async with bare_http() as http:
        card = await A2ACardResolver(http, url).get_agent_card()
    return [(it.protocol_version, it.protocol_binding, it.url, it.tenant) for it in card.supported_interfaces]


async def test_a_plan_is_chosen_by_the_tenant_of_its_card(served, network):
    network["eve"].behave(Behaviour(artifacts=(answers.text("eve alone"),)))
    async with calling_over(served.url, "GRPC", plan="hand-on") as caller:
        assert texts(await caller.send()) == ["eve alone"]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_unknown_task_is_not_found(caller, operation):
    with pytest.raises(TaskNotFoundError):
        await OPERATIONS[operation](caller, "unknown")


async def test_a_task_that_is_over_is_neither_canceled_nor_streamed(caller):
    task = await caller.send()
    with pytest.raises(TaskNotCancelableError):
        await caller.cancel(task.id)
    with pytest.raises(UnsupportedOperationError):
        await all_of(caller.subscribe(task.id))


async def test_3_3_2_a_wrong_field_is_named(stub, network):
    wrong = {
        "page_size": stub.ListTasks(a2a.ListTasksRequest(page_size=1000), metadata=V1),
        "status_timestamp_after": stub.ListTasks(
            a2a.ListTasksRequest(status_timestamp_after=Timestamp(seconds=2**62)), metadata=V1
        ),
        "tenant": stub.SendMessage(a2a.SendMessageRequest(message=message(), tenant="nobody"), metadata=V1),
        "message.parts": stub.SendMessage(a2a.SendMessageRequest(message=message(parts=[])), metadata=V1),
    }
    for field, call in wrong.items():
        code, _, details = await refused(call)
        assert code == "INVALID_ARGUMENT"
        assert [it.field for it in details["BadRequest"].field_violations] == [field]
        assert details["ErrorInfo"].reason == "INVALID_PARAMS"
    assert not network.counts.sends


@pytest.mark.parametrize("version", [None, "0.3", "2.0", "nonsense"])
async def test_3_6_2_a_version_we_do_not_speak_is_refused(stub, network, version):
    metadata = (("a2a-version", version),) if version else ()
    for call in (
        stub.SendMessage(request(), metadata=metadata),
        stub.SendStreamingMessage(request(), metadata=metadata).read(),
    ):
        code, words, details = await refused(call)
        assert (code, details["ErrorInfo"].reason) == ("FAILED_PRECONDITION", "VERSION_NOT_SUPPORTED")
        assert "1.0" in words
    assert not network.counts.sends


async def test_3_6_2_the_service_of_0_3_takes_no_other_version(served):
    async with channels() as opening:
        old = a2a_v0_3_pb2_grpc.A2AServiceStub(opening(served.target))
        task = a2a_v0_3_pb2.GetTaskRequest(name="tasks/unknown")
        code, words, _ = await refused(old.GetTask(task, metadata=V1))
        assert (code, words.partition(":")[0]) == ("FAILED_PRECONDITION", "VersionNotSupportedError")
        code, words, _ = await refused(old.GetTask(task))
        assert (code, words.partition(":")[0]) == ("NOT_FOUND", "TaskNotFoundError")


async def test_a_patch_number_makes_no_difference(stub):
    assert (await stub.ListTasks(a2a.ListTasksRequest(), metadata=(("a2a-version", "1.0.1"),))).total_size == 0


STRANGERS = {
    "nobody": (),
    "an unknown token": (("authorization", "Bearer made up"),),
    "another scheme": (("authorization", "Basic c2VjcmV0"),),
}


@pytest.mark.parametrize("who", STRANGERS)
async def test_7_4_a_stranger_is_refused_before_the_request_is_read(start, network, monkeypatch, who):
    served = await start(**settings_for(monkeypatch, "alice"))
    metadata = (*V1, *STRANGERS[who])
    async with channels() as opening:
        channel = opening(served.target)
        stub, old = a2a_pb2_grpc.A2AServiceStub(channel), a2a_v0_3_pb2_grpc.A2AServiceStub(channel)
        for call in (
            stub.SendMessage(request(), metadata=metadata),
            stub.SendStreamingMessage(request(), metadata=metadata).read(),
            old.GetTask(a2a_v0_3_pb2.GetTaskRequest(name="tasks/x"), metadata=metadata[1:]),
            channel.unary_unary("/lf.a2a.v1.A2AService/GetTask")(b"\xff", metadata=metadata),
        ):
            code, words, _ = await refused(call)
            assert code == "UNAUTHENTICATED"
            assert "bearer token" in words
    assert not network.counts.sends


async def test_13_1_everybody_has_their_own_tasks_the_same_on_every_binding(start, monkeypatch):
    served = await start(**settings_for(monkeypatch, "alice", "bertha"))
    async with (
        calling_over(served.url, "GRPC", headers=bearer("alice")) as alice,
        calling_over(served.url, "JSONRPC", headers=bearer("alice")) as herself,
        calling_over(served.url, "GRPC", headers=bearer("bertha")) as bertha,
    ):
        task = await alice.send()
        assert await herself.get(task.id) == task
        assert (await bertha.tasks()).total_size == 0
        with pytest.raises(TaskNotFoundError):
            await bertha.get(task.id)


async def test_a_request_above_the_limit_is_refused(start, network):
    served = await start(max_body=LIMIT)
    async with channels() as opening:
        stub = a2a_pb2_grpc.A2AServiceStub(opening(served.target))
        code, words, _ = await refused(stub.SendMessage(request("x" * 2 * LIMIT), metadata=V1))
        assert (code, str(LIMIT) in words) == ("RESOURCE_EXHAUSTED", True)
        assert not network.counts.sends
        assert (await stub.SendMessage(request("x" * (LIMIT - 1000)), metadata=V1)).task.id


async def test_a_compressed_request_is_not_unpacked(stub):
    call = stub.SendMessage(request("x" * 2 * LIMIT), metadata=V1, compression=grpc.Compression.Gzip)
    assert (await refused(call))[0] == "UNIMPLEMENTED"


async def test_what_cannot_be_decoded_is_the_client_s_mistake(served):
    old = a2a_v0_3_pb2.SendMessageRequest(
        request=a2a_v0_3_pb2.Message(message_id="m", role=1, content=[a2a_v0_3_pb2.Part()])
    )
    async with channels() as opening:
        channel = opening(served.target)
        for service, body in (("lf.a2a.v1", b"\xff"), ("a2a.v1", b"\xff"), ("a2a.v1", old.SerializeToString())):
            metadata = V1 if service.startswith("lf") else ()
            send = channel.unary_unary(f"/{service}.A2AService/SendMessage")
            assert (await refused(send(body, metadata=metadata)))[0] == "INVALID_ARGUMENT"


async def test_an_error_that_quotes_a_long_request_still_reaches_the_client(caller):
    with pytest.raises(TaskNotFoundError):
        await caller.get("x" * 50_000)


async def test_what_the_card_does_not_offer_is_refused_as_on_every_binding(stub):
    code, _, details = await refused(stub.GetExtendedAgentCard(a2a.GetExtendedAgentCardRequest(), metadata=V1))
    assert (code, details["ErrorInfo"].reason) == ("FAILED_PRECONDITION", "UNSUPPORTED_OPERATION")


async def test_push_configurations_are_kept_the_same_on_every_binding(start, network):
    served = await start(push_allow=("127.0.0.1",))
    with held(network):
        async with calling_over(served.url, "GRPC") as one, calling_over(served.url, "JSONRPC") as other:
            task = await one.send(return_immediately=True)
            made = await one.set_push(task.id, "http://127.0.0.1:9/hook", "mine", token="secret")
            assert await one.get_push(task.id, "mine") == made
            assert await other.pushes(task.id) == [made]
            assert await one.pushes(task.id) == [made]
            await one.delete_push(task.id, "mine")
            assert await one.pushes(task.id) == []


# --- later ------------------------------------------------------------------------------------------------------------


def check_later(refusal, *, reason, seconds):
    code, words, details = refusal
    assert code == "UNAVAILABLE"
    assert (details["ErrorInfo"].reason, details["ErrorInfo"].domain) == (reason, "w3id.org/a2a-coordinator")
    assert details["RetryInfo"].retry_delay.ToMilliseconds() == seconds * 1000
    return words


async def test_3_3_2_a_coordinator_that_is_full_says_when_to_come_back(stub, monkeypatch):
    async def full(*_):
        raise RetryLater("too many at once", reason="TOO_MANY", retry_after_s=6.5)

    monkeypatch.setattr(Intake, "accept", full)
    for call in (stub.SendMessage(request(), metadata=V1), stub.SendStreamingMessage(request(), metadata=V1).read()):
        assert check_later(await refused(call), reason="TOO_MANY", seconds=6.5) == "too many at once"


async def test_3_3_2_everything_without_a_database_is_to_be_repeated(start, network, monkeypatch):
    journal = AwayJournal(MemoryJournal())

    async def given(_):
        return journal

    monkeypatch.setattr(app, "_journal", given)
    served = await start()
    async with channels() as opening:
        channel = opening(served.target)
        stub, old = a2a_pb2_grpc.A2AServiceStub(channel), a2a_v0_3_pb2_grpc.A2AServiceStub(channel)
        with journal.away():
            for call in (
                stub.SendMessage(request(), metadata=V1),
                stub.SendStreamingMessage(request(), metadata=V1).read(),
                stub.GetTask(a2a.GetTaskRequest(id="x"), metadata=V1),
                stub.ListTasks(a2a.ListTasksRequest(), metadata=V1),
                stub.CancelTask(a2a.CancelTaskRequest(id="x"), metadata=V1),
                stub.SubscribeToTask(a2a.SubscribeToTaskRequest(id="x"), metadata=V1).read(),
                old.GetTask(a2a_v0_3_pb2.GetTaskRequest(name="tasks/x")),
            ):
                words = check_later(await refused(call), reason="JOURNAL_UNAVAILABLE", seconds=2)
                assert "database is away" in words
        assert not network.counts.sends
        assert (await stub.SendMessage(request(), metadata=V1)).task.id


# --- the extension, and what travels beside the message ---------------------------------------------------------------


@pytest.mark.parametrize("how", ["metadata", "message", "old"])
async def test_an_activated_extension_is_named_before_the_answer(stub, how):
    metadata = {"metadata": (*V1, ("a2a-extensions", f"x:y, {URI}")), "old": (*V1, ("x-a2a-extensions", URI))}.get(
        how, V1
    )
    sent = request(extensions=[URI] if how == "message" else [])
    name = "x-a2a-extensions" if how == "old" else "a2a-extensions"
    unary, stream = stub.SendMessage(sent, metadata=metadata), stub.SendStreamingMessage(sent, metadata=metadata)
    await unary
    await stream.read()
    for call in (unary, stream):
        assert [value for key, value in await call.initial_metadata() if key == name] == [URI]
    plain = stub.SendMessage(request(), metadata=V1)
    await plain
    assert not [key for key, _ in await plain.initial_metadata() if key.endswith("a2a-extensions")]


async def test_an_idempotency_key_makes_a_repeated_send_the_same_task(stub, network):
    metadata = (*V1, ("idempotency-key", "once"))
    sent = request()
    tasks = {(await stub.SendMessage(sent, metadata=metadata)).task.id for _ in range(2)}
    assert len(tasks) == 1
    code, words, _ = await refused(stub.SendMessage(request("other"), metadata=metadata))
    assert (code, "Idempotency-Key" in words) == ("INVALID_ARGUMENT", True)


async def test_the_trace_goes_on_to_the_specialists(stub, network):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await stub.SendMessage(request(), metadata=(*V1, ("traceparent", trace)))
    assert network["ada"].received[-1].headers["traceparent"].split("-")[1] == trace.split("-")[1]


# --- the end ----------------------------------------------------------------------------------------------------------


def ours():
    """Return what runs in this loop for clients and tasks; gRPC's own loops come and go with its ports."""
    own = ("_request_call", "_request_registered_call", "_handle_status_once_received")
    return {task for task in asyncio.all_tasks() if not named(task).endswith(own)}


def named(task):
    return getattr(task.get_coro(), "__qualname__", "")


async def test_a_client_that_hangs_up_leaves_nothing_behind(network, caller, stub):
    await caller.send()
    before = ours()
    with held(network):
        sending = stub.SendMessage(request(), metadata=V1)
        await busy(network, "ada", "bob")
        assert serving()
        for _ in range(3):
            stream = stub.SendStreamingMessage(request(), metadata=V1)
            await stream.read()
            stream.cancel()
        await busy(network, "ada", "bob", tasks=4)
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
        await until(lambda: not serving(), serving)
    await until(lambda: ours() <= before, lambda: ours() - before)
    page = await caller.tasks()
    assert page.total_size == 5
    assert {task.status.state for task in page.tasks} == {a2a.TASK_STATE_COMPLETED}


def serving():
    """Return what is busy with a client's call."""
    return [task for task in ours() if named(task) == "_schedule_rpc_coro"]


async def test_a_server_leaves_nothing_behind(start, network, tmp_path):
    settings = {"db": "memory", "plans": (str(tmp_path / "gather.yaml"),), "default_plan": "gather"}
    settings["agents"] = (str(network.write_cards(tmp_path / "cards")),)
    async with serving_grpc(settings) as warm, calling_over(warm.url, "GRPC") as caller:
        await caller.send()
    async with nothing_left(), serving_grpc(settings) as again, calling_over(again.url, "GRPC") as caller:
        await all_of(caller.stream())


async def test_3_1_2_a_stream_that_ends_before_its_task_says_to_subscribe_again(served, network, stub):
    hold(network)
    sending = stub.SendStreamingMessage(request(), metadata=V1)
    task_id = (await sending.read()).task.id
    watching = stub.SubscribeToTask(a2a.SubscribeToTaskRequest(id=task_id), metadata=V1)
    await watching.read()
    unary = stub.SendMessage(request(), metadata=V1)
    await busy(network, "ada", "bob", tasks=2)
    served.stopping.ask()
    for stream in (sending, watching):
        words = check_later(await refused(last_of(stream)), reason="STOPPING", seconds=2)
        assert "subscribe again" in words
    assert (await unary).task.status.state == a2a.TASK_STATE_WORKING
    check_later(await refused(stub.SendMessage(request(), metadata=V1)), reason="STOPPING", seconds=2)


async def last_of(stream):
    while await stream.read() != grpc.aio.EOF:
        pass


def told(state):
    return a2a.StreamResponse(task=a2a.Task(id="t", status=a2a.TaskStatus(state=f"TASK_STATE_{state}")))


ARTIFACT = a2a.StreamResponse(artifact_update=a2a.TaskArtifactUpdateEvent(task_id="t"))
OLD = a2a_v0_3_pb2.StreamResponse(status_update={"status": {"state": "TASK_STATE_CANCELLED"}})


@pytest.mark.parametrize(
    ("events", "is_send", "is_whole"),
    [
        ([told("COMPLETED")], False, True),
        ([told("WORKING"), ARTIFACT], True, False),
        ([told("COMPLETED"), ARTIFACT], True, True),
        ([told("INPUT_REQUIRED")], True, True),
        ([told("INPUT_REQUIRED")], False, False),  # a subscription goes on behind a question
        ([a2a.StreamResponse(message=message())], True, True),
        ([OLD], True, True),
        ([], True, False),
    ],
    ids=["over", "under way", "over before", "asked", "asked a subscriber", "message", "0.3", "nothing"],
)
async def test_a_stream_that_has_told_its_end_is_whole_also_when_we_stop(events, is_send, is_whole):
    stopping, context = Stopping(), AsideContext()
    stopping.ask()

    async def operation(*_):
        for event in events:
            yield event

    streamed = Edge(None, stopping)._stream(operation, lambda body: body, ends_with_question=is_send)
    assert [event async for event in streamed(b"", context)] == events
    assert context.aborted == ([] if is_whole else [grpc.StatusCode.UNAVAILABLE])


class AsideContext:
    """What the edge needs of a call, without one."""

    def __init__(self):
        self.aborted = []

    def invocation_metadata(self):
        return ()

    def set_trailing_metadata(self, _):
        pass

    async def abort(self, code, _):
        self.aborted.append(code)

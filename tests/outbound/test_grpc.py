"""Specialists that speak gRPC: the same facts as on every binding, also when it goes wrong in gRPC's own ways."""

import asyncio

import grpc
import pytest
from a2a.types import a2a_pb2 as a2a

from coordinator.core.events import AttemptFailed
from coordinator.core.model import NOWHERE, AgentRef, FailureKind, RemoteTask
from coordinator.outbound import AgentCalls, Bounds, Patience, shared_http_client
from coordinator.outbound.envelope import Envelope
from coordinator.outbound.failures import CallFailed
from coordinator.outbound.grpc import GrpcChannels, target_of
from coordinator.outbound.outgoing import Outgoing
from coordinator.testing import Behaviour, answers
from tests.leaks import nothing_left
from tests.outbound.grpc_agents import Strike, grpc_rig

FINE = Behaviour(steps=("reading",), artifacts=(answers.text("fine"),))
CODE = grpc.StatusCode
TOO_LARGE_THERE = "SERVER: Received message larger than max (5 vs. 4)"
UNARY, STREAM = "SendMessage", "SendStreamingMessage"
ways = pytest.mark.parametrize(("streaming", "operation"), [(True, STREAM), (False, UNARY)], ids=["stream", "poll"])


@ways
@pytest.mark.parametrize("version", ["1.0", "0.3"])
async def test_an_agent_answers_over_grpc(streaming, operation, version):
    async with grpc_rig(FINE, streaming=streaming, version=version) as rig:
        ends = await rig.sent()
        assert ends.texts == ["fine"]
        assert rig.strikes.received[0][0] == operation


async def test_a_direct_message_comes_back_as_one():
    async with grpc_rig(Behaviour(message="just so")) as rig:
        assert (await rig.sent()).texts == ["just so"]


@ways
async def test_what_travels_as_headers_elsewhere_travels_as_metadata(streaming, operation):
    async with grpc_rig(FINE, streaming=streaming) as rig:
        await rig.sent()
        metadata = dict(rig.strikes.received)[operation]
        assert metadata["authorization"] == "Bearer secret"
        assert metadata["idempotency-key"] == "m-1"
        assert metadata["a2a-version"] == "1.0"


# --- what an error means ----------------------------------------------------------------------------------------------


@ways
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (CODE.INVALID_ARGUMENT, FailureKind.REFUSED),
        (CODE.PERMISSION_DENIED, FailureKind.REFUSED),
        (CODE.UNAUTHENTICATED, FailureKind.REFUSED),
        (CODE.FAILED_PRECONDITION, FailureKind.REFUSED),
        (CODE.RESOURCE_EXHAUSTED, FailureKind.OVERLOADED),
    ],
)
async def test_a_definite_code_creates_no_doubt(streaming, operation, code, kind):
    async with grpc_rig(FINE, streaming=streaming, strikes=[(operation, Strike(code))]) as rig:
        ends = await rig.sent()
        assert (ends.failure.kind, ends.failure.retry_after_s) == (kind, None)
        assert code.name in ends.failure.message
        assert not rig.fleet.counts.sends
        assert not rig.fleet.counts.lists


@ways
async def test_an_agent_that_says_when_to_come_back_is_believed_up_to_an_hour(streaming, operation):
    for said, believed in ((7.5, 7.5), (10**6, 3600.0)):
        strike = Strike(CODE.UNAVAILABLE, retry_s=said)
        async with grpc_rig(FINE, streaming=streaming, strikes=[(operation, strike)]) as rig:
            failure = (await rig.sent()).failure
            assert (failure.kind, failure.retry_after_s) == (FailureKind.OVERLOADED, believed)


@ways
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "code", [CODE.UNAVAILABLE, CODE.UNKNOWN, CODE.DEADLINE_EXCEEDED, CODE.CANCELLED, CODE.INTERNAL, CODE.ABORTED]
)
async def test_after_an_ambiguous_code_the_task_is_looked_up_and_never_doubled(streaming, operation, code, is_after):
    strike = Strike(code, after=is_after)
    async with grpc_rig(FINE, streaming=streaming, strikes=[(operation, strike)]) as rig:
        assert (await rig.sent()).texts == ["fine"]
        assert not rig.fleet.counts.doubled
        assert rig.fleet.counts.tasks == 1


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("INTERNAL_ERROR", FailureKind.FAILED),
        ("CONTENT_TYPE_NOT_SUPPORTED", FailureKind.REFUSED),
        ("TASK_NOT_FOUND", FailureKind.LOST),
    ],
)
async def test_an_error_of_the_protocol_says_more_than_its_code(reason, kind):
    strike = Strike(CODE.INTERNAL, "so it is", reason=reason)
    async with grpc_rig(FINE, streaming=False, strikes=[(UNARY, strike)]) as rig:
        failure = (await rig.sent()).failure
        assert failure.kind is kind
        assert not rig.fleet.counts.lists


async def test_every_call_has_an_end():
    async with grpc_rig(Behaviour(never_ends=True)) as rig:
        rig.calls.patience = Patience(request_s=0.1)
        rig.agent.hold("get", "list", "cancel")
        for call in (
            rig.calls.task(rig.ref, RemoteTask("t", "c")),
            rig.calls.cancel(rig.ref, RemoteTask("t", "c")),
            rig.calls.look_up(rig.ref, "m", 0.0),
        ):
            with pytest.raises(CallFailed) as failed:
                await call
            assert failed.value.trouble.is_ambiguous


async def test_a_stream_that_breaks_is_attached_to_again():
    async with grpc_rig(FINE, strikes=[(STREAM, Strike(CODE.UNAVAILABLE, after=True))]) as rig:
        rig.agent.hold()
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(rig.sent())
            await rig.fleet.until(lambda: rig.fleet.counts.subscribes)
            rig.agent.release()
        assert sending.result().texts == ["fine"]
        assert rig.fleet.counts.sends == 1


async def test_a_request_that_is_too_large_for_the_agent_is_not_sent_again():
    async with grpc_rig(FINE, strikes=[(STREAM, Strike(CODE.RESOURCE_EXHAUSTED, TOO_LARGE_THERE))]) as rig:
        failure = (await rig.sent()).failure
        assert failure.kind is FailureKind.REFUSED
        assert "too large for it" in failure.message


async def test_an_agent_that_tells_of_its_own_connections_has_been_reached():
    strike = Strike(CODE.UNAVAILABLE, "I failed to connect to all addresses of my database", after=True)
    async with grpc_rig(FINE, strikes=[(UNARY, strike)], streaming=False) as rig:
        assert (await rig.sent()).texts == ["fine"]
        assert rig.fleet.counts.sends == 1


async def test_an_agent_without_streams_is_polled():
    async with grpc_rig(FINE, strikes=[(STREAM, Strike(CODE.UNIMPLEMENTED))]) as rig:
        assert (await rig.sent()).texts == ["fine"]
        assert UNARY in [name for name, _ in rig.strikes.received]


async def test_nobody_there_is_no_doubt():
    async with grpc_rig(FINE) as rig:
        rig.ref = AgentRef("it", "127.0.0.1:1", "GRPC")
        failure = (await rig.sent()).failure
        assert failure.kind is FailureKind.UNREACHABLE
        assert "127.0.0.1:1" in failure.message


@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "poll"])
async def test_an_agent_that_is_silent_is_looked_after(streaming):
    async with grpc_rig(Behaviour(never_ends=True), streaming=streaming) as rig:
        rig.agent.hold("arrival")
        impatient = Patience(request_s=0.2, silence_s=0.2, doubt_s=0.01, poll_min_s=0.01)
        rig.calls.patience = impatient
        failure = (await rig.sent()).failure
        assert failure.kind is FailureKind.IN_DOUBT
        rig.agent.release()


@pytest.mark.parametrize(("url", "words"), [("ftp://x", "no gRPC target"), ("", "no gRPC target")])
async def test_an_address_that_is_none_is_told(url, words):
    async with grpc_rig(FINE) as rig:
        rig.ref = AgentRef("it", url, "GRPC")
        assert words in (await rig.sent()).failure.message


# --- how much ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "poll"])
async def test_an_answer_that_is_too_large_fails_the_branch(streaming):
    large = Behaviour(artifacts=(answers.text("x" * 100_000),))
    async with grpc_rig(large, streaming=streaming, bounds=Bounds(answer=50_000)) as rig:
        failure = (await rig.sent()).failure
        assert failure.kind is FailureKind.TOO_LARGE
        assert "max_answer" in failure.message


async def test_a_stream_of_many_answers_is_bounded_too():
    many = Behaviour(steps=tuple("x" * 10_000 for _ in range(30)), artifacts=(answers.text("fine"),))
    async with grpc_rig(many, bounds=Bounds(answer=100_000)) as rig:
        assert (await rig.sent()).failure.kind is FailureKind.TOO_LARGE


# --- what a task needs beside the send --------------------------------------------------------------------------------


async def test_a_task_is_found_again_and_canceled():
    async with grpc_rig(Behaviour(never_ends=True)) as rig:
        stream = rig.calls.send(rig.ref, outgoing(rig))
        task_id = (await anext(stream)).task.id
        await stream.aclose()
        remote = await rig.calls.look_up(rig.ref, "m-1", 0.0)
        assert remote.task_id == task_id
        assert await rig.canceled(remote) == ("confirmed", "")
        assert await rig.canceled() == ("confirmed", "")
        assert rig.fleet.counts.cancels == 2


async def test_a_task_the_agent_forgot_is_lost():
    async with grpc_rig(FINE) as rig:
        assert (await rig.followed("unknown")).of(AttemptFailed)[0].failure.kind is FailureKind.LOST


async def test_a_stream_nobody_reads_any_more_is_canceled():
    async with grpc_rig(Behaviour(never_ends=True)) as rig:
        stream = rig.calls.send(rig.ref, outgoing(rig))
        await anext(stream)
        assert rig.fleet.counts.streams == 1
        await stream.aclose()
        await rig.fleet.until(lambda: not rig.fleet.counts.streams)


def outgoing(rig):
    return Outgoing(rig.send(), [a2a.Part(text="hello")], Envelope(NOWHERE))


async def test_channels_are_reused_and_closed():
    async with grpc_rig(FINE) as warm:
        await warm.sent()
    async with nothing_left(), grpc_rig(FINE) as rig:
        await rig.sent()
        assert rig.calls.channels.to(rig.ref) is rig.calls.channels.to(AgentRef("other", rig.ref.url, "GRPC"))


async def test_without_the_extra_an_agent_chosen_before_is_refused_with_what_to_do():
    async with shared_http_client(1.0) as http:
        calls = AgentCalls(http)
        with pytest.raises(CallFailed, match=r"a2a-coordinator\[grpc\]") as failed:
            await calls.task(AgentRef("it", "127.0.0.1:1", "GRPC"), RemoteTask("t", "c"))
        assert failed.value.trouble.failure.kind is FailureKind.REFUSED


# --- where it is, and whether by TLS ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "tls", "target"),
    [
        ("127.0.0.1:50051", "auto", ("127.0.0.1:50051", False)),
        ("localhost:50051", "auto", ("localhost:50051", False)),
        ("[::1]:50051", "auto", ("[::1]:50051", False)),
        ("agent.example:50051", "auto", ("agent.example:50051", True)),
        ("192.0.2.1:50051", "auto", ("192.0.2.1:50051", True)),
        ("agent.example", "auto", ("agent.example:443", True)),
        ("https://agent.example/a2a", "auto", ("agent.example:443", True)),
        ("http://agent.example:8080", "auto", ("agent.example:8080", False)),
        ("grpcs://127.0.0.1:1", "auto", ("127.0.0.1:1", True)),
        ("agent.example:50051", "off", ("agent.example:50051", False)),
        ("127.0.0.1:50051", "on", ("127.0.0.1:50051", True)),
    ],
)
def test_plaintext_goes_to_loopback_or_where_somebody_said_so(url, tls, target):
    assert target_of(url, tls) == target


@pytest.mark.parametrize("url", ["unix:///tmp/x", "dns:///a:1", "", "agent.example:99999"])
def test_anything_else_is_no_target(url):
    with pytest.raises(ValueError, match=r"gRPC target|[Pp]ort"):
        target_of(url)


async def test_the_configuration_of_an_agent_decides_about_tls(monkeypatch):
    asked = []

    def tls_of(name):
        asked.append(name)
        return "on"

    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    channels = GrpcChannels(tls_of)
    channels.to(AgentRef("it", "127.0.0.1:1", "GRPC"))
    assert asked == ["it"]
    assert list(channels._open) == [("127.0.0.1:1", True)]
    await channels.close()
    assert not channels._open

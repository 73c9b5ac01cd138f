"""The fault kit's specialists behind a gRPC port, which can go wrong in gRPC's own ways as well."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from a2a.client import Client, ClientConfig, ClientFactory
from a2a.compat.v0_3 import a2a_v0_3_pb2_grpc
from a2a.compat.v0_3.grpc_handler import CompatGrpcHandler
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.grpc_handler import GrpcHandler
from a2a.types import a2a_pb2 as a2a
from a2a.types import a2a_pb2_grpc
from a2a.utils.errors import PushNotificationNotSupportedError
from a2a.utils.grpc_status import status_to_grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from coordinator import testing
from coordinator.core.model import AgentRef
from coordinator.inbound.refusals import NotOffered
from coordinator.outbound import AgentCalls, Bounds, Patience, shared_http_client
from coordinator.outbound.grpc import GrpcChannels
from coordinator.testing import Agent, Specialist
from tests.outbound.pursuing import QUICK, ROOMY, Rig
from tests.protocol.clients import bare_http


@dataclass(frozen=True)
class Strike:
    """An error in the place of an answer; *after* the request took effect, or before."""

    code: grpc.StatusCode
    words: str = "out of order"
    retry_s: float | None = None
    reason: str = ""  #: of an error of the protocol
    after: bool = False

    async def hit(self, context: Any) -> None:
        """End the call."""
        details = list[Any]()
        if self.retry_s is not None:
            delay = duration_pb2.Duration()
            delay.FromMilliseconds(round(self.retry_s * 1000))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        if self.reason:
            details.append(error_details_pb2.ErrorInfo(reason=self.reason, domain="a2a-protocol.org"))
        if details:
            status = status_pb2.Status(code=self.code.value[0], message=self.words, details=map(_packed, details))
            context.set_trailing_metadata(status_to_grpc(status).trailing_metadata)
        await context.abort(self.code, self.words)


def _packed(detail: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


@dataclass
class Strikes:
    """What goes wrong next, by the name of an operation; and what came with each call."""

    planned: dict[str, list[Strike]] = field(default_factory=dict)
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def plan(self, operation: str, *strikes: Strike) -> None:
        """Make the next calls of *operation* go wrong."""
        self.planned.setdefault(operation, []).extend(strikes)


class _Striking(grpc.aio.ServerInterceptor):
    def __init__(self, strikes: Strikes) -> None:
        self._strikes = strikes

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        name = details.method.rpartition("/")[2]
        self._strikes.received.append((name, dict(details.invocation_metadata)))
        waiting = self._strikes.planned.get(name)
        if not waiting:
            return handler
        strike = waiting.pop(0)
        coding = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(_stream(handler.unary_stream, strike), **coding)
        return grpc.unary_unary_rpc_method_handler(_unary(handler.unary_unary, strike), **coding)


def _unary(operation: Any, strike: Strike) -> Any:
    async def struck(request: Any, context: Any) -> Any:
        if strike.after:
            await operation(request, context)
        await strike.hit(context)

    return struck


def _stream(operation: Any, strike: Strike) -> Any:
    async def struck(request: Any, context: Any) -> AsyncIterator[Any]:
        if strike.after:
            async for event in operation(request, context):
                yield event
                break
        await strike.hit(context)

    return struck


class Bridge(NotOffered):
    """Hands every operation on to a specialist of the fault kit, but for those about push notifications."""

    async def _refuse(self, params: Any, context: ServerCallContext) -> Any:
        raise PushNotificationNotSupportedError

    on_create_task_push_notification_config = _refuse
    on_get_task_push_notification_config = _refuse
    on_list_task_push_notification_configs = _refuse
    on_delete_task_push_notification_config = _refuse

    def __init__(self, agent: Agent, http: Any) -> None:
        self._streaming, self._plain = (_client(agent, http, is_streaming=it) for it in (True, False))

    async def on_message_send(self, params: Any, context: ServerCallContext) -> Any:
        """Send."""
        event = await anext(self._plain.send_message(params))
        return event.task if event.HasField("task") else event.message

    async def on_message_send_stream(self, params: Any, context: ServerCallContext) -> Any:
        """Send, and stream."""
        async for event in self._streaming.send_message(params):
            yield getattr(event, event.WhichOneof("payload"))

    async def on_subscribe_to_task(self, params: Any, context: ServerCallContext) -> Any:
        """Attach."""
        async for event in self._streaming.subscribe(params):
            yield getattr(event, event.WhichOneof("payload"))

    async def on_get_task(self, params: Any, context: ServerCallContext) -> Any:
        """Read."""
        return await self._plain.get_task(params)

    async def on_list_tasks(self, params: Any, context: ServerCallContext) -> Any:
        """List."""
        return await self._plain.list_tasks(params)

    async def on_cancel_task(self, params: Any, context: ServerCallContext) -> Any:
        """Cancel."""
        return await self._plain.cancel_task(params)


def _client(agent: Agent, http: Any, *, is_streaming: bool) -> Client:
    interface = a2a.AgentInterface(url=agent.url, protocol_binding="JSONRPC", protocol_version="1.0")
    capabilities = a2a.AgentCapabilities(streaming=is_streaming)
    card = a2a.AgentCard(name=agent.name, supported_interfaces=[interface], capabilities=capabilities)
    return ClientFactory(ClientConfig(httpx_client=http, streaming=is_streaming)).create(card)


@asynccontextmanager
async def behind_grpc(agent: Agent, credentials: Any = None) -> AsyncIterator[tuple[str, Strikes]]:
    """Serve *agent* over gRPC in both versions; yields `host:port`, and what may go wrong there."""
    strikes = Strikes()
    async with bare_http() as http:
        server = grpc.aio.server(interceptors=[_Striking(strikes)], options=[("grpc.so_reuseport", 0)])
        bridge = Bridge(agent, http)
        a2a_pb2_grpc.add_A2AServiceServicer_to_server(GrpcHandler(bridge), server)
        a2a_v0_3_pb2_grpc.add_A2AServiceServicer_to_server(CompatGrpcHandler(bridge), server)
        port = (
            server.add_secure_port("localhost:0", credentials)
            if credentials
            else server.add_insecure_port("127.0.0.1:0")
        )
        await server.start()
        try:
            yield f"{'localhost' if credentials else '127.0.0.1'}:{port}", strikes
        finally:
            await server.stop(None)


class GrpcRig(Rig):
    """A specialist behind gRPC and the calls to it."""

    def __init__(self, fleet: Any, calls: AgentCalls, target: str, strikes: Strikes, **how: Any) -> None:
        version = how.pop("version")
        super().__init__(fleet, calls, **how)
        self.ref = AgentRef("it", target, "GRPC", version, streaming=how["streaming"])
        self.strikes = strikes


@asynccontextmanager
async def grpc_rig(
    script: Any,
    *,
    streaming: bool = True,
    version: str = "1.0",
    patience: Patience = QUICK,
    bounds: Bounds = ROOMY,
    strikes: Sequence[tuple[str, Strike]] = (),
) -> AsyncIterator[GrpcRig]:
    """Serve one specialist over gRPC, with the calls of one coordinator to it."""
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(testing.fleet([Specialist("it", script, streaming=streaming)]))
        target, planned = await stack.enter_async_context(behind_grpc(fleet["it"]))
        for operation, strike in strikes:
            planned.plan(operation, strike)
        http = await stack.enter_async_context(shared_http_client(patience.request_s, bounds.answer))
        channels = GrpcChannels(max_answer=bounds.answer)
        stack.push_async_callback(channels.close)
        calls = AgentCalls(http, patience, {"it": "secret"}.get, bounds=bounds, channels=channels)
        yield GrpcRig(fleet, calls, target, planned, streaming=streaming, pushing=False, version=version)

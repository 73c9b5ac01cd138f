"""A coordinator that serves gRPC beside the rest, and the SDK's clients of it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from a2a.client import A2ACardResolver, Client, ClientCallContext, ClientConfig, ClientFactory
from a2a.types import a2a_pb2 as a2a

from coordinator.app import assembled
from coordinator.config import Settings
from coordinator.inbound import Stopping
from coordinator.inbound.grpc_port import grpc_port
from coordinator.outbound import Patience
from coordinator.testing.server import listener, serving
from tests.protocol.clients import Caller, bare_http

EXTRA = (("grpc.use_local_subchannel_pool", 1),)


@dataclass(frozen=True)
class Served:
    """Where a coordinator is, and what stops it."""

    url: str
    target: str
    stopping: Stopping


@asynccontextmanager
async def serving_grpc(settings: Mapping[str, Any]) -> AsyncIterator[Served]:
    """Serve a coordinator on two free ports."""
    stopping = Stopping()
    with listener() as opened:
        known = Settings(**({"port": opened.getsockname()[1], "grpc_port": 0} | dict(settings)))
        async with grpc_port(known, stopping) as port:
            known = known.model_copy(update={"grpc_port": port.port})
            patience = Patience(progress_s=0.0)
            async with (
                assembled(known, patience, stopping=stopping, beside=port.serving) as app,
                serving(app, opened),
            ):
                yield Served(known.url, known.grpc_target, stopping)


@asynccontextmanager
async def calling_over(
    url: str,
    binding: str,
    version: str = "1.0",
    headers: Mapping[str, str] | None = None,
    plan: str = "",
) -> AsyncIterator[Caller]:
    """Read the card below *url* and yield a client for its interface of that binding and version."""
    async with bare_http(headers=headers) as http, channels() as open_channel:
        card = await A2ACardResolver(http, f"{url}/{plan}").get_agent_card()
        interfaces = [
            interface
            for interface in card.supported_interfaces
            if (interface.protocol_binding, interface.protocol_version) == (binding, version)
        ]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(interfaces)
        yield GrpcCaller(card, http, open_channel, headers or {}) if binding == "GRPC" else Caller(card, http)


@asynccontextmanager
async def channels(credentials: Any = None) -> AsyncIterator[Any]:
    """Yield what opens channels; they are closed in the end."""
    opened: list[Any] = []

    def opening(target: str) -> Any:
        opened.append(
            grpc.aio.secure_channel(target, credentials, EXTRA)
            if credentials
            else grpc.aio.insecure_channel(target, EXTRA)
        )
        return opened[-1]

    try:
        yield opening
    finally:
        for channel in opened:
            await channel.close()


class GrpcCaller(Caller):
    """The same client over gRPC; *headers* go with every call as metadata."""

    def __init__(self, card: a2a.AgentCard, http: Any, opening: Any, headers: Mapping[str, str]) -> None:
        self._opening = opening
        self._headers = headers
        super().__init__(card, http)

    def _client(self, card: a2a.AgentCard, http: Any, bindings: Sequence[str], *, is_streaming: bool) -> Client:
        config = ClientConfig(
            grpc_channel_factory=self._opening, streaming=is_streaming, supported_protocol_bindings=["GRPC"]
        )
        return ClientFactory(config).create(card, [_Metadata(self._headers)])


class _Metadata:
    """Adds metadata to every call."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    async def before(self, args: Any) -> None:
        """Add it."""
        args.context = args.context or ClientCallContext()
        args.context.service_parameters = {**self._headers, **(args.context.service_parameters or {})}

    async def after(self, args: Any) -> None:
        """Nothing."""

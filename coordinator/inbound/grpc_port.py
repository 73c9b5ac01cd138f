"""The port gRPC is served on: taken before anything starts, with the certificates of the configuration.

Whatever is wrong with the port or the files is told with the field's name. Needs the extra `grpc`; only the server
opens it.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from a2a.compat.v0_3 import a2a_v0_3_pb2_grpc
from a2a.compat.v0_3.grpc_handler import CompatGrpcHandler
from a2a.server.request_handlers.grpc_handler import GrpcHandler
from a2a.types import a2a_pb2_grpc

from coordinator.config import Settings
from coordinator.errors import ConfigurationError
from coordinator.inbound.auth import TokenBackend
from coordinator.inbound.grpc import Edge, GrpcCallContexts
from coordinator.inbound.handler import TaskService
from coordinator.inbound.stopping import Stopping

ENDING_S = 0.5
"""For answers that are on their way when the port is closed: streams and waits have ended before."""

KEEPALIVE = (
    ("grpc.keepalive_time_ms", 60_000),  # a client whose machine went away is noticed, and its stream ended
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),  # clients may ask as well, but not all the time
    ("grpc.keepalive_permit_without_calls", 1),
)


@dataclass(frozen=True, slots=True)
class GrpcPort:
    """A port that is taken already; it answers once it is served."""

    port: int
    _server: Any

    @asynccontextmanager
    async def serving(self, service: TaskService) -> AsyncIterator[None]:
        """Serve *service* in both versions of the protocol."""
        services = [
            (a2a_pb2_grpc.add_A2AServiceServicer_to_server, GrpcHandler(service, GrpcCallContexts("1", "1.0"))),
            (
                a2a_v0_3_pb2_grpc.add_A2AServiceServicer_to_server,
                CompatGrpcHandler(service, GrpcCallContexts("0", "0.3")),
            ),
        ]
        for add, handler in services:
            add(handler, self._server)  # type: ignore[no-untyped-call]  # generated without types
        await self._server.start()
        try:
            yield
        finally:
            await self._server.stop(ENDING_S)


@asynccontextmanager
async def grpc_port(settings: Settings, stopping: Stopping) -> AsyncIterator[GrpcPort]:
    """Take the port of the settings, with TLS where they have a certificate, and free it in the end.

    Raises `ConfigurationError` for files that cannot be used and for a port that is taken.
    """
    tokens = {entry.name: entry.token() for entry in settings.tokens} if settings.auth == "tokens" else None
    server = grpc.aio.server(
        interceptors=[Edge(None if tokens is None else TokenBackend(tokens), stopping)],
        options=[
            ("grpc.max_receive_message_length", settings.max_body),
            ("grpc.max_send_message_length", -1),
            ("grpc.compression_enabled_algorithms_bitset", 1),  # a small message could become any size
            ("grpc.so_reuseport", 0),  # another process on the same port is a mistake, not a partner
            *KEEPALIVE,
        ],
    )
    credentials = _credentials(settings)
    address = f"{settings.bracketed_host}:{settings.grpc_port}"
    try:
        try:
            port = (
                server.add_insecure_port(address)
                if credentials is None
                else server.add_secure_port(address, credentials)
            )
        except RuntimeError as error:
            raise ConfigurationError(
                f"cannot listen on {address} for gRPC: it is taken, or not an address of this machine; "
                "choose another one with --grpc-port"
            ) from error
        yield GrpcPort(port, server)
    finally:
        await server.stop(None)


def _credentials(settings: Settings) -> Any:
    """Return the server's certificate, None without TLS. Raises `ConfigurationError` that names the field."""
    certificate, key, client_ca = settings.grpc_certificate, settings.grpc_key, settings.grpc_client_ca
    if certificate is None or key is None:
        return None
    pair = (_read("grpc_key", key), _read("grpc_certificate", certificate))
    ca = _read("grpc_client_ca", client_ca) if client_ca is not None else None
    # gRPC itself would only say that the port cannot be bound.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=bytes)  # none: nobody is asked for one in the terminal
    except ssl.SSLError as error:
        words = f"{certificate} and {key} are not a certificate chain and its private key in PEM"
        raise ConfigurationError(f"grpc_certificate, grpc_key: {words}: {error.reason or error}") from error
    try:
        if client_ca is not None:
            context.load_verify_locations(client_ca)
    except ssl.SSLError as error:
        words = f"{client_ca} holds no certificates in PEM: {error.reason or error}"
        raise ConfigurationError(f"grpc_client_ca: {words}") from error
    return grpc.ssl_server_credentials([pair], ca, require_client_auth=ca is not None)


def _read(setting: str, file: Path) -> bytes:
    try:
        return file.expanduser().read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{setting}: {file} cannot be read: {error.strerror}") from error

"""The same operations over gRPC: an edge around the SDK's services.

The SDK's services know no callers, no versions and no "later": the edge finds out who calls, refuses
versions, puts our own refusals in the place of the SDK's, and names our extension where it is active.
What an operation does is the task service's business, the same as on every other binding. Needs the
extra `grpc`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from a2a.auth.user import UnauthenticatedUser, User
from a2a.compat.v0_3 import a2a_v0_3_pb2
from a2a.compat.v0_3.proto_utils import FromProto
from a2a.extensions.common import get_requested_extensions
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.grpc_handler import GrpcServerCallContextBuilder
from a2a.server.routes.common import StarletteUser
from a2a.utils.errors import VersionNotSupportedError
from a2a.utils.grpc_status import GRPC_STATUS_DETAILS_BIN_KEY, status_to_grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2
from starlette.authentication import AuthenticationError, SimpleUser
from typing_extensions import override

from coordinator.core.extension import URI
from coordinator.errors import RetryLater
from coordinator.inbound.auth import TokenBackend
from coordinator.inbound.edge import ACTIVATED, EXTENSIONS, VERSION
from coordinator.inbound.retrying import DOMAIN, REFUSED, SCOPE
from coordinator.inbound.stopping import Stopping
from coordinator.wire import state_in

SEND_STREAM = "/SendStreamingMessage"
"""End of the names of streams that are over with a question."""


MOST_WORDS = 1000
"""Bytes of an error's message: clients take a few KiB of metadata, and errors quote what was sent."""

Decode = Callable[[bytes], Any]


@dataclass(slots=True)
class Call:
    """One call as the SDK sees it: what a servicer context offers, and who calls."""

    context: Any  #: grpc.aio.ServicerContext
    user: User
    headers: dict[str, str] = field(init=False)  #: the metadata that is text, names in lower case
    scope: dict[str, Any] = field(init=False)  #: notes of the task service, as in an ASGI scope
    _is_begun: bool = False

    def __post_init__(self) -> None:
        """Read the metadata."""
        self.headers = {key: value for key, value in self.invocation_metadata() if isinstance(value, str)}
        self.scope = {ACTIVATED: URI in self._asked(EXTENSIONS) | self._asked(f"x-{EXTENSIONS}")}

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Return what the client sent beside its request."""
        return tuple(self.context.invocation_metadata() or ())

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Return what goes out at the end."""
        return tuple(self.context.trailing_metadata() or ())

    def set_trailing_metadata(self, metadata: tuple[tuple[str, str | bytes], ...]) -> None:
        """Set what goes out at the end."""
        self.context.set_trailing_metadata(metadata)

    def requested_extensions(self) -> set[str]:
        """Return the extensions the client asks for (spec 3.2.6)."""
        return self._asked(EXTENSIONS)

    async def begin(self) -> None:
        """Name our extension before anything else goes out, where the request activated it."""
        if self._is_begun:
            return
        self._is_begun = True
        if self.scope[ACTIVATED]:
            is_old = EXTENSIONS not in self.headers and f"x-{EXTENSIONS}" in self.headers
            await self.context.send_initial_metadata(((f"x-{EXTENSIONS}" if is_old else EXTENSIONS, URI),))

    async def abort(self, code: Any, details: str) -> None:
        """End the call with an error; one to be retried later is told as such, whatever the SDK made of it."""
        await self.begin()
        if REFUSED in self.scope:
            await self.postpone(self.scope[REFUSED].error)
        if len(details.encode()) > MOST_WORDS:
            details = details.encode()[:MOST_WORDS].decode(errors="ignore")
            self.set_trailing_metadata(tuple(_shortened(*entry, details) for entry in self.trailing_metadata()))
        await self.context.abort(code, details)

    async def postpone(self, error: RetryLater) -> None:
        """End the call with UNAVAILABLE, and when to come back (google.rpc.RetryInfo)."""
        status = status_to_grpc(_later(error))
        self.context.set_trailing_metadata(status.trailing_metadata)
        await self.context.abort(status.code, status.details)

    def _asked(self, name: str) -> set[str]:
        return get_requested_extensions([str(value) for key, value in self.invocation_metadata() if key == name])


def _shortened(key: str, value: str | bytes, words: str) -> tuple[str, str | bytes]:
    """Return a piece of metadata as it goes with *words*: a status says the same, and without quoting the request."""
    if key != GRPC_STATUS_DETAILS_BIN_KEY or isinstance(value, str):
        return key, value
    status = status_pb2.Status.FromString(value)
    kept = [detail for detail in status.details if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    return key, status_pb2.Status(code=status.code, message=words, details=kept).SerializeToString()


def _later(error: RetryLater) -> status_pb2.Status:
    """Return what every binding says of *error*: why, and how long to stay away."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(max(1000, round(error.retry_after_s * 1000)))
    status = status_pb2.Status(code=code_pb2.UNAVAILABLE, message=str(error))
    for detail in (info, error_details_pb2.RetryInfo(retry_delay=delay)):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


@dataclass(frozen=True, slots=True)
class GrpcCallContexts(GrpcServerCallContextBuilder):
    """Call contexts of one version's service; the SDK's own has no user and takes every version."""

    major: str  #: what the version the client names has to begin with
    default: str  #: the version of a client that names none (spec 3.6.2)

    @override
    def build(self, context: Call) -> ServerCallContext:
        """Return the context of the call. Raises `VersionNotSupportedError`."""
        version = context.headers.get(VERSION, "") or "0.3"
        if version.split(".")[0] != self.major:
            raise VersionNotSupportedError(f"this service speaks A2A {self.default}, not {version!r}")
        return ServerCallContext(
            user=context.user,
            state={SCOPE: context.scope, "headers": {**context.headers, VERSION: version}},
            requested_extensions=context.requested_extensions(),
        )


class Edge(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # gRPC comes without types
    """What every call passes before and after the SDK's services."""

    def __init__(self, tokens: TokenBackend | None, stopping: Stopping) -> None:
        """Take who may call, None for everybody, and what tells when this process stops."""
        self._tokens = tokens
        self._stopping = stopping

    @override
    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        """Return the SDK's handler of the call with our own around it."""
        handler = await continuation(details)
        if handler is None:
            return None
        # Requests are decoded here: only those of known callers, and what cannot be decoded is told as such.
        decode, encode = handler.request_deserializer, handler.response_serializer
        if handler.response_streaming:
            is_send = details.method.endswith(SEND_STREAM)
            stream = self._stream(handler.unary_stream, decode, ends_with_question=is_send)
            return grpc.unary_stream_rpc_method_handler(stream, response_serializer=encode)
        unary = self._unary(handler.unary_unary, decode)
        return grpc.unary_unary_rpc_method_handler(unary, response_serializer=encode)

    def _unary(
        self, operation: Callable[[Any, Any], Awaitable[Any]], decode: Decode
    ) -> Callable[[bytes, Any], Awaitable[Any]]:
        async def answered(body: bytes, context: Any) -> Any:
            call = await self._call(context)
            answer = await operation(await _request(decode, body, context), call)
            await call.begin()
            return answer

        return answered

    def _stream(
        self, operation: Callable[[Any, Any], AsyncIterator[Any]], decode: Decode, *, ends_with_question: bool
    ) -> Callable[[bytes, Any], AsyncIterator[Any]]:
        async def streamed(body: bytes, context: Any) -> AsyncIterator[Any]:
            call = await self._call(context)
            request = await _request(decode, body, context)
            is_whole = False
            async for event in operation(request, call):
                await call.begin()
                is_whole = _ends(event, is_whole, ends_with_question=ends_with_question)
                yield event
            if self._stopping.asked.is_set() and not is_whole:
                # An end without an error would look like the end of the task.
                await call.postpone(RetryLater("the coordinator is stopping; subscribe again", reason="STOPPING"))

        return streamed

    async def _call(self, context: Any) -> Call:
        call = Call(context, UnauthenticatedUser())
        if self._tokens is not None:
            try:
                name = self._tokens.principal(call.headers.get("authorization", ""))
            except AuthenticationError as error:
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))
            else:
                call.user = StarletteUser(SimpleUser(name))
        return call


async def _request(decode: Decode, body: bytes, context: Any) -> Any:
    try:
        request = decode(body)
        if isinstance(request, a2a_v0_3_pb2.SendMessageRequest):
            # The SDK would do this too late: what cannot be converted became an unknown error.
            FromProto.message_send_params(request)
        return request  # noqa: TRY300 - what follows is about all of it
    except (DecodeError, ValueError) as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"this is not the message of this operation: {error}")


def _ends(event: Any, is_whole: bool, *, ends_with_question: bool) -> bool:  # noqa: FBT001 - the answer so far
    """Whether a stream may end after *event*; *is_whole* says it for the events before."""
    kind = event.WhichOneof("payload")
    if kind not in {"task", "status_update"}:
        return is_whole or kind in {"message", "msg"}
    state = state_in(getattr(event, kind).status.state)  # both versions number states alike
    return state is not None and (state.is_terminal or (ends_with_question and state.is_interrupted))

"""What gRPC says when a call fails, read into plain values, so that nobody else has to know gRPC.

Without the extra `grpc` nobody raises such an error, and this module finds none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from a2a.utils.grpc_status import status_from_call
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2

from coordinator.core.model import FailureKind

try:
    from grpc.aio import AioRpcError
except ImportError:  # pragma: no cover - the extra is not installed

    class AioRpcError(Exception):  # type: ignore[no-redef]
        """Nobody raises it."""


_SIGNS = (
    # An agent may tell of its own trouble to connect: only the whole beginning is gRPC's.
    (re.compile("failed to connect to all addresses"), FailureKind.UNREACHABLE),
    (re.compile("dns resolution failed for"), FailureKind.UNREACHABLE),
    (re.compile("empty address list"), FailureKind.UNREACHABLE),
    (re.compile(".*client: received message larger than max"), FailureKind.TOO_LARGE),
    (re.compile(".*received message larger than max"), FailureKind.REFUSED),
    (re.compile(".*exception deserializing response"), FailureKind.MALFORMED),
)
"""gRPC's own words where the library, and not the agent's program, has found the fault; the first that fits counts."""


@dataclass(frozen=True, slots=True)
class RpcError:
    """A call that ended with another status than OK."""

    code: str  #: the name of the status, such as UNAVAILABLE
    words: str
    retry_after_s: float | None = None  #: from google.rpc.RetryInfo
    fault: FailureKind | None = None  #: found by gRPC itself: no connection, something too large or unreadable


def rpc_error_in(error: BaseException) -> RpcError | None:
    """Return what *error* says, None when it is none of gRPC's."""
    if not isinstance(error, AioRpcError):
        return None
    words = " ".join((error.details() or "").split())
    delay_s = _retry_after(error)
    # An agent could say the same words, but hardly with details.
    fault = None if delay_s is not None else _fault(words.lower())
    return RpcError(error.code().name, words, delay_s, fault)


def _fault(words: str) -> FailureKind | None:
    return next((kind for sign, kind in _SIGNS if sign.match(words)), None)


def _retry_after(error: AioRpcError) -> float | None:
    """Return the delay of a RetryInfo among the details; they are the agent's, so they may be anything."""
    try:
        status = status_from_call(error)
        for detail in status.details if status else ():
            retry = error_details_pb2.RetryInfo()
            if detail.Is(retry.DESCRIPTOR) and detail.Unpack(retry):
                return max(0.0, float(retry.retry_delay.ToTimedelta().total_seconds()))
    except (ValueError, OverflowError, DecodeError):
        return None
    return None

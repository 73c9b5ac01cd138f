"""What an error of the SDK, of HTTP or of a lying specialist means for the attempt.

One table for HTTP statuses, one walk along the causes for everything else. Ambiguous means:
nobody can say whether the specialist has the message, so it has to be looked up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

import aiohttp
import httpx
from a2a.client.errors import A2AClientError
from a2a.utils.errors import (
    A2AError,
    InternalError,
    MethodNotFoundError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from google.protobuf.json_format import ParseError
from google.protobuf.message import DecodeError

from coordinator.core.model import Failure, FailureKind
from coordinator.outbound.bounds import AnswerTooLarge
from coordinator.outbound.rpc_errors import RpcError, rpc_error_in

PEER_ERRORS = (
    A2AError,
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    aiohttp.ClientError,
    ParseError,
    DecodeError,
    # The SDK lets these through when an answer has another shape than the protocol says.
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,  # JSON nested deeper than anybody needs
    OSError,
)
"""Everything a specialist can make a call of ours raise; cancellation and bugs of ours are not among it."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a failed call means; `is_ambiguous` says the request may have arrived all the same."""

    failure: Failure
    is_ambiguous: bool = False
    is_unsupported: bool = False  #: the agent does not have this operation


class CallFailed(Exception):
    """A call to a specialist failed; `trouble` says what it means."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.failure.message)
        self.trouble = trouble


@contextmanager
def translated() -> Iterator[None]:
    """Turn whatever a specialist can make the SDK raise into `CallFailed`."""
    try:
        yield
    except PEER_ERRORS as error:
        raise CallFailed(trouble(error)) from error


STATUSES: Mapping[int, FailureKind] = {
    400: FailureKind.REFUSED,
    401: FailureKind.REFUSED,
    403: FailureKind.REFUSED,
    404: FailureKind.REFUSED,
    405: FailureKind.REFUSED,
    413: FailureKind.REFUSED,
    415: FailureKind.REFUSED,
    422: FailureKind.REFUSED,
    429: FailureKind.OVERLOADED,
    503: FailureKind.OVERLOADED,
}
"""Definite answers by HTTP status; any other error status is ambiguous."""

_WORDS: Mapping[int, str] = {
    401: "it wants credentials: give token_env for this agent",
    403: "it does not allow this caller",
    404: "there is no A2A endpoint at its URL",
    413: "the request is too large for it",
    429: "it answers 'too many requests'",
    503: "it answers 'service unavailable'",
}

CODES: Mapping[str, FailureKind] = {
    "INVALID_ARGUMENT": FailureKind.REFUSED,
    "NOT_FOUND": FailureKind.REFUSED,
    "ALREADY_EXISTS": FailureKind.REFUSED,
    "PERMISSION_DENIED": FailureKind.REFUSED,
    "FAILED_PRECONDITION": FailureKind.REFUSED,
    "OUT_OF_RANGE": FailureKind.REFUSED,
    "UNIMPLEMENTED": FailureKind.REFUSED,
    "UNAUTHENTICATED": FailureKind.REFUSED,
    "RESOURCE_EXHAUSTED": FailureKind.OVERLOADED,
}
"""Definite answers by gRPC status; any other one is ambiguous, UNAVAILABLE unless it says when to come back."""

_RPC_WORDS: Mapping[str, str] = {
    "PERMISSION_DENIED": _WORDS[403],
    "UNAUTHENTICATED": _WORDS[401],
    "UNIMPLEMENTED": "there is no such A2A service at its address",
}

_FAULTS: Mapping[FailureKind, str] = {
    FailureKind.UNREACHABLE: "no connection",
    FailureKind.TOO_LARGE: "its answer is larger than allowed (max_answer)",
    FailureKind.REFUSED: _WORDS[413],
    FailureKind.MALFORMED: "the answer is not A2A",
}
"""What gRPC itself has found."""


MOST_WORDS = 2000
"""Characters of a failure that is told in a specialist's own words."""

LONGEST_RETRY_AFTER_S = 3600.0
"""What a specialist may at most ask us to stay away, in seconds."""

NEVER_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, httpx.ConnectError)
"""Nothing was sent. httpx-aiohttp tells both these and a connection lost in mid-request as ConnectTimeout, so
aiohttp's own error behind it decides."""


def trouble(error: Exception) -> Trouble:
    """Return what *error*, one of PEER_ERRORS, means for a send."""
    is_unsupported = isinstance(error, UnsupportedOperationError | MethodNotFoundError)
    if isinstance(error, TaskNotFoundError | UnsupportedOperationError):
        # Over HTTP+JSON these come with a status, which says less.
        return Trouble(_of_answer(error), is_unsupported=is_unsupported)
    causes = list(_causes(error))
    for cause in causes:
        if (found := _of_cause(error, cause)) is not None:
            return replace(found, is_unsupported=is_unsupported or found.is_unsupported)
    for cause in causes:
        if isinstance(cause, httpx.TransportError | aiohttp.ClientError | OSError):
            return Trouble(Failure(FailureKind.IN_DOUBT, f"the connection broke: {_words(cause)}"), is_ambiguous=True)
    return Trouble(_of_answer(error), is_unsupported=is_unsupported)


def _of_cause(error: Exception, cause: BaseException) -> Trouble | None:
    """Return what *cause*, one of those behind *error*, says for certain; None when it says nothing."""
    if isinstance(cause, httpx.HTTPStatusError):
        return _of_status(cause.response)
    if isinstance(cause, NEVER_CONNECTED):
        return Trouble(Failure(FailureKind.UNREACHABLE, f"no connection: {_words(cause)}"))
    if isinstance(cause, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return Trouble(Failure(FailureKind.REFUSED, f"its URL cannot be used: {_words(cause)}"))
    rpc = rpc_error_in(cause)
    return None if rpc is None else _of_rpc(error, rpc)


def _of_answer(error: Exception) -> Failure:
    """Return the failure behind a complete answer that is an error, or no answer of the protocol at all."""
    if isinstance(error, AnswerTooLarge):
        return Failure(FailureKind.TOO_LARGE, str(error))
    if isinstance(error, TaskNotFoundError):
        return Failure(FailureKind.LOST, "it does not know the task any more")
    if isinstance(error, InternalError):
        return Failure(FailureKind.FAILED, f"internal error: {error.message}"[:MOST_WORDS])
    if isinstance(error, A2AError) and not isinstance(error, A2AClientError):
        return Failure(FailureKind.REFUSED, str(error.message)[:MOST_WORDS])
    return Failure(FailureKind.MALFORMED, f"the answer is not A2A: {_words(error)}")


def _of_rpc(error: Exception, rpc: RpcError) -> Trouble:
    """Return what a gRPC status means; an error the protocol knows says more than the status it came with."""
    words = f"gRPC {rpc.code}: {_RPC_WORDS.get(rpc.code) or rpc.words or 'without a word'}"[:MOST_WORDS]
    if rpc.fault is not None:
        return Trouble(Failure(rpc.fault, f"{_FAULTS[rpc.fault]}: {rpc.words}"[:MOST_WORDS]))
    if isinstance(error, A2AError) and not isinstance(error, A2AClientError):
        return Trouble(_of_answer(error))
    is_told = rpc.code == "UNAVAILABLE" and rpc.retry_after_s is not None
    kind = FailureKind.OVERLOADED if is_told else CODES.get(rpc.code)
    if kind is None:
        return Trouble(Failure(FailureKind.IN_DOUBT, words), is_ambiguous=True)
    delay_s = None if rpc.retry_after_s is None else min(rpc.retry_after_s, LONGEST_RETRY_AFTER_S)
    return Trouble(Failure(kind, words, retry_after_s=delay_s), is_unsupported=rpc.code == "UNIMPLEMENTED")


def _of_status(response: httpx.Response) -> Trouble:
    status = response.status_code
    words = f"HTTP {status}" + (f": {_WORDS[status]}" if status in _WORDS else "")
    kind = STATUSES.get(status)
    if kind is None:
        return Trouble(Failure(FailureKind.IN_DOUBT, words), is_ambiguous=True)
    return Trouble(Failure(kind, words, retry_after_s=retry_after(response.headers)))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the delay of a Retry-After header in seconds; a date counts from the response's own Date (RFC 9110).

    Anything that is neither is no delay, and a longer one counts as `LONGEST_RETRY_AFTER_S`.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_RETRY_AFTER_S)
    try:
        asked = parsedate_to_datetime(value)
        sent = parsedate_to_datetime(headers.get("date", ""))
        delay_s = (asked - sent).total_seconds()
    except (ValueError, TypeError, OverflowError):  # a date without a zone cannot be counted from one that has one
        return None
    return min(max(0.0, delay_s), LONGEST_RETRY_AFTER_S)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and what it was raised from."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _words(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        why = os.strerror(error.errno) if error.errno else str(error.os_error)
        return f"{error.host}:{error.port}: {why}"
    text = " ".join(str(error).split())[:300]
    return text or type(error).__name__

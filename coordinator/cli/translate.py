"""From the errors of httpx and the A2A client to one line a user can act on.

Translated once, here, by tables; `Lost` is what asking again may help against.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

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

from coordinator.cli.exits import Lost, NoAnswer, Stop, UnknownTask, Unsupported
from coordinator.cli.terminal import size

OF_STATUS: Mapping[int, str] = {
    401: "asks for a token: give one with --token or COORDINATOR_TOKEN",
    403: "does not allow this with the token given",
    404: "answers, but is no coordinator",
    405: "answers, but is no coordinator",
    413: "takes no request of this size: send fewer files, or raise max_body in its configuration",
    429: "has too much to do now; try again later",
    503: "has too much to do now, or cannot reach its database; try again later",
}
NOT_ACCEPTED = "does not accept this token: give the right one with --token or COORDINATOR_TOKEN"
OF_PASSING: Mapping[int, type[Lost]] = {502: Lost, 503: NoAnswer, 504: Lost}
"""Answers that say nothing about a task: it goes on behind a proxy without a way, or a server without a free place."""

NOT_TAKEN = frozenset({"TOO_MANY_COORDINATIONS", "STOPPING", "TASK_NOT_BEGUN"})
"""Reasons of refusals made before anything was begun (google.rpc.ErrorInfo)."""

LARGE = 1_000_000
START_ONE = "start one with: coordinator serve"


@contextmanager
def translated(server: str) -> Iterator[None]:
    """Turn every expected failure inside the block into a `Stop` about *server*."""
    try:
        yield
    except A2AError as error:
        raise _of_protocol(error, server) from error
    except httpx.HTTPStatusError as error:
        raise _of_status(error.response, server) from error
    except httpx.RequestError as error:
        raise _of_network(error, server) from error
    except (ParseError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Stop(f"what answers at {server} does not speak A2A: {error}") from error
    except NotImplementedError as error:
        raise Unsupported(f"{server} does not stream") from error
    except ValueError as error:
        # the SDK's way to say that a card lists no interface it can use
        raise Stop(f"the agent card at {server} offers no usable interface: {error}") from error


async def stop_when_not_taken(response: httpx.Response) -> None:
    """Raise `NoAnswer` for a JSON-RPC answer that refuses for now; for httpx, before the SDK drops reason and delay."""
    delay_s = response.headers.get("Retry-After")
    if delay_s is None or response.status_code != httpx.codes.OK:
        return
    await response.aread()
    try:
        error = response.json()["error"]
        reasons = {detail.get("reason") for detail in error["data"]}
        message = error["message"]
    except (ValueError, LookupError, TypeError, AttributeError):
        return
    if reasons & NOT_TAKEN:
        raise NoAnswer(f"not taken: {message}; try again in {delay_s} s")


def _of_protocol(error: A2AError, server: str) -> Stop:
    cause = error.__cause__
    if isinstance(cause, httpx.HTTPStatusError):
        return _of_status(cause.response, server)
    if isinstance(cause, httpx.RequestError):
        return _of_network(cause, server)
    if isinstance(error, TaskNotFoundError):
        return UnknownTask(f"{server} knows no such task")
    if isinstance(error, UnsupportedOperationError | MethodNotFoundError):
        return Unsupported(error.message)
    if isinstance(error, InternalError):
        return Lost(f"{server} could not do it: {error.message}")
    if isinstance(error, A2AClientError):
        return Stop(f"what answers at {server} is not understood: {error.message}")
    return Stop(f"{server} refused: {error.message}")


def _of_status(response: httpx.Response, server: str) -> Stop:
    status = response.status_code
    told = OF_STATUS.get(status) or f"refused: {_said(response)}"
    if status == httpx.codes.UNAUTHORIZED and "Authorization" in response.request.headers:
        told = NOT_ACCEPTED
    return OF_PASSING.get(status, Stop)(f"{server} {told}")


def _said(response: httpx.Response) -> str:
    """Return the reason a server gives in the body of an error, else the status."""
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, LookupError, TypeError, httpx.ResponseNotRead):
        return f"HTTP {response.status_code}"


def _of_network(error: httpx.RequestError, server: str) -> Stop:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        url = str(error.request.url)  # which the card may have named
        return NoAnswer(f"No coordinator answers at {server if url.startswith(server) else url}; {START_ONE}")
    if isinstance(error, httpx.TimeoutException):
        return Lost(f"{server} does not answer in time")
    return Lost(f"the connection to {server} broke: {str(error) or type(error).__name__}{_perhaps_too_large(error)}")


def _perhaps_too_large(error: httpx.RequestError) -> str:
    """Return the likeliest reason why a large request was cut off: the refusal of a server seldom arrives then."""
    length = int(error.request.headers.get("content-length", 0))
    return f"; perhaps it takes no request of {size(length)}" if length >= LARGE else ""

"""How much a specialist may send, counted as the bytes come in and before anybody parses them.

Three sizes: one answer, one artifact, all answers to one task together. What is larger ends the
attempt as TOO_LARGE; nothing here keeps bytes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
from a2a.types import a2a_pb2 as a2a
from typing_extensions import override

MIB = 1024 * 1024
MOST_ANSWER = 16 * MIB

STEADY = 64 * 1024
"""Bytes a second a stream may bring in the long run, beside the bytes of one answer: a task that speaks for days is
no flood."""

EVENT_STREAM = "text/event-stream"
BLANK_LINES = (b"\n\n", b"\r\n\r\n")


class AnswerTooLarge(ValueError):
    """A specialist's answer is larger than allowed."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most a specialist may send, in bytes."""

    answer: int = MOST_ANSWER  #: one answer, or one event of a stream, as it is on the wire
    artifact: int = 16 * MIB  #: one artifact, put together
    results: int = 256 * MIB  #: all answers to one task that are held at once


class Allowance:
    """What is left of the bytes all answers to one task may have."""

    def __init__(self, most: int, used: int = 0) -> None:
        self.used = used
        self._most = most

    def change(self, by: int) -> None:
        """Count bytes that are held, or with a negative number no longer held. Raises `AnswerTooLarge`."""
        self.used += by
        if by > 0 and self.used > self._most:
            raise AnswerTooLarge(f"the answers to this task exceed {self._most} bytes together (max_results)")


class BoundedStream(httpx.AsyncByteStream):
    """The body of a response, which ends with `AnswerTooLarge` where it exceeds *most* bytes.

    An event stream may go on for ever: there *most* bounds each event, and all of them together but for the
    steady rate.
    """

    def __init__(self, body: httpx.AsyncByteStream, most: int, *, is_stream: bool) -> None:
        self._body = body
        self._most = most
        self._is_stream = is_stream

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces. Raises `AnswerTooLarge`."""
        started, total, event, tail = time.monotonic(), 0, 0, b""
        async for chunk in self._body:
            total += len(chunk)
            event += len(chunk)
            allowed = self._most
            if self._is_stream:
                seen = tail + chunk
                if (end := _last_blank_line(seen)) >= 0:
                    event = len(seen) - end
                tail = seen[-3:]
                allowed += int(STEADY * (time.monotonic() - started))
            if total > allowed or event > self._most:
                raise AnswerTooLarge(f"its answer exceeds {self._most} bytes (max_answer)")
            yield chunk

    @override
    async def aclose(self) -> None:
        """Close the connection, or give it back when the body was read to its end."""
        await self._body.aclose()


def bounded(response: httpx.Response, most: int) -> httpx.Response:
    """Return *response* with its body bounded. Raises `AnswerTooLarge` for one that announces more."""
    announced = response.headers.get("content-length", "")
    is_stream = EVENT_STREAM in response.headers.get("content-type", "")
    if announced.isdigit() and int(announced) > most and not is_stream:
        raise AnswerTooLarge(f"its answer of {announced} bytes exceeds {most} (max_answer)")
    if isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = BoundedStream(response.stream, most, is_stream=is_stream)
    return response


async def paced(
    answers: AsyncIterator[a2a.StreamResponse], silence_s: float, most: int
) -> AsyncIterator[a2a.StreamResponse]:
    """Yield *answers*, with the bounds of an event stream on what came over gRPC, which knows only whole calls.

    Raises `AnswerTooLarge`, and `TimeoutError` after *silence_s* without an answer. One answer is bounded by the
    channel.
    """
    started, total = time.monotonic(), 0
    while True:
        async with asyncio.timeout(silence_s):
            answer = await anext(answers, None)
        if answer is None:
            return
        total += answer.ByteSize()
        if total > most + int(STEADY * (time.monotonic() - started)):
            raise AnswerTooLarge(f"its answer exceeds {most} bytes (max_answer)")
        yield answer


def _last_blank_line(text: bytes) -> int:
    return max(text.rfind(line) for line in BLANK_LINES)

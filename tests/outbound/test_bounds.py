"""More than anybody asked for: it is refused while it comes in, under one name, and nothing of it is kept."""

import gzip
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from coordinator.core.events import AttemptFailed
from coordinator.core.model import FailureKind
from coordinator.outbound import Allowance, Bounds, shared_http_client
from coordinator.outbound.bounds import AnswerTooLarge, BoundedStream
from coordinator.testing import Behaviour, answers
from coordinator.testing.server import listener, serving
from tests.outbound.pursuing import rig

WAYS = pytest.mark.parametrize("streaming", [True, False], ids=["stream", "poll"])
GIGABYTE = 1_000_000_000
SMALL = Bounds(answer=200_000, artifact=100_000, results=150_000)
TINY_S = 0.01


@WAYS
async def test_a_gigabyte_is_refused_while_it_comes_in_and_its_task_is_left_to_be_canceled(streaming):
    async with rig(Behaviour(gush=GIGABYTE), streaming=streaming, bounds=SMALL) as it:
        ends = await it.sent()
        assert ends.failure.kind is FailureKind.TOO_LARGE
        assert ends.failure.message == "its answer exceeds 200000 bytes (max_answer)"
        assert ends.of(AttemptFailed)[0].is_open
        assert it.agent.counts.sends == 1


@pytest.mark.parametrize("during", ["get", "subscribe"])
async def test_a_task_that_grows_too_large_is_given_up_at_once_whatever_told_it(during):
    script = Behaviour(gush=GIGABYTE, during=(during,), steps=("a",), cut_after=1, work_s=0.1)
    async with rig(script, streaming=during == "subscribe", bounds=SMALL) as it:
        assert (await it.sent()).failure.kind is FailureKind.TOO_LARGE
        asked = {"get": it.agent.counts.gets, "subscribe": it.agent.counts.subscribes}
        assert asked[during] == 1


async def test_an_answer_that_announces_its_size_is_not_even_read():
    async with rig(Behaviour(oversized=300_000), streaming=False, bounds=SMALL) as it:
        failure = (await it.sent()).failure
        assert (failure.kind, "bytes exceeds 200000" in failure.message) == (FailureKind.TOO_LARGE, True)


async def test_an_endless_stream_that_never_says_anything_large_is_refused_as_a_flood():
    async with rig(Behaviour(updates=100_000, padding=200), bounds=SMALL) as it:
        assert (await it.sent()).failure.kind is FailureKind.TOO_LARGE
        assert it.agent.counts.subscribes == 0, "it was listened to again"


@WAYS
async def test_an_artifact_is_bounded_by_itself(streaming):
    script = Behaviour(artifacts=(answers.text(*["x" * 20_000] * 6),), chunk=1)
    async with rig(script, streaming=streaming, bounds=SMALL) as it:
        assert "max_artifact" in (await it.sent()).failure.message


async def test_the_answers_to_one_task_are_bounded_together_and_what_failed_counts_no_more():
    large, small = answers.text("x" * 90_000), answers.text("fine")
    bent = Behaviour(end="failed", artifacts=(large,))
    async with rig(
        [bent, bent, Behaviour(artifacts=(large,)), Behaviour(artifacts=(large,)), Behaviour(artifacts=(small,))],
        bounds=SMALL,
    ) as it:
        assert [(await it.sent()).failure.kind for _ in range(2)] == [FailureKind.FAILED] * 2
        assert len((await it.sent()).texts[0]) == 90_000
        assert "max_results" in (await it.sent()).failure.message
        assert (await it.sent()).texts == ["fine"]


@WAYS
async def test_json_nested_without_end_is_no_answer(streaming):
    async with rig(Behaviour(garbage="deep"), streaming=streaming) as it:
        assert (await it.sent()).failure.kind is FailureKind.MALFORMED


@asynccontextmanager
async def answering(response, most):
    """Serve one response, and yield our client and its URL."""

    async def page(_):
        return response()

    with listener() as opened:
        async with serving(Starlette(routes=[Route("/", page)]), opened), shared_http_client(5.0, most) as http:
            yield http, f"http://127.0.0.1:{opened.getsockname()[1]}/"


async def test_an_answer_that_is_compressed_without_being_asked_is_not_unpacked():
    bomb = gzip.compress(b"x" * 10_000_000)

    def compressed():
        return Response(bomb, headers={"content-encoding": "gzip"})

    async with answering(compressed, most=20_000) as (http, url):
        with pytest.raises(httpx.DecodingError, match="compressed"):
            await http.get(url)


def streamed(*pieces, media_type="text/event-stream"):
    def response():
        async def body():
            for piece in pieces:
                yield piece

        return StreamingResponse(body(), media_type=media_type)

    return response


@pytest.mark.parametrize(
    ("pieces", "is_read"),
    [
        ([b"data: " + b"x" * 900, b"\n\n"], True),
        ([b"data: xxxx\n\n"] * 50, True),
        ([b"data: xxxx\r\n\r", b"\ndata: y\r\n\r\n"] * 30, True),
        ([b"x" * 1001], False),
        ([b"data: xxxx\n"] * 200, False),
    ],
    ids=["one event", "many events", "CRLF across pieces", "no line", "an event of many lines"],
)
async def test_each_event_of_a_stream_has_its_bound(pieces, is_read):
    async with answering(streamed(*pieces), most=1000) as (http, url):
        if is_read:
            assert (await http.get(url)).content == b"".join(pieces)
        else:
            with pytest.raises(AnswerTooLarge):
                await http.get(url)


async def test_blank_lines_do_not_make_events_of_what_is_no_stream():
    pieces = [b"{}" + b"\n\n" * 200] * 5
    async with answering(streamed(*pieces, media_type="application/json"), most=1000) as (http, url):
        with pytest.raises(AnswerTooLarge):
            await http.get(url)


class Slow(httpx.AsyncByteStream):
    """A body that brings little, for long, by a clock of its own."""

    def __init__(self, clock, seconds):
        self._clock, self._seconds = clock, seconds

    async def __aiter__(self):
        for _ in range(self._seconds):
            self._clock.now += 1.0
            yield b"data: x" * 100 + b"\n\n"


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


async def test_a_stream_may_go_on_for_days_as_long_as_it_brings_little(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("coordinator.outbound.bounds.time", clock)
    body = BoundedStream(Slow(clock, 5000), 1000, is_stream=True)
    assert sum([len(piece) async for piece in body]) == 5000 * 702


def test_an_allowance_takes_back_what_is_given_back():
    allowance = Allowance(100, used=60)
    allowance.change(40)
    with pytest.raises(AnswerTooLarge):
        allowance.change(1)
    allowance.change(-50)
    allowance.change(49)

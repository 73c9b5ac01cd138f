"""An endpoint that is overloaded, broken or without words, and how long a mind is patient with it."""

import asyncio
from email.utils import formatdate

import pytest
from pydantic_ai.exceptions import ModelHTTPError

from specialist_agents.minds.configuration import EndpointSettings
from specialist_agents.minds.endpoint import Endpoint
from specialist_agents.minds.prompt import Prompt
from specialist_agents.minds.results import MindFailure
from specialist_agents.minds.stand_in import StandIn, Trouble
from specialist_agents.minds.testing import standing_in
from specialist_agents.server import bound
from tests.minds.rig import ask, minded


class Nobody:
    """Listens to nothing."""

    async def progress(self, words):
        pass

    async def piece(self, text):
        pass


def late(header):
    """A refusal for too many requests that says when to come again."""
    return Trouble(429, {"Retry-After": header}, code="rate_limit_exceeded")


@pytest.mark.parametrize("api", ["openai", "anthropic"])
@pytest.mark.parametrize("trouble", [late("0"), Trouble(503), Trouble(500), Trouble(529)], ids=lambda t: str(t.status))
async def test_a_passing_failure_is_told_and_tried_again(api, trouble):
    stand_in = StandIn(troubles=[trouble, trouble])
    async with minded(stand_in, api=api) as client:
        came = await ask(client)
    assert came.state == "COMPLETED"
    assert len(stand_in.heard) == 3
    assert [words.rpartition("; ")[2] for words in came.progress[:2]] == ["attempt 2 follows", "attempt 3 follows"]
    assert f"(HTTP {trouble.status})" in came.progress[0]


async def test_when_all_attempts_are_used_up_the_task_fails_and_says_why():
    stand_in = StandIn(troubles=[late("0")] * 3)
    async with minded(stand_in, attempts=3) as client:
        came = await ask(client)
    assert (came.state, len(stand_in.heard)) == ("FAILED", 3)
    assert came.words == "the endpoint's rate limit is reached (HTTP 429), after 3 attempts"


async def test_a_pause_longer_than_anybody_waits_fails_at_once_and_names_it():
    stand_in = StandIn(troubles=[late("3600")])
    async with minded(stand_in, answer_timeout=20) as client:
        came = await ask(client)
    assert (came.state, len(stand_in.heard)) == ("FAILED", 1)
    assert "it asks to wait 3600 s, and an answer may take 20 s; try again later" in came.words


@pytest.mark.parametrize(("header", "low", "high"), [("7", 6.9, 7.0), (formatdate(4e9), 1e6, 4e9), (None, 2.0, 4.0)])
async def test_the_next_request_waits_as_long_as_the_endpoint_says_else_a_pause_that_doubles(header, low, high):
    endpoint = Endpoint(EndpointSettings(model="m", backoff=2.0))
    headers = {"Retry-After": header} if header else {}
    endpoint._postpone(ModelHTTPError(429, "m", headers=headers), 2, asyncio.timeout(None))
    assert low <= endpoint._not_before - asyncio.get_running_loop().time() <= high
    await endpoint.aclose()


async def test_a_pause_one_question_is_told_counts_for_all():
    stand_in = StandIn()
    async with standing_in(stand_in) as url:
        endpoint = Endpoint(EndpointSettings(model="m", base_url=f"{url}/v1", answer_timeout=0.05))
        endpoint._postpone(ModelHTTPError(429, "m", headers={"retry-after": "60"}), 1, asyncio.timeout(None))
        with pytest.raises(MindFailure, match=r"had not answered after 0\.05 seconds"):
            await endpoint.ask(Prompt("instructions", "material"), Nobody())
        await endpoint.aclose()
    assert not stand_in.heard


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (
            Trouble(401),
            "the endpoint does not accept the key (HTTP 401): look at the environment variable STAND_IN_KEY",
        ),
        (Trouble(404), "the endpoint does not know the model (HTTP 404): look at endpoint.model (stand-in)"),
        (Trouble(400), "the endpoint refused the request (HTTP 400)"),
        (Trouble(429, code="insufficient_quota"), "the account at the endpoint has nothing left to spend (HTTP 429)"),
    ],
    ids=["a wrong key", "no such model", "a wrong request", "nothing left"],
)
async def test_what_would_fail_again_is_not_tried_again(monkeypatch, trouble, told):
    monkeypatch.setenv("STAND_IN_KEY", "a-key")
    stand_in = StandIn(troubles=[trouble])
    async with minded(stand_in, key_env="STAND_IN_KEY") as client:
        came = await ask(client)
    assert (came.state, len(stand_in.heard)) == ("FAILED", 1)
    assert told in came.words
    assert "a-key" not in str(came.task)


async def test_the_key_of_the_environment_goes_to_the_endpoint(monkeypatch):
    monkeypatch.setenv("STAND_IN_KEY", "a-key")
    stand_in = StandIn(key="a-key")
    async with minded(stand_in, key_env="STAND_IN_KEY") as client:
        assert (await ask(client)).state == "COMPLETED"


@pytest.mark.parametrize("api", ["openai", "anthropic"])
async def test_an_answer_that_breaks_off_fails_the_task_and_is_not_begun_again(api):
    stand_in = StandIn(troubles=[Trouble(breaks_after=3)])
    async with minded(stand_in, api=api) as client:
        came = await ask(client)
    assert (came.state, len(stand_in.heard)) == ("FAILED", 1)
    assert came.words.startswith("the answer broke off: ")


@pytest.mark.parametrize("api", ["openai", "anthropic"])
@pytest.mark.parametrize(
    "junk",
    ["data: no json\n\n", 'data: {"foo": 1}\n\n', "data: [1]\n\n", "<html>hello</html>", 'data: {"choices": 3}\n\n'],
)
async def test_an_endpoint_that_speaks_another_language_fails_the_task_in_words(api, junk):
    stand_in = StandIn(troubles=[Trouble(junk=junk)])
    async with minded(stand_in, api=api) as client:
        came = await ask(client)
    assert (came.state, len(stand_in.heard)) == ("FAILED", 1)
    assert came.words.startswith(
        ("the endpoint's answer cannot be read", "the model's answer cannot be used", "the model ans")
    )


async def test_an_endpoint_that_falls_silent_is_given_up_after_the_silence():
    stand_in = StandIn(troubles=[Trouble(silent=True)] * 2)
    async with minded(stand_in, silence_timeout=0.05, attempts=2) as client:
        came = await ask(client)
    assert (came.state, len(stand_in.heard)) == ("FAILED", 2)
    assert came.words == "the endpoint cannot be reached, or fell silent, after 2 attempts"


async def test_an_answer_has_a_limit_of_time_over_all_attempts():
    stand_in = StandIn(troubles=[Trouble(silent=True)])
    async with minded(stand_in, answer_timeout=0.1) as client:
        came = await ask(client)
    assert (came.state, came.words) == ("FAILED", "the model had not answered after 0.1 seconds")


async def test_an_endpoint_nobody_listens_at_is_told():
    with bound("127.0.0.1", 0) as listening:
        nobody = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with minded(StandIn(), base_url=nobody, attempts=2) as client:
        came = await ask(client)
    assert (came.state, came.words) == (
        "FAILED",
        "the endpoint cannot be reached, or fell silent, after 2 attempts",
    )

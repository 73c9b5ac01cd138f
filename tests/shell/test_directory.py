"""Who is known: cards from folders, files and URLs; what is wrong with one is told, never raised later."""

import asyncio
import json

import httpx
import pytest

from coordinator import app
from coordinator import directory as directory_module
from coordinator.config import CARDS, AgentEntry, Settings
from coordinator.core.extension import URI
from coordinator.directory import Directory
from coordinator.errors import ConfigurationError

WELL_KNOWN = "https://a.example/.well-known/agent-card.json"


def card(name="Pricing Agent", *, interfaces=None, **more):
    interfaces = interfaces or [("JSONRPC", "1.0", "https://a.example/rpc")]
    return {
        "name": name,
        "description": "d",
        "version": "1",
        "supportedInterfaces": [
            {"protocolBinding": binding, "protocolVersion": version, "url": url} for binding, version, url in interfaces
        ],
        "capabilities": {"streaming": True},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [{"id": "pricing", "name": "p", "description": "d", "tags": ["money"]}],
        **more,
    }


@pytest.fixture
def http(respx_mock):
    return httpx.AsyncClient(transport=httpx.MockTransport(respx_mock.async_handler))


def write(folder, **cards):
    for name, content in cards.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name}.json").write_text(text)
    return folder


def test_a_folder_of_cards_needs_no_network(tmp_path, http):
    directory = Directory([AgentEntry(card=str(write(tmp_path, a=card())))], http)
    (candidate,) = directory.candidates()
    assert (candidate.ref.name, candidate.ref.url) == ("pricing-agent", "https://a.example/rpc")
    assert candidate.ref.skills == ("pricing",)
    assert candidate.tags == {"money"}


def test_the_cards_that_ship_are_five_reviewers(http):
    candidates = Directory([AgentEntry(card=str(CARDS))], http).candidates()
    names = {candidate.ref.name for candidate in candidates if "python-review" in candidate.ref.skills}
    assert names == {"lint", "security", "complexity", "deadcode", "types"}


def test_an_entry_may_rename_an_agent_and_add_tags(tmp_path, http):
    file = write(tmp_path, a=card()) / "a.json"
    (candidate,) = Directory([AgentEntry(card=str(file), name="prices", tags=("extra",))], http).candidates()
    assert candidate.ref.name == "prices"
    assert candidate.tags == {"money", "extra"}


@pytest.mark.parametrize(
    ("interfaces", "chosen"),
    [
        ([("JSONRPC", "0.3", "u3"), ("HTTP+JSON", "1.0", "u1")], ("HTTP+JSON", "1.0", "u1")),
        ([("GRPC", "1.0", "g:1"), ("JSONRPC", "0.3.0", "u3")], ("GRPC", "1.0", "g:1")),
        ([("JSONRPC", "1.0", "u1"), ("GRPC", "1.0", "g:1")], ("JSONRPC", "1.0", "u1")),
        ([("GRPC", "0.3", "g:1")], ("GRPC", "0.3", "g:1")),
        ([("HTTP+JSON", "1.0", "a"), ("JSONRPC", "1.0", "b")], ("HTTP+JSON", "1.0", "a")),
    ],
)
def test_the_newest_version_spoken_wins_then_the_order_of_the_card(tmp_path, http, interfaces, chosen):
    folder = write(tmp_path, a=card(interfaces=interfaces))
    ref = Directory([AgentEntry(card=str(folder))], http).candidates()[0].ref
    assert (ref.binding, ref.version, ref.url) == chosen


def without_grpc(monkeypatch):
    monkeypatch.setattr(directory_module, "speaks_grpc", lambda: False)


def test_without_the_extra_an_interface_that_needs_none_is_taken(tmp_path, http, monkeypatch):
    without_grpc(monkeypatch)
    folder = write(tmp_path, a=card(interfaces=[("GRPC", "1.0", "g:1"), ("JSONRPC", "0.3", "u3")]))
    assert Directory([AgentEntry(card=str(folder))], http).candidates()[0].ref.binding == "JSONRPC"


def test_without_the_extra_an_agent_that_speaks_only_grpc_is_told_with_what_to_install(tmp_path, http, monkeypatch):
    without_grpc(monkeypatch)
    folder = write(tmp_path, a=card(interfaces=[("GRPC", "1.0", "g:1")]))
    with pytest.raises(ConfigurationError, match=r"speaks only gRPC.*a2a-coordinator\[grpc\]"):
        Directory([AgentEntry(card=str(folder))], http)


async def test_an_agent_with_a_file_and_no_web_address_is_not_asked_for_its_card(tmp_path, http):
    folder = write(tmp_path, a=card(interfaces=[("GRPC", "1.0", "g:1")]))
    (known,) = await Directory([AgentEntry(card=str(folder))], http).survey()
    assert (known.error, known.ref.url) == ("", "g:1")


async def test_an_agent_with_a_file_is_asked_for_its_card_at_its_web_address(tmp_path, http, respx_mock):
    folder = write(tmp_path, a=card(interfaces=[("GRPC", "1.0", "g:1"), ("HTTP+JSON", "1.0", "https://a.example")]))
    asked = respx_mock.get(WELL_KNOWN).mock(return_value=httpx.Response(200, json=card()))
    await Directory([AgentEntry(card=str(folder))], http).survey()
    assert asked.called


def test_an_entry_says_whether_its_grpc_interface_speaks_tls(tmp_path, http):
    folder = write(tmp_path, a=card(interfaces=[("GRPC", "1.0", "g:1")]))
    entry = AgentEntry.model_validate({"card": str(folder), "name": "it", "grpc_tls": False})
    directory = Directory([entry], http)
    assert (directory.grpc_tls("it"), directory.grpc_tls("unknown")) == ("off", "auto")


def test_a_card_that_declares_our_extension_is_known_to_understand_us(tmp_path, http):
    capabilities = {"streaming": False, "extensions": [{"uri": URI}]}
    folder = write(tmp_path, a=card(capabilities=capabilities))
    ref = Directory([AgentEntry(card=str(folder))], http).candidates()[0].ref
    assert (ref.understands_us, ref.streaming) == (True, False)


@pytest.mark.parametrize(
    ("cards", "told"),
    [
        ({"a": "{not json"}, r"a\.json: this is not an agent card"),
        ({"a": "[]"}, "this is not an agent card"),
        ({"a": card(interfaces=[("MQTT", "1.0", "m")])}, "lacks an interface this coordinator speaks"),
        ({"a": card(name="!!!")}, "lacks a name"),
        ({"a": card(), "b": card()}, r"b\.json: another agent is already named pricing-agent"),
        ({}, r"holds no \*\.json cards"),
    ],
    ids=["broken", "a list", "another binding", "no name", "twice", "empty folder"],
)
def test_a_wrong_card_file_is_named(tmp_path, http, cards, told):
    write(tmp_path, **cards)
    with pytest.raises(ConfigurationError, match=told):
        Directory([AgentEntry(card=str(tmp_path))], http)


def test_a_place_that_does_not_exist_is_named(http):
    with pytest.raises(ConfigurationError, match="no card file or folder /nowhere"):
        Directory([AgentEntry(card="/nowhere")], http)


async def test_a_url_is_read_at_its_well_known_path(respx_mock, http):
    respx_mock.get(WELL_KNOWN).respond(json=card())
    directory = Directory([AgentEntry(card="https://a.example")], http)
    assert directory.candidates() == []
    await directory.refresh()
    assert [candidate.ref.name for candidate in directory.candidates()] == ["pricing-agent"]
    assert [agent.error for agent in directory.agents()] == [""]


async def test_a_url_of_a_card_is_read_as_it_is(respx_mock, http):
    respx_mock.get("https://a.example/cards/one.json").respond(json=card())
    directory = Directory([AgentEntry(card="https://a.example/cards/one.json")], http)
    await directory.refresh()
    assert len(directory.candidates()) == 1


async def test_an_agent_that_cannot_be_read_is_told_and_comes_back(respx_mock, http):
    route = respx_mock.get(WELL_KNOWN)
    directory = Directory([AgentEntry(card="https://a.example", name="pricing")], http)
    route.mock(side_effect=httpx.ConnectError("refused"))
    await directory.refresh()
    assert directory.candidates() == []
    assert "refused" in directory.agents()[0].error
    route.mock(side_effect=None, return_value=httpx.Response(200, json=card()))
    await directory.refresh()
    assert directory.agents()[0].error == ""
    assert len(directory.candidates()) == 1


async def test_an_agent_keeps_its_last_card_while_it_is_away(respx_mock, http):
    route = respx_mock.get(WELL_KNOWN).respond(json=card())
    directory = Directory([AgentEntry(card="https://a.example")], http)
    await directory.refresh()
    route.mock(side_effect=httpx.ConnectError("refused"))
    await directory.refresh()
    assert len(directory.candidates()) == 1
    assert directory.agents()[0].error


async def test_only_those_that_were_never_read_can_be_asked_too(respx_mock, http):
    read = respx_mock.get(WELL_KNOWN).respond(json=card())
    unread = respx_mock.get("https://b.example/.well-known/agent-card.json").respond(503)
    directory = Directory([AgentEntry(card="https://a.example"), AgentEntry(card="https://b.example")], http)
    await directory.refresh()
    unread.respond(json=card("Other Agent"))
    await directory.refresh(only_unread=True)
    assert (read.call_count, unread.call_count) == (1, 2)
    assert {candidate.ref.name for candidate in directory.candidates()} == {"pricing-agent", "other-agent"}


async def test_an_agent_that_was_away_when_the_coordinator_started_is_known_soon_after(
    respx_mock, http, tmp_path, monkeypatch
):
    monkeypatch.setattr(app, "UNREAD_S", 0.01)
    away = respx_mock.get(WELL_KNOWN).mock(side_effect=httpx.ConnectError("refused"))
    settings = Settings(db="memory", agents=("https://a.example",), refresh_agents="1h")
    async with app.assembled(settings, wrapping=app.Wrapping(http=lambda _: http)) as application:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://it") as client, asyncio.timeout(10):
            assert {agent["name"] for agent in (await client.get("/agents")).json()["agents"]} == {"https://a.example"}
            away.mock(side_effect=None, return_value=httpx.Response(200, json=card()))
            while (await client.get("/agents")).json()["agents"][0]["name"] != "pricing-agent":  # noqa: ASYNC110 - as a client would
                await asyncio.sleep(0.01)


async def test_two_urls_with_one_name_do_not_replace_each_other(respx_mock, http):
    respx_mock.get(WELL_KNOWN).respond(json=card())
    respx_mock.get("https://b.example/.well-known/agent-card.json").respond(json=card())
    directory = Directory([AgentEntry(card="https://a.example"), AgentEntry(card="https://b.example")], http)
    await directory.refresh()
    await directory.refresh()
    assert len(directory.candidates()) == 1
    assert sum("another agent is already named" in agent.error for agent in directory.agents()) == 1


async def test_a_survey_asks_everybody_also_agents_from_files(respx_mock, http, tmp_path):
    respx_mock.get("https://a.example/rpc/.well-known/agent-card.json").respond(404)
    respx_mock.get(WELL_KNOWN).respond(json=card())
    directory = Directory([AgentEntry(card=str(write(tmp_path, a=card())))], http)
    assert [agent.error for agent in await directory.survey()] == [""]
    respx_mock.get(WELL_KNOWN).respond(500)
    assert "500" in (await directory.survey())[0].error


def test_a_token_for_an_agent_comes_from_the_environment(tmp_path, http, monkeypatch):
    entry = AgentEntry(card=str(write(tmp_path, a=card())), token_env="PRICING_TOKEN")
    directory = Directory([entry], http)
    with pytest.raises(ConfigurationError, match="PRICING_TOKEN"):
        directory.read_tokens()
    monkeypatch.setenv("PRICING_TOKEN", "secret")
    directory.read_tokens()
    assert directory.token("pricing-agent") == "secret"
    assert directory.token("somebody") == ""


async def test_an_agent_that_gets_its_name_from_its_card_keeps_its_token(respx_mock, http, monkeypatch):
    monkeypatch.setenv("PRICING_TOKEN", "secret")
    respx_mock.get(WELL_KNOWN).respond(json=card())
    directory = Directory([AgentEntry(card="https://a.example", token_env="PRICING_TOKEN")], http)
    directory.read_tokens()
    await directory.refresh()
    assert directory.token("pricing-agent") == "secret"


@pytest.mark.parametrize(
    ("wait", "streaming", "pushing"),
    [("auto", True, True), ("stream", True, False), ("push", False, True), ("poll", False, False)],
)
def test_how_an_agent_is_waited_for_is_its_card_s_word_unless_the_configuration_has_another(
    tmp_path, http, wait, streaming, pushing
):
    folder = write(tmp_path, a=card(capabilities={"streaming": True, "pushNotifications": True}))
    ref = Directory([AgentEntry(card=str(folder), wait=wait)], http).candidates()[0].ref
    assert (ref.streaming, ref.pushing) == (streaming, pushing)


@pytest.mark.parametrize("wait", ["stream", "push"])
def test_a_way_the_card_does_not_offer_is_tried_when_the_configuration_says_so(tmp_path, http, wait):
    folder = write(tmp_path, a=card(capabilities={}))
    ref = Directory([AgentEntry(card=str(folder), wait=wait)], http).candidates()[0].ref
    assert (ref.streaming, ref.pushing) == (wait == "stream", wait == "push")
    plain = Directory([AgentEntry(card=str(folder))], http).candidates()[0].ref
    assert (plain.streaming, plain.pushing) == (False, False)

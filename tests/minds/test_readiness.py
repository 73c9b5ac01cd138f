"""Without a key: the card says so, what is sent is rejected, and a plan says so before sending."""

import asyncio
from pathlib import Path

import httpx
import pytest
import yaml
from a2a.client import A2ACardResolver

from coordinator import app, testing
from coordinator.config import PLANS, Settings
from specialist_agents.cards import card_names, read_card
from specialist_agents.minds.configuration import WrongConfiguration, read_configuration
from specialist_agents.minds.stand_in import StandIn
from specialist_agents.minds.testing import MINDS, SHIPPED, configured, standing_in, thinking
from tests.minds.rig import ask, minded
from tests.planning.making import text
from tests.policies.rig import coordinating

VIEWS = ("legal-view", "technical-view", "financial-view", "security-view")


async def _card(url):
    async with httpx.AsyncClient() as http:
        return await A2ACardResolver(http, url).get_agent_card(), (await http.get(f"{url}/readyz")).status_code


async def test_without_a_key_the_card_says_what_to_set(monkeypatch):
    monkeypatch.delenv("STAND_IN_KEY", raising=False)
    async with thinking("legal-view", configured("http://127.0.0.1:1", key_env="STAND_IN_KEY")) as url:
        card, ready = await _card(url)
    assert card.description.splitlines()[0] == (
        "Not ready: set the environment variable STAND_IN_KEY (endpoint.key_env in minds.yaml) "
        "to a key for http://127.0.0.1:1/v1, and start this agent again"
    )
    assert all("not-ready" in skill.tags for skill in card.skills)
    assert ready == 503


async def test_with_a_key_and_without_need_of_one_it_is_ready(monkeypatch):
    monkeypatch.setenv("STAND_IN_KEY", "a-key")
    for endpoint in ({"key_env": "STAND_IN_KEY"}, {}):
        async with thinking("legal-view", configured("http://127.0.0.1:1", **endpoint)) as url:
            card, ready = await _card(url)
        assert card.description == read_card("legal-view", MINDS).description
        assert ready == 200


async def test_without_a_key_what_is_sent_is_rejected_with_the_same_words(monkeypatch):
    monkeypatch.delenv("STAND_IN_KEY", raising=False)
    stand_in = StandIn()
    async with minded(stand_in, key_env="STAND_IN_KEY") as client:
        came = await ask(client)
    assert came.state == "REJECTED"
    assert came.words.startswith("Not ready: set the environment variable STAND_IN_KEY")
    assert not stand_in.heard


async def test_agents_that_work_by_rule_need_no_key(monkeypatch):
    monkeypatch.delenv("STAND_IN_KEY", raising=False)
    async with minded(StandIn(), "rule-planner", key_env="STAND_IN_KEY") as client:
        assert (await ask(client)).state == "COMPLETED"


def plan(need="all", **merge):
    to = {"agents": ["ada", "legal-view"]}
    stage = {"fan_out": {"to": to}, "barrier": {"need": need}} | merge
    return {"name": "both", "description": "Both.", "stages": {"read": stage}}


async def test_a_plan_over_an_agent_without_a_key_is_refused_before_anybody_is_asked(monkeypatch, tmp_path):
    monkeypatch.delenv("STAND_IN_KEY", raising=False)
    mind = thinking("legal-view", configured("http://127.0.0.1:1", key_env="STAND_IN_KEY"))
    async with testing.fleet(["ada"]) as fleet, mind as url:
        agents = (str(fleet.write_cards(tmp_path / "cards")), url)
        async with coordinating(tmp_path, fleet, plan(), agents=agents) as it:
            answer = await it.ask(text("read"))
            async with httpx.AsyncClient() as http:
                listed = (await http.get(f"{it.url}/agents")).json()["agents"]
        assert "plan both, stage read: not ready: legal-view (Not ready: set the environment" in answer.refusal
        assert fleet.counts.sends == 0
        settings = Settings(agents=agents, plans=(str(_only(tmp_path)),), default_plan="both", db="memory")
        told = await asyncio.to_thread(app.check, settings)  # `coordinator check` says the same
    assert [agent["lacking"] is not None for agent in listed] == [False, True]
    assert any("not ready: legal-view" in problem for problem in told)


def _only(folder: Path) -> Path:
    file = folder / "both.yaml"
    file.write_text(yaml.safe_dump(plan()), encoding="utf-8")
    return file


async def test_a_plan_that_needs_only_the_others_goes_on(monkeypatch, tmp_path):
    monkeypatch.delenv("STAND_IN_KEY", raising=False)
    mind = thinking("legal-view", configured("http://127.0.0.1:1", key_env="STAND_IN_KEY"))
    async with testing.fleet(["ada"]) as fleet, mind as url:
        agents = (str(fleet.write_cards(tmp_path / "cards")), url)
        async with coordinating(tmp_path, fleet, plan(need=1), agents=agents) as it:
            answer = await it.ask(text("read"))
    assert answer.outcomes == {"read/ada": "succeeded", "read/legal-view": "failed"}
    assert answer.branches["read/legal-view"]["error"]["kind"] == "rejected"


def test_the_cards_that_ship_are_those_the_configuration_and_the_plans_name():
    shipped = read_configuration(SHIPPED)
    assert card_names(MINDS) == sorted(shipped.agents)
    assert shipped.endpoint.key_env == "OPENAI_API_KEY"
    ports = [read_card(name, MINDS).supported_interfaces[0].url for name in card_names(MINDS)]
    assert len(set(ports)) == len(ports)
    plans = [yaml.safe_load(file.read_text()) for file in sorted((PLANS / "minds").glob("*.yaml"))]
    named = {a for one in plans for stage in one["stages"].values() for a in stage["fan_out"]["to"].get("agents", [])}
    assert named <= set(shipped.agents)
    assert set(VIEWS) <= named


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("agents: {legal-view: {}}", "agents.legal-view needs a model, but there is no endpoint"),
        ("endpoint: {model: m, kye_env: X}\nagents: {}", "endpoint.kye_env: Extra inputs are not permitted"),
        ("endpoint: {model: m}\nagents: {a: {by: rule}}", "agents.a: by: rule is for task: plan and task: synthesize"),
        ("agents: {a: {task: plan, by: rule, instructions: x}}", "a rule reads no instructions"),
        ("endpoint: {model: m}\nagents: {a: {may_use: {b: c}}}", "may_use is for task: plan"),
        ("a: [", "minds.yaml"),
    ],
)
def test_a_wrong_configuration_names_the_field(tmp_path, document, told):
    file = tmp_path / "minds.yaml"
    file.write_text(document)
    with pytest.raises(WrongConfiguration) as refusal:
        read_configuration(file)
    assert told in str(refusal.value)


async def test_an_agent_the_configuration_does_not_name_is_told():
    async with standing_in(StandIn()) as url:
        configuration = configured(url)
        del configuration.agents["legal-view"]
        with pytest.raises(WrongConfiguration, match="agents does not name legal-view; it names: "):
            async with thinking("legal-view", configuration):
                pass

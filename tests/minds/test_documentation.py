"""docs/minds.md shows configurations that work, and tells the defaults that are."""

import re
from pathlib import Path

import pytest
import yaml

from coordinator.config import Settings
from specialist_agents.cards import card_names, read_card
from specialist_agents.minds.configuration import AgentSettings, EndpointSettings
from specialist_agents.minds.testing import MINDS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "minds.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)]


def test_the_endpoints_shown_are_accepted():
    shown = [EndpointSettings.model_validate(block["endpoint"]) for block in BLOCKS if "endpoint" in block]
    assert [one.api for one in shown] == ["openai", "anthropic", "openai", "openai"]
    assert [one.is_ready for one in shown if not one.key_env] == [True]


def test_the_coordinator_shown_knows_every_agent_that_ships():
    (settings,) = (Settings.model_validate(block) for block in BLOCKS if "agents" in block)
    served = {read_card(name, MINDS).supported_interfaces[1].url for name in card_names(MINDS)}
    assert {entry.card for entry in settings.agents} == served


@pytest.mark.parametrize("settings", [EndpointSettings, AgentSettings])
def test_every_field_of_the_configuration_is_told_with_its_default(settings):
    for name, field in settings.model_fields.items():
        (told,) = re.findall(rf"^\| `{name}` \| (.*?) \|", DOCUMENT, re.MULTILINE)
        if isinstance(field.default, int | float):
            assert told == f"{field.default:g}".replace("4e+05", "400000")

"""What the documents show works: every example in them is read by the program itself."""

import json
import re
from pathlib import Path

import pytest
import yaml
from a2a.types import a2a_pb2 as a2a

from coordinator.config import Settings
from coordinator.core.extension import URI
from coordinator.inbound.intake import parameters_of
from coordinator.planning import PlanFile
from coordinator.wire import struct_out

ROOT = Path(__file__).parents[2]


def blocks(document, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)


def test_the_configuration_and_the_plan_of_the_readme_are_valid():
    configuration, plan = map(yaml.safe_load, blocks("README.md", "yaml"))
    assert len(Settings.model_validate(configuration).agents) == 2
    assert PlanFile.model_validate(plan).name == "offers"


def test_the_plan_that_shows_everything_is_valid():
    plan, delegation = map(yaml.safe_load, blocks("docs/plans.md", "yaml"))
    assert PlanFile.model_validate(plan).answering_stage == "write"
    assert PlanFile.model_validate(delegation).passes_through


@pytest.mark.parametrize("document", ["README.md", "docs/plans.md"])
def test_the_parameters_shown_are_accepted(document):
    (shown,) = map(json.loads, blocks(document, "json"))
    metadata = shown if URI in shown else {URI: shown}
    request = a2a.SendMessageRequest(message=a2a.Message(metadata=struct_out(metadata)))
    assert parameters_of(request).plan


def test_the_client_shown_in_the_readme_is_python():
    (program,) = blocks("README.md", "python")
    compile(program, "README.md", "exec")


def test_every_setting_is_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [name for name in Settings.model_fields if f"`{name}`" not in readme]
    assert missing == []

"""What the documents show works: every example in them is read by the program itself."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from a2a.types import a2a_pb2 as a2a

from coordinator.config import Settings
from coordinator.core.extension import URI
from coordinator.core.merging import STRATEGIES
from coordinator.core.model import Ask, Exhausted, SubTask, Unanswered
from coordinator.inbound.intake import parameters_of
from coordinator.planning import PlanFile
from coordinator.wire import struct_out
from tests.core.answering import answer, document
from tests.core.building import Script, agent, planned

ROOT = Path(__file__).parents[2]


def blocks(document, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)


def test_the_configuration_and_the_plan_of_the_readme_are_valid():
    configuration, plan = map(yaml.safe_load, blocks("README.md", "yaml"))
    assert len(Settings.model_validate(configuration).agents) == 2
    assert PlanFile.model_validate(plan).name == "offers"


def test_the_plan_that_shows_everything_is_valid():
    plan, asking, delegation = map(yaml.safe_load, blocks("docs/plans.md", "yaml"))
    assert PlanFile.model_validate(plan).answering_stage == "write"
    assert PlanFile.model_validate(asking).ask is Ask.SOON
    assert PlanFile.model_validate(asking).unanswered.resolved() == Unanswered(172_800, "skip")
    assert PlanFile.model_validate(delegation).passes_through


def test_the_choices_shown_for_a_failure_are_those_the_client_gets():
    task = SubTask("a", agent("lint"), others=(agent("types"),))
    script = Script(stages=(planned(task, exhausted=Exhausted.ESCALATE),))
    script.fails("a")
    shown = [f"   {choice.id}  {choice.text}\n" for choice in script.question.inquiry.choices]
    assert "".join(shown) in (ROOT / "docs/asking.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", ["README.md", "docs/plans.md"])
def test_the_parameters_shown_are_accepted(document):
    (shown,) = map(json.loads, blocks(document, "json"))
    metadata = shown if URI in shown else {URI: shown}
    request = a2a.SendMessageRequest(message=a2a.Message(metadata=struct_out(metadata)))
    assert parameters_of(request).plan


def shows(actual, shown):
    """Whether *actual* holds everything *shown*; lists have to be whole, objects may hold more."""
    if isinstance(shown, dict):
        return isinstance(actual, dict) and all(key in actual and shows(actual[key], shown[key]) for key in shown)
    if isinstance(shown, list):
        return isinstance(actual, list) and len(actual) == len(shown) and all(map(shows, actual, shown))
    return actual == shown and isinstance(actual, bool) == isinstance(shown, bool)


MERGES = list(
    zip(
        map(yaml.safe_load, blocks("docs/merging.md", "yaml")),
        *[iter(map(json.loads, blocks("docs/merging.md", "json")))] * 2,
        strict=True,
    )
)


@pytest.mark.parametrize(("merge", "said", "shown"), MERGES, ids=range(len(MERGES)))
def test_the_merges_shown_come_out_as_shown(merge, said, shown):
    stage = {"fan_out": {"to": {"agents": list(said)}}, "merge": merge}
    plan = PlanFile.model_validate({"name": "a-plan", "description": "One.", "stages": {"only": stage}})
    spec = plan.stages["only"].merge
    merging = STRATEGIES[spec.strategy](**spec.options)([answer(agent, one) for agent, one in said.items()])
    assert shows(document(merging), shown), document(merging)


def test_every_strategy_and_every_option_of_a_merge_is_in_the_document_on_plans():
    plans = (ROOT / "docs/plans.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(\w+)", plans[plans.index("## Merge") :]))
    options = {option.name for strategy in STRATEGIES.values() for option in fields(strategy)}
    assert (set(STRATEGIES) | options) - told == set()


def test_the_client_shown_in_the_readme_is_python():
    (program,) = blocks("README.md", "python")
    compile(program, "README.md", "exec")


async def test_the_client_shown_in_the_readme_waits_as_long_as_a_stream_is_silent():
    (program,) = blocks("README.md", "python")
    shown = {}
    exec(program.replace("asyncio.run(main())", ""), shown)
    given = []

    async def create_client(url, config):
        given.append(config.httpx_client)
        return config.httpx_client

    shown["create_client"] = create_client
    with pytest.raises(AttributeError, match="send_message"):  # what stands in for the client sends nothing
        await shown["main"]()
    assert given[0].timeout.read is None


def test_every_setting_is_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [name for name in Settings.model_fields if f"`{name}`" not in readme]
    assert missing == []

"""Plan files: what is accepted, and that a wrong field is named."""

from pathlib import Path

import pytest
import yaml

from coordinator.config import PLANS
from coordinator.core.model import Exhausted, Limits, MergeSpec, Need, Release, Retry
from coordinator.errors import ConfigurationError
from coordinator.planning import load_plans, plan_schema


def a_plan(**stage):
    stage = {"fan_out": {"to": {"skill": "review"}}, **stage}
    return {"name": "a-plan", "description": "A plan.", "stages": {"only": stage}}


def load(tmp_path: Path, document) -> object:
    file = tmp_path / "plan.yaml"
    file.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return load_plans([file])["a-plan"].stages["only"]


def test_what_a_plan_leaves_out_has_sane_defaults(tmp_path):
    stage = load(tmp_path, a_plan())
    assert stage.limits.resolved() == Limits()
    assert stage.retry == Retry(attempts=1)
    assert stage.on_failure.exhausted is Exhausted.COUNT
    assert (stage.barrier.release, stage.barrier.need) == (Release.SETTLED, Need("all"))
    assert stage.merge == MergeSpec("concat")


def test_every_option_of_a_stage_is_read(tmp_path):
    stage = load(
        tmp_path,
        a_plan(
            limits={"concurrency": 3, "branch_timeout": "30s", "deadline": "2m"},
            on_failure={"retry": {"attempts": 4, "backoff": "500ms..8s"}, "exhausted": "count"},
            barrier={"release": "enough", "need": 0.6},
            merge={"strategy": "findings", "min_confidence": 80, "min_votes": 2},
            expect="findings",
        ),
    )
    assert stage.limits.resolved() == Limits(3, 30.0, 120.0)
    assert stage.retry == Retry(4, 0.5, 8.0)
    assert (stage.barrier.release, stage.barrier.need) == (Release.ENOUGH, Need("ratio", 0.6))
    assert stage.merge == MergeSpec("findings", {"min_confidence": 80, "min_votes": 2})
    assert stage.expect == "findings"


@pytest.mark.parametrize(
    ("need", "meaning"),
    [("all", Need()), (0, Need("count", 0)), (3, Need("count", 3)), (1, Need("count", 1)), (1.0, Need("ratio", 1.0))],
)
def test_need_is_all_a_count_or_a_ratio(tmp_path, need, meaning):
    assert load(tmp_path, a_plan(barrier={"need": need})).barrier.need == meaning


@pytest.mark.parametrize(
    ("stage", "field"),
    [
        ({"barier": {}}, "stages.only.barier"),
        ({"fan_out": {"to": {}}}, "stages.only.fan_out.to"),
        ({"fan_out": {"to": {"skill": "a", "tag": "b"}}}, "stages.only.fan_out.to"),
        ({"fan_out": {"to": {"agents": []}}}, "stages.only.fan_out.to.agents"),
        ({"fan_out": {"to": {"agents": ["a", "a"]}}}, "agents names an agent twice"),
        ({"limits": {"concurrency": 0}}, "stages.only.limits.concurrency"),
        ({"limits": {"deadline": "soon"}}, "stages.only.limits.deadline"),
        ({"limits": {"deadline": "0s"}}, "stages.only.limits.deadline"),
        ({"limits": {"deadline": True}}, "stages.only.limits.deadline"),
        ({"limits": {"deadline": "5s", "branch_timeout": "6s"}}, "branch_timeout is longer"),
        ({"on_failure": {"exhausted": "escalate"}}, "stages.only.on_failure.exhausted"),
        ({"on_failure": {"retry": {"attempts": 0}}}, "stages.only.on_failure.retry.attempts"),
        ({"on_failure": {"retry": {"backoff": "8s..1s"}}}, "stages.only.on_failure.retry.backoff"),
        ({"on_failure": {"retry": {"backoff": "8s"}}}, "stages.only.on_failure.retry.backoff"),
        ({"on_failure": {"exhausted": "fail_fast"}, "barrier": {"need": 2}}, "contradicts barrier.need"),
        ({"barrier": {"need": 1.5}}, "stages.only.barrier.need"),
        ({"barrier": {"need": -1}}, "stages.only.barrier.need"),
        ({"barrier": {"need": True}}, "stages.only.barrier.need"),
        ({"barrier": {"release": "sometime"}}, "stages.only.barrier.release"),
        ({"merge": "magic"}, "there is no strategy 'magic'"),
        ({"merge": 7}, "stages.only.merge"),
        ({"merge": {"strategy": "findings", "max_votes": 1}}, "findings has no option max_votes"),
        ({"merge": {"strategy": "findings", "min_confidence": 101}}, "min_confidence lies between"),
        ({"merge": {"strategy": "findings", "min_votes": "many"}}, "stages.only.merge"),
        ({"expect": "poetry"}, "stages.only.expect"),
    ],
)
def test_a_wrong_field_is_named_with_the_file(tmp_path, stage, field):
    with pytest.raises(ConfigurationError) as refusal:
        load(tmp_path, a_plan(**stage))
    assert field in str(refusal.value)
    assert "plan.yaml" in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "healthz"}, "path of the server itself"),
        ({"name": "Not A Name"}, "name"),
        ({"description": ""}, "description"),
        ({"stages": {}}, "exactly one stage"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_plan_is_refused(tmp_path, change, told):
    with pytest.raises(ConfigurationError, match=told):
        load(tmp_path, a_plan() | change)


@pytest.mark.parametrize("text", ["just words", "- a\n- list\n", "a: [", ""])
def test_a_file_that_is_no_plan_is_told_apart_from_a_wrong_plan(tmp_path, text):
    with pytest.raises(ConfigurationError, match=r"plan\.yaml"):
        load(tmp_path, text)


def test_two_plans_of_one_name_are_refused(tmp_path):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(yaml.safe_dump(a_plan()))
    with pytest.raises(ConfigurationError, match="two plans named a-plan"):
        load_plans([tmp_path])


def test_a_place_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere"):
        load_plans([tmp_path / "nowhere"])


def test_the_plans_that_ship_are_valid():
    assert "code-review" in load_plans([PLANS])


def test_the_schema_for_editors_knows_every_field_of_a_plan():
    schema = plan_schema()
    assert set(schema["properties"]) == {"name", "description", "tags", "input_modes", "stages"}

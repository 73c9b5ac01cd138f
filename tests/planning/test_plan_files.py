"""Plan files: what is accepted, and that a wrong field is named."""

import json

import jsonschema_rs
import pytest
import yaml

from coordinator.config import PLANS
from coordinator.core.merging import STRATEGIES
from coordinator.core.model import Exhausted, Limits, MergeSpec, Need, Release, Retry, Stragglers
from coordinator.errors import ConfigurationError
from coordinator.planning import load_plans, plan_schema
from coordinator.planning.files import StageFile
from tests.planning.making import a_plan, a_stage, loaded


def only(tmp_path, fan_out=None, **stage):
    """Return the one stage of a plan as it was read."""
    return loaded(tmp_path, a_plan({"only": a_stage(**(fan_out or {})) | stage})).stages["only"]


def test_what_a_plan_leaves_out_has_sane_defaults(tmp_path):
    plan = loaded(tmp_path, a_plan())
    stage = plan.stages["only"]
    assert (plan.parameters, plan.deadline, plan.retry_budget, plan.answering_stage) == ({}, None, None, "only")
    assert stage.limits.resolved() == Limits()
    assert stage.retry == Retry(attempts=1)
    assert (stage.on_failure.fallback, stage.on_failure.hedge) == (0, None)
    assert stage.on_failure.exhausted is Exhausted.COUNT
    assert (stage.barrier.release, stage.barrier.need) == (Release.SETTLED, Need("all"))
    assert stage.barrier.stragglers is Stragglers.CANCEL
    assert stage.merge == MergeSpec("concat")
    fan_out = stage.fan_out
    assert (fan_out.split, fan_out.planned_by, fan_out.template, fan_out.uses) == (None, None, None, ())
    assert (fan_out.message, fan_out.most_sub_tasks, fan_out.to.most) == (True, 1000, None)
    assert not plan.reads_message


def test_every_option_of_a_stage_is_read(tmp_path):
    stage = only(
        tmp_path,
        {"to": {"tag": "fast", "most": 2}, "split": {"items": "a.b", "into": 4, "at_least": 8}, "message": False},
        limits={"concurrency": 3, "branch_timeout": "30s", "deadline": "2m"},
        on_failure={"retry": {"attempts": 4, "backoff": "500ms..8s"}, "fallback": 2, "hedge": "5s"},
        barrier={"release": "enough", "need": 0.6, "stragglers": "continue"},
        merge={"strategy": "findings", "min_confidence": 80, "min_votes": 2},
        expect="findings",
    )
    split = stage.fan_out.split.resolved()
    assert (split.of, split.items, split.batch, split.into, split.at_least) == ("message", "a.b", None, 4, 8)
    assert stage.limits.resolved() == Limits(3, 30.0, 120.0)
    assert stage.retry == Retry(4, 0.5, 8.0)
    assert (stage.on_failure.fallback, stage.on_failure.hedge) == (2, 5.0)
    assert (stage.barrier.release, stage.barrier.need) == (Release.ENOUGH, Need("ratio", 0.6))
    assert stage.barrier.stragglers is Stragglers.CONTINUE
    assert stage.merge == MergeSpec("findings", {"min_confidence": 80, "min_votes": 2})
    assert stage.expect == "findings"


@pytest.mark.parametrize(
    ("need", "meaning"),
    [("all", Need()), (0, Need("count", 0)), (3, Need("count", 3)), (1, Need("count", 1)), (1.0, Need("ratio", 1.0))],
)
def test_need_is_all_a_count_or_a_ratio(tmp_path, need, meaning):
    assert only(tmp_path, barrier={"need": need}).barrier.need == meaning


@pytest.mark.parametrize(
    ("stage", "field"),
    [
        ({"barier": {}}, "stages.only.barier"),
        ({"limits": {"concurrency": 0}}, "stages.only.limits.concurrency"),
        ({"limits": {"scope": "process"}}, "stages.only.limits.scope"),
        ({"limits": {"scope": "global"}}, "limits.scope is global, but there is no limits.concurrency"),
        ({"limits": {"deadline": "soon"}}, "stages.only.limits.deadline"),
        ({"limits": {"deadline": "0s"}}, "stages.only.limits.deadline"),
        ({"limits": {"deadline": True}}, "stages.only.limits.deadline"),
        ({"on_failure": {"exhausted": "sulk"}}, "stages.only.on_failure.exhausted"),
        ({"on_failure": {"retry": {"attempts": 0}}}, "stages.only.on_failure.retry.attempts"),
        ({"on_failure": {"retry": {"backoff": "8s..1s"}}}, "stages.only.on_failure.retry.backoff"),
        ({"on_failure": {"retry": {"backoff": "8s"}}}, "stages.only.on_failure.retry.backoff"),
        ({"on_failure": {"fallback": -1}}, "stages.only.on_failure.fallback"),
        ({"on_failure": {"hedge": "0s"}}, "stages.only.on_failure.hedge"),
        ({"barrier": {"need": 1.5}}, "stages.only.barrier.need"),
        ({"barrier": {"need": -1}}, "stages.only.barrier.need"),
        ({"barrier": {"need": True}}, "stages.only.barrier.need"),
        ({"barrier": {"need": "most"}}, "stages.only.barrier.need"),
        ({"barrier": {"release": "sometime"}}, "stages.only.barrier.release"),
        ({"barrier": {"stragglers": "wait"}}, "stages.only.barrier.stragglers"),
        ({"merge": "magic"}, "there is no strategy 'magic'"),
        ({"merge": 7}, "stages.only.merge"),
        ({"merge": {"strategy": "findings", "max_votes": 1}}, "findings has no option max_votes"),
        ({"merge": {"strategy": "findings", "min_confidence": 101}}, "min_confidence lies between"),
        ({"merge": {"strategy": "findings", "min_votes": "many"}}, "stages.only.merge"),
        ({"merge": {"strategy": "json", "clash": "loud"}}, "merge: clash: "),
        ({"merge": {"strategy": "vote", "field": "a..b"}}, "merge: field is a field name or a dotted path"),
        ({"merge": {"strategy": "best", "confidence": 7}}, "merge: confidence: "),
        ({"merge": {"strategy": "by_agent", "output_keys": {"a": "x", "b": "x"}}}, "merge: output_keys gives 'x'"),
        ({"merge": {"strategy": "items", "key": "id"}}, "merge: key: "),
        ({"merge": {"strategy": "items", "weights": {"luck": 1}}}, "merge: weights: "),
        ({"merge": {"strategy": "items", "conflicts": "fight"}}, "merge: conflicts: "),
        ({"merge": {"strategy": "items", "conflicts": {"hate": "ada"}}}, "'trust'"),
        ({"expect": "poetry"}, "stages.only.expect"),
    ],
)
def test_a_wrong_field_is_named_with_the_file(tmp_path, stage, field):
    with pytest.raises(ConfigurationError) as refusal:
        only(tmp_path, **stage)
    assert field in str(refusal.value)
    assert "plan.yaml" in str(refusal.value)


@pytest.mark.parametrize(
    ("fan_out", "field"),
    [
        ({"to": {}}, "fan_out.to"),
        ({"to": {"skill": "a", "tag": "b"}}, "fan_out.to"),
        ({"to": {"agents": []}}, "fan_out.to.agents"),
        ({"to": {"agents": ["a", "a"]}}, "agents names an agent twice"),
        ({"to": {"skill": "a", "most": 0}}, "fan_out.to.most"),
        ({"split": "parts"}, "fan_out.split"),
        ({"split": {"batch": 0}}, "fan_out.split.batch"),
        ({"split": {"into": 0}}, "fan_out.split.into"),
        ({"split": {"at_least": -1}}, "fan_out.split.at_least"),
        ({"split": {"items": "a..b"}}, "fan_out.split.items"),
        ({"split": {"items": ""}}, "fan_out.split.items"),
        ({"split": {"of": "Some Stage"}}, "fan_out.split.of"),
        ({"split": {"size": 3}}, "fan_out.split.size"),
        ({"planned_by": "Not A Name"}, "fan_out.planned_by"),
        ({"template": ""}, "fan_out.template"),
        ({"uses": "other"}, "fan_out.uses"),
        ({"message": "sometimes"}, "fan_out.message"),
        ({"most_sub_tasks": 0}, "fan_out.most_sub_tasks"),
        ({"most_sub_tasks": 10_001}, "fan_out.most_sub_tasks"),
        ({"of": "message"}, "fan_out.of"),
    ],
)
def test_a_wrong_fan_out_is_named(tmp_path, fan_out, field):
    with pytest.raises(ConfigurationError) as refusal:
        only(tmp_path, fan_out)
    assert "stages.only.fan_out" in str(refusal.value)
    assert field in str(refusal.value)


ONE = {"to": {"agents": ["ada"]}}
TWO = {"to": {"agents": ["ada", "bob"]}}


@pytest.mark.parametrize(
    ("fan_out", "stage", "fields"),
    [
        ({"split": {"batch": 2, "into": 2}}, {}, ["fan_out.split", "batch", "into"]),
        ({"split": {}, "planned_by": "client"}, {}, ["split", "planned_by"]),
        ({"message": False}, {}, ["message: false", "nothing to send"]),
        ({}, {"limits": {"deadline": "5s", "branch_timeout": "6s"}}, ["limits.branch_timeout", "limits.deadline"]),
        (
            {},
            {"limits": {"branch_timeout": "2s"}, "on_failure": {"hedge": "2s"}},
            ["on_failure.hedge", "limits.branch_timeout"],
        ),
        ({}, {"on_failure": {"exhausted": "fail_fast"}, "barrier": {"need": 2}}, ["exhausted", "barrier.need"]),
        (
            {},
            {"on_failure": {"exhausted": "fail_fast"}, "barrier": {"release": "first"}},
            ["exhausted", "barrier.release"],
        ),
        ({}, {"barrier": {"release": "first", "need": 1}}, ["barrier", "need", "release: first"]),
        ({}, {"barrier": {"release": "enough", "need": 0}}, ["barrier", "need: 0", "release: enough"]),
        ({}, {"barrier": {"release": "enough", "need": 0.0}}, ["barrier", "need: 0", "release: enough"]),
        ({}, {"barrier": {"stragglers": "continue"}}, ["barrier", "stragglers", "release: settled"]),
        (TWO, {"barrier": {"need": 3}}, ["barrier.need: 3", "fan_out.to.agents", "only 2"]),
        (ONE, {"on_failure": {"fallback": 1}}, ["on_failure.fallback", "fan_out.to.agents"]),
        (ONE, {"on_failure": {"hedge": "1s"}}, ["hedge", "fan_out.to.agents"]),
        (
            ONE,
            {"merge": {"strategy": "items", "conflicts": {"trust": "bob"}}},
            ["merge.conflicts.trust names bob", "fan_out.to.agents"],
        ),
        (
            ONE,
            {"merge": {"strategy": "by_agent", "output_keys": {"bob": "x"}}},
            ["merge.output_keys names bob", "fan_out.to.agents"],
        ),
    ],
)
def test_fields_that_contradict_each_other_are_refused_by_name(tmp_path, fan_out, stage, fields):
    with pytest.raises(ConfigurationError) as refusal:
        only(tmp_path, fan_out, **stage)
    assert "stages.only" in str(refusal.value)
    assert [field for field in fields if field not in str(refusal.value)] == []


@pytest.mark.parametrize(("fan_out", "need"), [(TWO, 2), (TWO, 1.0), (TWO | {"split": {}}, 3)])
def test_as_many_successes_as_there_may_be_can_be_asked_for(fan_out, need):
    assert StageFile.model_validate({"fan_out": fan_out, "barrier": {"need": need}})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "healthz"}, "path of the server itself"),
        ({"name": "Not A Name"}, "name"),
        ({"description": ""}, "description"),
        ({"stages": {}}, "stages"),
        ({"stages": {"Not A Name": a_stage()}}, "stages.Not A Name"),
        ({"stages": {"message": a_stage()}}, "stages.message: this name means something else"),
        ({"stages": {"client": a_stage()}}, "stages.client: this name means something else"),
        ({"colour": "red"}, "colour: there is no such field"),
        ({"dedline": "5s"}, "dedline: there is no such field; do you mean deadline?"),
        ({"deadline": "never"}, "deadline"),
        ({"retry_budget": -1}, "retry_budget"),
        ({"parameters": {"Tone": {}}}, "parameters.Tone"),
        ({"parameters": {"tone": {"default": "shrill", "values": ["kind", "dry"]}}}, "parameters.tone"),
        ({"parameters": {"tone": {"default": 1}}}, "parameters.tone.default"),
        ({"parameters": {"items": {}}}, "parameters.items: in templates it stands for"),
        ({"answer": "nobody"}, "answer: nobody is no stage"),
    ],
)
def test_a_wrong_plan_is_refused(tmp_path, change, told):
    with pytest.raises(ConfigurationError) as refusal:
        loaded(tmp_path, a_plan() | change)
    assert told in str(refusal.value)


@pytest.mark.parametrize("text", ["just words", "- a\n- list\n", "a: [", ""])
def test_a_file_that_is_no_plan_is_told_apart_from_a_wrong_plan(tmp_path, text):
    with pytest.raises(ConfigurationError, match=r"plan\.yaml"):
        loaded(tmp_path, text)


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


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "synthesize"])
def test_every_strategy_may_be_named_without_options(tmp_path, strategy):
    assert only(tmp_path, merge=strategy).merge.strategy == strategy


def test_a_synthesis_has_to_name_who_writes(tmp_path):
    with pytest.raises(ConfigurationError, match="merge: agent: Field required"):
        only(tmp_path, merge="synthesize")


@pytest.mark.parametrize("file", sorted(PLANS.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_plans_that_ship_fit_the_schema_for_editors(file):
    jsonschema_rs.validate(plan_schema(), yaml.safe_load(file.read_text("utf-8")))


WRITTEN = a_plan(
    {
        "only": a_stage()
        | {
            "limits": {"branch_timeout": "500ms", "deadline": 60},
            "on_failure": {"retry": {"backoff": "0.5s..8s"}, "hedge": "100ms"},
            "barrier": {"need": 0.6},
            "merge": {"strategy": "findings", "min_votes": 2},
        }
    }
)


@pytest.mark.parametrize("change", [{}, {"barrier": {"need": "all"}}, {"barrier": {"need": 2}}, {"merge": "concat"}])
def test_what_people_write_fits_the_schema_for_editors(tmp_path, change):
    document = a_plan({"only": WRITTEN["stages"]["only"] | change})
    assert loaded(tmp_path, document)
    jsonschema_rs.validate(plan_schema(), document)


@pytest.mark.parametrize(
    "change",
    [
        {"limits": {"deadline": "soon"}},
        {"on_failure": {"retry": {"backoff": "8s"}}},
        {"barrier": {"need": "most"}},
        {"merge": "magic"},
        {"merge": {"strategy": "concat", "min_votes": 2}},
    ],
)
def test_the_schema_for_editors_marks_what_is_wrong(change):
    document = a_plan({"only": WRITTEN["stages"]["only"] | change})
    assert not jsonschema_rs.is_valid(plan_schema(), document)


def test_a_merge_with_options_only_uses_the_usual_strategy(tmp_path):
    assert only(tmp_path, merge={"name": "all"}).merge == MergeSpec("concat", {"name": "all"})


ITEMS = {
    "strategy": "items",
    "items": "out.list",
    "key": ["path", "name"],
    "similarity": 85,
    "location": ["from", "to"],
    "severities": ["bad", "good"],
    "conflicts": {"trust": "ada"},
    "weights": {"severity": 2, "agreement": 0.5},
}


def test_the_options_of_a_merge_are_kept_as_they_are_journaled(tmp_path):
    spec = only(tmp_path, merge=ITEMS).merge
    assert spec == MergeSpec("items", {name: value for name, value in ITEMS.items() if name != "strategy"})
    assert json.loads(json.dumps(spec.options)) == spec.options
    assert STRATEGIES["items"](**spec.options)([]).summary["merged"] == 0


@pytest.mark.parametrize(
    "merge",
    [
        ITEMS,
        {"strategy": "json", "clash": "majority"},
        {"strategy": "vote", "field": "a.b"},
        {"strategy": "by_agent", "output_keys": {"ada": "poem"}},
    ],
)
def test_the_schema_for_editors_knows_the_options_of_every_strategy(tmp_path, merge):
    assert only(tmp_path, merge=merge)
    jsonschema_rs.validate(plan_schema(), a_plan({"only": a_stage() | {"merge": merge}}))


@pytest.mark.parametrize(
    "change",
    [
        {"key": "path"},
        {"weights": {"luck": 1}},
        {"weights": {"severity": "much"}},
        {"conflicts": "fight"},
        {"conflicts": {"hate": "ada"}},
        {"similarity": "much"},
        {"strategy": "json"},
        {"colour": "red"},
    ],
)
def test_the_schema_for_editors_marks_wrong_options_of_a_merge(change):
    document = a_plan({"only": a_stage() | {"merge": ITEMS | change}})
    assert not jsonschema_rs.is_valid(plan_schema(), document)


def test_the_schema_for_editors_knows_every_field_of_a_plan():
    told = {"name", "description", "tags", "input_modes", "parameters", "deadline", "retry_budget", "answer", "stages"}
    assert set(plan_schema()["properties"]) == told | {"ask", "unanswered", "beside"}

"""Stages of a plan: what draws on what, without circles, with one answer."""

import pytest

from coordinator.errors import ConfigurationError
from tests.planning.making import a_plan, a_stage, loaded

SPLITS = {"split": {"of": "a", "items": "found"}}


@pytest.mark.parametrize(
    ("stages", "answer"),
    [
        ({"a": {}}, "a"),
        ({"b": {"uses": ["a"]}, "a": {}}, "b"),
        ({"a": {}, "b": SPLITS}, "b"),
        ({"a": {}, "b": {"planned_by": "a"}}, "b"),
        ({"a": {}, "left": {"uses": ["a"]}, "right": {"uses": ["a"]}, "end": {"uses": ["left", "right"]}}, "end"),
    ],
)
def test_the_stage_nobody_draws_on_is_the_answer(tmp_path, stages, answer):
    plan = loaded(tmp_path, a_plan({name: a_stage(**fan_out) for name, fan_out in stages.items()}))
    assert plan.answering_stage == answer


@pytest.mark.parametrize("answer", ["a", "b", "c"])
def test_any_stage_may_be_the_answer_when_the_plan_says_so(tmp_path, answer):
    stages = {"a": a_stage(), "b": a_stage(uses=["a"]), "c": a_stage(uses=["a"])}
    assert loaded(tmp_path, a_plan(stages, answer=answer)).answering_stage == answer


def test_a_stage_draws_on_everything_it_names_once(tmp_path):
    stages = {"a": a_stage(), "b": a_stage(uses=["a"], split={"of": "a", "items": "found"})}
    assert loaded(tmp_path, a_plan(stages)).graph == {"a": (), "b": ("a",)}


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ({"a": {"uses": ["a"]}}, "circle: a <- a"),
        ({"a": {"uses": ["b"]}, "b": {"uses": ["a"]}}, "in a circle"),
        ({"a": {"split": {"of": "a"}}}, "in a circle"),
        ({"a": {"planned_by": "c"}, "b": {"uses": ["a"]}, "c": {"split": {"of": "b"}}}, "in a circle"),
        ({"a": {"uses": ["nobody"]}}, "stages.a.fan_out draws on nobody, which is no stage"),
        ({"a": {"split": {"of": "nobody"}}}, "stages.a.fan_out draws on nobody"),
        ({"a": {"planned_by": "nobody"}}, "stages.a.fan_out draws on nobody"),
        ({"a": {}, "b": {}}, "stages.b: nobody uses what this stage brings; use it, or say which is the answer"),
        ({"a": {"uses": ["message"]}}, "stages.a.fan_out draws on message"),
    ],
)
def test_stages_that_do_not_hang_together_are_refused_by_name(tmp_path, stages, told):
    with pytest.raises(ConfigurationError) as refusal:
        loaded(tmp_path, a_plan({name: a_stage(**fan_out) for name, fan_out in stages.items()}))
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        (["nobody"], "beside: nobody is no stage of this plan"),
        (["a"], "beside: the artifact of a is given to the client anyway"),
        (["b", "b"], "beside: the artifact of b is given to the client anyway"),
    ],
)
def test_what_stands_beside_the_answer_is_another_stage_named_once(tmp_path, beside, told):
    with pytest.raises(ConfigurationError, match=told):
        loaded(tmp_path, a_plan({"a": a_stage(), "b": a_stage()}, answer="a", beside=beside))


def test_an_answer_that_is_no_stage_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="answer: nobody is no stage of this plan"):
        loaded(tmp_path, a_plan({"a": a_stage(), "b": a_stage()}, answer="nobody"))

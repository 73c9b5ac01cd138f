"""Templates and the parameters a client fills them with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.errors import ConfigurationError, RequestRefused
from coordinator.planning import Asked, resolve
from tests.planning.making import a_plan, a_stage, candidate, data, files, loaded, plan, text

AGENTS = [candidate("ada", skills=["review"])]
MESSAGE = [text("please"), *files("a.py", "b.py")]


def sent(template, parameters=None, given_=None, message=(), **fan_out):
    """Return the text and the number of the other parts that each sub-task gets."""
    file = plan({"only": a_stage(template=template, **fan_out)}, parameters=parameters or {})
    drafts = resolve(file, AGENTS, Asked(parameters=given_ or {}), message).drafts["only"]
    return [(draft.parts[0].content, len(draft.parts) - 1) for draft in drafts]


def test_a_template_stands_before_the_parts_of_the_message():
    assert sent("Look closely.", message=MESSAGE) == [("Look closely.", 3)]


def test_without_the_message_the_template_is_everything():
    file = plan({"only": a_stage(template="Look closely.", message=False)})
    (draft,) = resolve(file, AGENTS, message=MESSAGE).drafts["only"]
    assert draft.parts == (text("Look closely."),)


def test_parameters_are_filled_in():
    parameters = {"tone": {"default": "kind"}, "who": {}}
    assert sent("Be $tone to ${who}.", parameters, {"who": "Eve"}) == [("Be kind to Eve.", 0)]
    assert sent("Be $tone to ${who}.", parameters, {"who": "Bob", "tone": "dry"}) == [("Be dry to Bob.", 0)]


def test_a_split_gives_the_template_its_items_index_and_count():
    told = sent("$index of $count: $items", message=MESSAGE, split={"batch": 1})
    assert told == [("1 of 2: a.py", 1), ("2 of 2: b.py", 1)]


def test_documents_are_told_to_a_template_as_json():
    message = [data({"found": [{"name": "ä", "line": 3}, "plain"]})]
    assert sent("$items", message=message, split={"items": "found"}) == [('{"name": "ä", "line": 3}\nplain', 1)]


def test_a_dollar_sign_is_written_twice_in_a_template():
    assert sent("$$5 for $who, $$items, $$$who", {"who": {"default": "Eve"}}) == [("$5 for Eve, $items, $Eve", 0)]
    assert sent("$$index is $index", message=MESSAGE, split={}) == [("$index is 1", 2)]


@pytest.mark.parametrize("value", ["$", "$$", "$who", "${items}", "$index", "costs $5", "", "\n"])
def test_what_a_client_gives_is_text_and_never_a_template(value):
    assert sent("<$who>", {"who": {}}, {"who": value}) == [(f"<{value}>", 0)]
    assert sent("<$who>", {"who": {}}, {"who": value}, message=MESSAGE, split={}) == [(f"<{value}>", 2)]


@given(value=st.text())
def test_any_value_arrives_as_it_was_given(value):
    assert sent("$$<$who>$$", {"who": {}}, {"who": value}) == [(f"$<{value}>$", 0)]


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("$nobody", "uses $nobody, which is no parameter"),
        ("${nobody}", "uses $nobody, which is no parameter"),
        ("100 $ a day", "a $ stands alone; write $$"),
        ("${", "a $ stands alone; write $$"),
        ("$items", "uses $items, which is no parameter"),
    ],
)
def test_a_template_that_uses_what_nobody_gives_is_refused_when_it_is_read(tmp_path, template, told):
    with pytest.raises(ConfigurationError) as refusal:
        loaded(tmp_path, a_plan({"only": a_stage(template=template)}))
    assert "stages.only.fan_out.template" in str(refusal.value)
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("parameters", "given_", "field", "told"),
    [
        ({}, {"tone": "dry"}, "parameters.tone", "it has: none"),
        ({"who": {"default": "x"}}, {"tone": "dry"}, "parameters.tone", "it has: who"),
        ({"who": {"description": "Whom it is for."}}, {}, "parameters.who", "needs it: Whom it is for."),
        ({"tone": {"values": ["dry", "kind"]}}, {"tone": "loud"}, "parameters.tone", "'loud' is none of: dry, kind"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(parameters, given_, field, told):
    with pytest.raises(RequestRefused) as refusal:
        resolve(plan(parameters=parameters), AGENTS, Asked(parameters=given_))
    assert refusal.value.field == field
    assert told in str(refusal.value)

"""Protobuf to values and back: nothing is lost, nothing is added."""

import pytest
from a2a.types import a2a_pb2 as a2a
from hypothesis import given
from hypothesis import strategies as st

from coordinator import wire
from coordinator.core.model import Part, TaskState

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=8), json_values, max_size=4)
parts = st.one_of(
    st.builds(Part, st.just("text"), st.text(), st.text(max_size=9), st.text(max_size=9), objects),
    st.builds(Part, st.just("raw"), st.binary(), st.text(max_size=9), st.text(max_size=9), objects),
    st.builds(Part, st.just("url"), st.text(), st.text(max_size=9), st.text(max_size=9), objects),
    st.builds(Part, st.just("data"), json_values, st.text(max_size=9), st.text(max_size=9), objects),
)


@given(parts)
def test_a_part_survives_the_way_out_and_back(part):
    assert wire.content_in(wire.content_out(part)) == part


@given(parts)
def test_the_same_part_always_has_the_same_payload(part):
    ref, payload = wire.payload_of(wire.content_out(part))
    again, _ = wire.payload_of(wire.part_out(payload.body))
    assert again == ref


def test_whole_numbers_come_back_as_integers_and_others_as_they_are():
    part = Part("data", {"line": 13, "ratio": 0.5, "large": 2**53})
    content = wire.content_in(wire.content_out(part)).content
    assert content == {"line": 13, "ratio": 0.5, "large": 2**53}
    assert isinstance(content["line"], int)


@pytest.mark.parametrize("state", list(TaskState))
def test_every_state_has_its_name_on_the_wire(state):
    assert wire.state_in(wire.state_out(state)) is state


@pytest.mark.parametrize("unknown", [0, 99])
def test_a_state_we_do_not_know_is_none(unknown):
    assert wire.state_in(unknown) is None


def test_a_timestamp_is_utc_with_milliseconds():
    assert wire.timestamp(1.2345).ToJsonString() == "1970-01-01T00:00:01.234Z"


def test_a_message_and_an_artifact_survive_with_their_payloads():
    message = a2a.Message(
        message_id="m",
        task_id="t",
        context_id="c",
        role=a2a.ROLE_USER,
        parts=[a2a.Part(text="hello"), a2a.Part(raw=b"\x00", filename="f", media_type="text/x-python")],
        metadata=wire.struct_out({"k": [1, None]}),
        extensions=["e"],
        reference_task_ids=["r"],
    )
    value, payloads = wire.message_in(message)
    bodies = {payload.digest: payload.body for payload in payloads}
    assert wire.message_out(value, bodies, task_id="t", context_id="c") == message
    artifact = a2a.Artifact(artifact_id="a", name="n", description="d", parts=message.parts, extensions=["e"])
    kept, payloads = wire.artifact_in(artifact)
    assert wire.artifact_out(kept, {payload.digest: payload.body for payload in payloads}) == artifact


def nested(depth, inner="x"):
    for level in range(depth):
        inner = {"a": inner} if level % 2 else [inner]
    return inner


def test_what_is_just_not_too_deep_can_be_written_and_read_in_every_place():
    part = wire.content_out(Part("data", {"a": nested(wire.DEEPEST - 1)}))
    assert (wire.flaw_of(part.data), wire.flaw_of(wire.struct_out({"a": nested(wire.DEEPEST - 1)}))) == ("", "")
    merged = wire.content_out(Part("data", {"items": [{"item": wire.content_in(part).content, "agents": ["a"]}]}))
    told = a2a.StreamResponse(task=a2a.Task(artifacts=[a2a.Artifact(parts=[merged])]))
    assert a2a.StreamResponse.FromString(told.SerializeToString()) == told


def test_what_is_too_deep_to_be_read_again_is_told():
    for value in (
        wire.content_out(Part("data", nested(wire.DEEPEST + 1))).data,
        wire.struct_out({"a": nested(wire.DEEPEST)}),
    ):
        assert wire.flaw_of(value) == f"is nested more than {wire.DEEPEST} deep"

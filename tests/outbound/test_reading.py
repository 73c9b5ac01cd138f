"""Putting an answer together from streams and snapshots, also from agents that bend the rules."""

import pytest
from a2a.types import a2a_pb2 as a2a
from google.protobuf.struct_pb2 import Struct, Value

from coordinator.core.extension import RUN
from coordinator.core.model import FailureKind, RemoteTask, TaskState
from coordinator.outbound.bounds import Allowance, AnswerTooLarge, Bounds
from coordinator.outbound.reading import AnswerNotJson, Reading, text_of
from coordinator.wire import DEEPEST, part_out, struct_out

MANY = 10**6


def status(state, text="", task_id="t"):
    message = a2a.Message(parts=[a2a.Part(text=text)]) if text else None
    update = a2a.TaskStatusUpdateEvent(
        task_id=task_id, context_id="c", status=a2a.TaskStatus(state=state, message=message)
    )
    return a2a.StreamResponse(status_update=update)


def chunk(artifact_id, *texts, append=False, task_id="t"):
    artifact = a2a.Artifact(artifact_id=artifact_id, parts=[a2a.Part(text=text) for text in texts])
    update = a2a.TaskArtifactUpdateEvent(task_id=task_id, context_id="c", artifact=artifact, append=append)
    return a2a.StreamResponse(artifact_update=update)


def snapshot(state, *artifacts):
    return a2a.Task(id="t", context_id="c", status=a2a.TaskStatus(state=state), artifacts=artifacts)


def texts(reading):
    artifacts, payloads = reading.artifacts()
    bodies = {payload.digest: payload.body for payload in payloads}
    return {a.artifact_id: [part_out(bodies[ref.digest]).text for ref in a.parts] for a in artifacts}


def read(*responses, most=MANY, artifact=MANY, allowance=None):
    reading = Reading(Bounds(most, artifact), allowance or Allowance(MANY))
    for response in responses:
        reading.take(response)
    return reading


def test_the_first_event_names_the_task_whatever_kind_it_is():
    for first in (status(a2a.TASK_STATE_WORKING), chunk("a", "x"), a2a.StreamResponse(task=snapshot(2))):
        assert read(first).remote == RemoteTask("t", "c")


@pytest.mark.parametrize(
    ("chunks", "parts"),
    [
        ([chunk("a", "1"), chunk("a", "2", append=True)], {"a": ["1", "2"]}),
        ([chunk("a", "1"), chunk("a", "2")], {"a": ["2"]}),
        ([chunk("a", "1", append=True)], {"a": ["1"]}),
        ([chunk("a", "1"), chunk("b", "2"), chunk("a", "3", append=True)], {"a": ["1", "3"], "b": ["2"]}),
    ],
    ids=["append adds", "no append replaces", "append to nothing creates", "artifacts keep their order"],
)
def test_chunks_are_put_together_as_the_protocol_means_it(chunks, parts):
    assert texts(read(*chunks)) == parts


def test_what_an_added_chunk_says_about_the_artifact_counts_too():
    first, last = chunk("a", "1"), chunk("a", "2", append=True)
    first.artifact_update.artifact.metadata.update({"draft": True, "usage": {"output_tokens": 1}})
    last.artifact_update.artifact.metadata.update({"usage": {"output_tokens": 7}})
    ((artifact,), _) = read(first, last).artifacts()
    assert artifact.metadata == {"draft": True, "usage": {"output_tokens": 7}}


def test_a_snapshot_replaces_everything_held():
    reading = read(chunk("a", "doubled"), chunk("a", "doubled", append=True))
    whole = a2a.Artifact(artifact_id="a", parts=[a2a.Part(text="once")])
    reading.take_task(snapshot(a2a.TASK_STATE_COMPLETED, whole))
    assert texts(reading) == {"a": ["once"]}


def test_nothing_moves_a_task_out_of_a_terminal_state():
    reading = read(status(a2a.TASK_STATE_COMPLETED), status(a2a.TASK_STATE_WORKING), status(a2a.TASK_STATE_FAILED))
    assert reading.state is TaskState.COMPLETED


def test_an_unknown_state_says_nothing():
    assert read(status(a2a.TASK_STATE_WORKING), status(0), status(99)).state is TaskState.WORKING


@pytest.mark.parametrize(
    "foreign", [status(2, task_id="other"), chunk("a", "x", task_id="other")], ids=["status", "chunk"]
)
def test_an_event_of_another_task_is_an_error(foreign):
    with pytest.raises(ValueError, match="other"):
        read(status(a2a.TASK_STATE_WORKING), foreign)


@pytest.mark.parametrize("empty", [a2a.StreamResponse(), status(2, task_id="")], ids=["no payload", "no task"])
def test_an_event_about_nothing_is_an_error(empty):
    with pytest.raises(ValueError, match=r"empty|names no task"):
        read(empty)


def test_an_answer_larger_than_allowed_is_refused_while_it_comes_in():
    with pytest.raises(AnswerTooLarge, match="max_answer"):
        read(chunk("a", "x" * 60), chunk("b", "x" * 60), most=100)


def test_an_artifact_larger_than_allowed_is_refused_while_it_comes_in():
    with pytest.raises(AnswerTooLarge, match="'a' exceeds 100 bytes"):
        read(chunk("a", "x" * 60), chunk("a", "x" * 60, append=True), artifact=100)
    assert texts(read(chunk("a", "x" * 60), chunk("b", "x" * 60), artifact=100)).keys() == {"a", "b"}


def test_the_answers_to_one_task_share_an_allowance_and_give_back_what_they_drop():
    allowance = Allowance(200)
    first = read(chunk("a", "x" * 80), allowance=allowance)
    with pytest.raises(AnswerTooLarge, match="max_results"):
        read(chunk("a", "x" * 120), allowance=allowance)
    first.let_go()
    assert allowance.used < 200 - 60


def test_a_direct_message_counts_like_an_artifact():
    with pytest.raises(AnswerTooLarge, match="max_results"):
        read(a2a.StreamResponse(message=a2a.Message(parts=[a2a.Part(text="x" * 60)])), allowance=Allowance(50))


def test_an_id_of_any_length_is_not_taken_as_an_id():
    with pytest.raises(ValueError, match="is no id"):
        read(status(a2a.TASK_STATE_WORKING, task_id="t" * 2000))


def test_replacing_an_artifact_again_and_again_is_not_a_large_answer():
    assert texts(read(*[chunk("a", "x" * 60)] * 10, most=200)) == {"a": ["x" * 60]}


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (a2a.TASK_STATE_FAILED, FailureKind.FAILED),
        (a2a.TASK_STATE_REJECTED, FailureKind.REJECTED),
        (a2a.TASK_STATE_CANCELED, FailureKind.CANCELED),
    ],
)
def test_every_other_end_is_a_failure_in_the_agents_words(state, kind):
    reading = read(status(state, "because of\n reasons"))
    assert reading.is_over
    assert reading.failure().kind is kind
    assert reading.failure().message.endswith("because of reasons")


def test_a_completed_task_without_artifacts_answers_with_its_status_message():
    message, payloads = read(status(a2a.TASK_STATE_COMPLETED, "42")).message()
    assert part_out(payloads[0].body).text == "42"
    assert len(message.parts) == 1


def test_a_status_message_beside_artifacts_is_no_result():
    assert read(chunk("a", "x"), status(a2a.TASK_STATE_COMPLETED, "done")).message() == (None, ())


def test_a_direct_message_is_over_and_a_success():
    reading = read(a2a.StreamResponse(message=a2a.Message(message_id="m", parts=[a2a.Part(text="hi")])))
    assert reading.is_over
    assert reading.failure() is None
    assert reading.message()[0].message_id == "m"


def test_the_words_of_a_status_are_one_bounded_line():
    assert text_of([a2a.Part(text="a\nb"), a2a.Part(raw=b"x"), a2a.Part(text="c")]) == "a b c"
    assert len(text_of([a2a.Part(text="x" * 1000)])) == 500


def odd(value):
    """Return a data part that holds *value* somewhere inside, as protobuf allows."""
    part = a2a.Part()
    part.data.struct_value.fields["found"].list_value.values.add().struct_value.fields["sure"].number_value = value
    return part


def noted(value):
    part = a2a.Part(text="x")
    part.metadata.fields["cost"].number_value = value
    return part


def saying(state, part):
    update = status(state, "x")
    update.status_update.status.message.parts.append(part)
    return update


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("part", [odd, noted])
def test_a_number_json_does_not_know_is_refused_wherever_it_stands(part, value):
    artifact = a2a.Artifact(artifact_id="a", parts=[part(value)])
    told = [
        a2a.StreamResponse(artifact_update=a2a.TaskArtifactUpdateEvent(task_id="t", context_id="c", artifact=artifact)),
        a2a.StreamResponse(task=snapshot(a2a.TASK_STATE_COMPLETED, artifact)),
        a2a.StreamResponse(message=a2a.Message(parts=[part(value)])),
        saying(a2a.TASK_STATE_INPUT_REQUIRED, part(value)),
    ]
    for response in told:
        with pytest.raises(AnswerNotJson, match="holds NaN or an infinite number"):
            read(response)


def test_a_number_json_does_not_know_is_refused_in_metadata_too():
    update, artifact = status(a2a.TASK_STATE_WORKING), chunk("a", "x")
    update.status_update.metadata.fields["x"].number_value = float("inf")
    artifact.artifact_update.artifact.metadata.fields["x"].number_value = float("inf")
    for response in (update, artifact):
        with pytest.raises(AnswerNotJson):
            read(response)


def test_every_other_value_is_read():
    part = odd(1.5)
    part.data.struct_value.fields["more"].list_value.values.add().string_value = "NaN"
    part.data.struct_value.fields["none"].null_value = 0
    assert read(a2a.StreamResponse(message=a2a.Message(parts=[part]))).direct is not None


def test_data_too_deep_to_be_read_again_is_refused_in_parts_and_in_metadata():
    deep = struct_out({"a": {"b": 1}})
    for _ in range(DEEPEST):
        outer = Struct()
        outer.fields["a"].struct_value.CopyFrom(deep)
        deep = outer
    part = a2a.Part(data=Value(struct_value=deep))
    task = snapshot(a2a.TASK_STATE_COMPLETED)
    task.metadata.CopyFrom(deep)
    for response in (a2a.StreamResponse(message=a2a.Message(parts=[part])), a2a.StreamResponse(task=task)):
        with pytest.raises(AnswerNotJson, match=f"nested more than {DEEPEST} deep"):
            read(response)


def test_a_ring_is_told_in_bounded_words():
    task = snapshot(a2a.TASK_STATE_FAILED)
    task.metadata.CopyFrom(struct_out({RUN: {"ring": ["x" * 1000] * 1000}}))
    failure = read(a2a.StreamResponse(task=task)).failure()
    assert (failure.kind, failure.ring) == (FailureKind.LOOP, ("x" * 500,) * 64)
    assert len(failure.message) == 2000


@pytest.mark.parametrize(
    "response",
    [
        chunk("a" * 1025, "x"),
        a2a.StreamResponse(task=snapshot(a2a.TASK_STATE_COMPLETED, a2a.Artifact(artifact_id="a" * 1025))),
        a2a.StreamResponse(message=a2a.Message(context_id="c" * 1025, parts=[a2a.Part(text="x")])),
        status(a2a.TASK_STATE_WORKING, task_id="t" * 1025),
    ],
    ids=["chunk", "snapshot", "direct message", "task"],
)
def test_an_id_too_long_to_be_written_down_again_and_again_is_refused(response):
    with pytest.raises(ValueError, match="more than 1024 characters"):
        read(response)

"""What a task leaves behind: the merged artifact, the run record, and words that say how complete it is."""

import json

import pytest
from a2a.types import a2a_pb2 as a2a
from google.protobuf.json_format import MessageToDict

from coordinator.core.extension import RUN, SOURCE, URI
from coordinator.testing import Behaviour, answers
from tests.protocol.clients import asking_for, kinds, message, metadata_of, texts
from tests.protocol.specialists import answering, failing, held


@pytest.fixture
def plans():
    return ("gather", "lenient", "strict", "review", "table")


def artifact_ids(task):
    return [artifact.artifact_id for artifact in task.artifacts]


def content_of(artifact):
    return [part.WhichOneof("content") for part in artifact.parts]


@pytest.fixture
def reviewed(fleet):
    """Two reviewers who saw the same thing."""
    for name in ("ada", "bob"):
        fleet[name].behave(Behaviour(artifacts=(answers.findings(answers.finding(path="shop.py")),)))
    return asking_for("review", parts=[a2a.Part(raw=b"x = 1\n", filename="shop.py", media_type="text/x-python")])


async def test_3_7_the_merged_artifact_is_the_only_one(client):
    events = [event async for event in client.stream()]
    updates = [event.artifact_update for event in events if event.HasField("artifact_update")]
    assert [update.artifact.artifact_id for update in updates] == ["ask/merged"]
    task = await client.get(events[0].task.id)
    assert artifact_ids(task) == ["ask/merged"]
    assert task.artifacts[0] == updates[0].artifact


async def test_4_2_2_the_first_chunk_replaces_and_the_last_one_says_so(client):
    events = [event async for event in client.stream()]
    update = events[-2].artifact_update
    assert (update.append, update.last_chunk) == (False, True)
    assert len(update.artifact.parts) >= 1


async def test_4_2_2_nothing_follows_the_terminal_state(client):
    events = [event async for event in client.stream()]
    assert kinds(events)[-1] == "status_update"
    ends = [event.status_update.status.state == a2a.TASK_STATE_COMPLETED for event in events]
    assert ends.count(True) == 1


async def test_every_part_says_where_it_came_from_and_the_artifact_names_the_extension(client, fleet):
    task = await client.send()
    sources = [MessageToDict(part.metadata)[SOURCE] for part in task.artifacts[0].parts]
    assert [(source["agent"], source["branch"]) for source in sources] == [("ada", "ask/ada"), ("bob", "ask/bob")]
    assert [source["taskId"] for source in sources] == [*fleet["ada"].tasks, *fleet["bob"].tasks]
    assert list(task.artifacts[0].extensions) == [URI]


async def test_the_run_record_is_in_the_task_and_in_the_last_event(client, fleet):
    events = [event async for event in client.stream()]
    record = metadata_of(events[-1].status_update)[RUN]
    assert record == metadata_of(await client.get(events[0].task.id))[RUN]
    assert (record["plan"], record["verdict"]) == ("gather", "complete")
    assert record["tally"] == {"total": 2, "succeeded": 2, "failed": 0, "canceled": 0}
    first = record["branches"][0]
    assert (first["id"], first["agent"], first["attempts"], first["outcome"]) == ("ask/ada", "ada", 1, "succeeded")
    (remote,) = fleet["ada"].tasks.values()
    assert (first["taskId"], first["contextId"]) == (remote.id, remote.context_id)
    assert record["merge"]["strategy"] == "concat"


async def test_a_working_task_has_no_run_record(client, fleet):
    with held(fleet):
        task = await client.send(return_immediately=True)
        assert RUN not in metadata_of(await client.get(task.id))


async def test_a_partial_result_says_so_in_plain_text(client, fleet):
    fleet["eve"].behave(failing("no ink left"))
    task = await client.send(asking_for("lenient"))
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    said = task.status.message.parts[0].text
    assert said.startswith("Partial result: 2 of 3 branches succeeded")
    assert "eve" in said
    assert "no ink left" in said
    assert "Partial result" in task.artifacts[0].description
    assert "eve" in task.artifacts[0].description
    assert texts(task) == ["the answer of ada", "the answer of bob"]
    record = metadata_of(task)[RUN]
    assert (record["verdict"], record["tally"]["failed"]) == ("partial", 1)
    lost = record["branches"][2]
    assert (lost["outcome"], lost["error"]["kind"]) == ("failed", "failed")
    assert "no ink left" in lost["error"]["message"]


async def test_a_complete_result_carries_no_label(client):
    task = await client.send(asking_for("lenient"))
    assert "artial" not in task.status.message.parts[0].text
    assert "artial" not in task.artifacts[0].description


async def test_a_failed_run_keeps_what_the_others_finished(client, fleet):
    fleet["bob"].behave(failing("no ink left"))
    events = [event async for event in client.stream(asking_for("strict"))]
    task = await client.get(events[0].task.id)
    assert task.status.state == a2a.TASK_STATE_FAILED
    assert "no ink left" in task.status.message.parts[0].text
    assert artifact_ids(task) == ["ask/ada/answer", "ask/eve/answer"]
    assert texts(task) == ["the answer of ada", "the answer of eve"]
    streamed = [event.artifact_update for event in events if event.HasField("artifact_update")]
    assert [update.artifact for update in streamed] == list(task.artifacts)
    assert all(update.last_chunk and not update.append for update in streamed)
    assert metadata_of(events[-1].status_update)[RUN]["verdict"] == "failed"


async def test_a_merged_report_is_data_for_machines_and_text_for_people(client, reviewed):
    task = await client.send(reviewed)
    report = task.artifacts[0]
    assert (report.name, content_of(report)) == ("report", ["data", "text"])
    assert [part.media_type for part in report.parts] == ["application/json", "text/markdown"]
    data = MessageToDict(report.parts[0].data)
    assert data["schema"] == "merged-findings/v1"
    assert [(item["path"], item["votes"]) for item in data["items"]] == [("shop.py", 2)]


@pytest.mark.parametrize("modes", [["text/plain"], ["text/markdown", "text/plain"]], ids=" ".join)
async def test_3_2_2_without_json_among_the_accepted_modes_there_is_text_only(client, reviewed, modes):
    events = [event async for event in client.stream(reviewed, accepted_output_modes=modes)]
    task = await client.get(events[0].task.id)
    assert content_of(task.artifacts[0]) == ["text"]
    assert content_of(events[-2].artifact_update.artifact) == ["text"]


@pytest.mark.parametrize("modes", [["application/json"], ["application/*"], ["*/*"], []], ids=str)
async def test_3_2_2_with_json_among_the_accepted_modes_there_is_data(client, reviewed, modes):
    task = await client.send(reviewed, accepted_output_modes=modes)
    assert content_of(task.artifacts[0]) == ["data", "text"]


async def test_3_2_2_data_that_nothing_else_stands_for_becomes_text(client):
    task = await client.send(asking_for("table"), accepted_output_modes=["text/plain"])
    part = task.artifacts[0].parts[0]
    assert (part.WhichOneof("content"), part.media_type) == ("text", "text/plain")
    assert set(json.loads(part.text)["answers"]) == {"ada", "bob"}


async def test_an_answer_that_does_not_fit_the_plan_is_a_failure_of_its_branch(client, fleet, reviewed):
    fleet["bob"].behave(answering({"text": "looks fine to me"}))
    task = await client.send(reviewed)
    assert task.status.state == a2a.TASK_STATE_FAILED
    branches = metadata_of(task)[RUN]["branches"]
    assert [branch["outcome"] for branch in branches] == ["succeeded", "failed"]
    assert branches[1]["error"]["kind"] == "malformed"
    assert artifact_ids(task) == ["review/ada/findings"]


async def test_4_1_6_parts_come_back_byte_by_byte(client, fleet):
    fleet["ada"].behave(answering({"raw": "AP+A", "filename": "a.bin", "mediaType": "application/octet-stream"}))
    fleet["bob"].behave(answering({"url": "https://example.org/b", "filename": "b", "mediaType": "text/html"}))
    task = await client.send(message("hi"))
    file, link = task.artifacts[0].parts
    assert (file.raw, file.filename, file.media_type) == (b"\x00\xff\x80", "a.bin", "application/octet-stream")
    assert (link.url, link.filename, link.media_type) == ("https://example.org/b", "b", "text/html")

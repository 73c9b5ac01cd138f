"""The form of a report follows the output modes a client accepts (3.2.2): SARIF for those who name it."""

import base64
import json

import pytest
from a2a.types import a2a_pb2 as a2a
from google.protobuf.json_format import MessageToDict

from coordinator.testing import Behaviour, answers
from tests.documents.sarif import complaints
from tests.protocol.clients import CARD, asking_for, message
from tests.protocol.specialists import failing

SARIF = "application/sarif+json"


@pytest.fixture
def plans():
    return ("gather", "review", "glance")


@pytest.fixture
def reviewed(fleet):
    """Two reviewers who saw the same thing, and one of them something else as well."""
    seen = answers.finding(path="shop.py", severity="high")
    fleet["ada"].behave(Behaviour(artifacts=(answers.findings(seen),)))
    fleet["bob"].behave(Behaviour(artifacts=(answers.findings(seen, answers.finding(path="users.py")),)))
    return asking_for("review", parts=[a2a.Part(raw=b"x = 1\n", filename="shop.py", media_type="text/x-python")])


def media_types(artifact):
    return [part.media_type for part in artifact.parts]


def run_of(artifact):
    """Return the one run of the SARIF file an artifact ends with."""
    part = artifact.parts[-1]
    assert (part.WhichOneof("content"), part.media_type, part.filename) == ("raw", SARIF, "report.sarif")
    log = json.loads(part.raw)
    assert complaints(log) == []
    return log["runs"][0]


async def test_sarif_is_one_file_part_that_is_valid_and_holds_the_merged_findings(client, reviewed):
    task = await client.send(reviewed, accepted_output_modes=[SARIF])
    (artifact,) = task.artifacts
    assert media_types(artifact) == [SARIF]
    results = run_of(artifact)["results"]
    assert [(result["level"], result["properties"]["votes"]) for result in results] == [("error", 2), ("warning", 1)]
    assert [source["agent"] for source in results[0]["properties"]["sources"]] == ["ada", "bob"]


async def test_a_stream_brings_the_same_file_as_the_task(client, reviewed):
    events = [event async for event in client.stream(reviewed, accepted_output_modes=[SARIF])]
    task = await client.get(events[0].task.id)
    assert events[-2].artifact_update.artifact == task.artifacts[0]


@pytest.mark.parametrize(
    ("modes", "forms"),
    [
        ([SARIF, "text/markdown"], ["text/markdown", SARIF]),
        ([SARIF, "application/json"], ["application/json", SARIF]),
        (["*/*", SARIF], ["application/json", "text/markdown", SARIF]),
    ],
    ids=str,
)
async def test_sarif_comes_beside_what_else_was_asked_for(client, reviewed, modes, forms):
    task = await client.send(reviewed, accepted_output_modes=modes)
    assert media_types(task.artifacts[0]) == forms
    assert len(run_of(task.artifacts[0])["results"]) == 2


@pytest.mark.parametrize("modes", [[], ["*/*"], ["application/*"], ["application/json"]], ids=str)
async def test_nobody_gets_sarif_who_has_not_named_it(client, reviewed, modes):
    task = await client.send(reviewed, accepted_output_modes=modes)
    assert media_types(task.artifacts[0]) == ["application/json", "text/markdown"]


async def test_a_partial_report_says_in_sarif_who_is_missing(client, fleet, reviewed):
    fleet["bob"].behave(failing("no ink left"))
    task = await client.send(asking_for("glance"), accepted_output_modes=[SARIF])
    (invocation,) = run_of(task.artifacts[0])["invocations"]
    assert invocation["executionSuccessful"] is False
    (notification,) = invocation["toolExecutionNotifications"]
    assert "missing: bob" in notification["message"]["text"]
    assert "no ink left" in notification["message"]["text"]


async def test_a_report_in_many_parts_is_one_file(client, fleet, reviewed):
    fleet["bob"].behave(Behaviour(artifacts=(answers.many_findings(2500),)))
    task = await client.send(reviewed, accepted_output_modes=[SARIF])
    run = run_of(task.artifacts[0])
    assert len(run["results"]) == run["properties"]["summary"]["merged"] > 2000


async def test_a_client_of_version_0_3_gets_the_file_as_a_file_part(http, reviewed):
    configuration = {"acceptedOutputModes": [SARIF], "blocking": True}
    old = {"kind": "message", "messageId": "1", "role": "user", "parts": [{"kind": "text", "text": "look"}]}
    old["metadata"] = MessageToDict(reviewed.metadata)
    params = {"message": old, "configuration": configuration}
    answer = await http.post("/", json={"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": params})
    (part,) = answer.json()["result"]["artifacts"][0]["parts"]
    assert (part["kind"], part["file"]["mimeType"], part["file"]["name"]) == ("file", SARIF, "report.sarif")
    assert complaints(json.loads(base64.b64decode(part["file"]["bytes"]))) == []


async def test_an_answer_without_findings_has_no_sarif(client):
    task = await client.send(message("hi"), accepted_output_modes=[SARIF, "text/plain"])
    assert media_types(task.artifacts[0]) == ["text/plain", "text/plain"]


async def test_the_card_offers_sarif_where_findings_are_merged(http):
    skills = {skill["id"]: skill["outputModes"] for skill in (await http.get(CARD)).json()["skills"]}
    assert SARIF in skills["review"]
    assert SARIF not in skills["gather"]

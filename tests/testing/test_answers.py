"""What specialists answer with fits what reviewers answer with."""

import json
from dataclasses import fields
from pathlib import Path

import jsonschema_rs
import pytest

from coordinator.testing import Behaviour, answers
from coordinator.testing import faults as table
from coordinator.testing.faults import LIFE

SCHEMA = Path(__file__).parents[2] / "agent_cards" / "schemas" / "findings-v1.json"


@pytest.mark.parametrize("artifact", [answers.findings(answers.finding(severity="low")), answers.many_findings(50)])
def test_findings_are_what_the_published_schema_asks_for(artifact):
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")))
    (part,) = artifact["parts"]
    assert artifact["name"] == "findings"
    assert [error.message for error in validator.iter_errors(part["data"])] == []


def test_the_same_seed_gives_the_same_findings():
    assert answers.many_findings(20, seed=3) == answers.many_findings(20, seed=3)
    assert answers.many_findings(20, seed=3) != answers.many_findings(20, seed=4)


async def test_documents_arrive_as_data(serve):
    artifact = answers.data({"a": 1}, {"b": [True]}, name="documents")
    _, _, caller = await serve(Behaviour(artifacts=(artifact,)))
    (received,) = (await caller.task()).artifacts
    assert [part.WhichOneof("content") for part in received.parts] == ["data", "data"]
    assert received.parts[0].data.struct_value["a"] == 1


GOOD_WORK = {
    "accept_s", "work_s", "steps", "artifacts", "chunk", "message", "end", "end_text", "holds",
    "page", "during", "times", "cut_streams", "cancel_s",
}  # fmt: skip


def test_every_fault_is_in_the_documented_table():
    documented = table.__doc__
    missing = [it.name for it in fields(Behaviour) if it.name not in GOOD_WORK and f"`{it.name}`" not in documented]
    assert missing == []
    assert set(LIFE) <= {it.name for it in fields(Behaviour)}

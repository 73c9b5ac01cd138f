"""What planner and synthesizer do by rule, and how a list of sub-tasks is found in what a model says."""

import pytest
from a2a.types.a2a_pb2 import Part
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Value
from hypothesis import given
from hypothesis import strategies as st

from coordinator.planning.planned import PlannedList
from specialist_agents.minds.material import SOURCE, material_of
from specialist_agents.minds.planner import plan
from specialist_agents.minds.results import MindFailure
from specialist_agents.minds.stand_in import StandIn
from specialist_agents.minds.synthesizer import synthesis
from specialist_agents.minds.tasks import tasks_in
from tests.minds.rig import ask, message, minded, text


def of(*parts):
    return material_of(message(*parts), 100_000)


def tasks(*parts, most=12):
    return plan(of(*parts), most)["tasks"]


def test_every_file_is_a_sub_task_with_the_request_beside_it():
    listed = tasks(text("Read these."), text("a", "a.md"), text("b", "b.md"))
    assert [(task["id"], task["parts"]) for task in listed] == [("file-1", [0, 1]), ("file-2", [0, 2])]
    assert "a.md" in listed[0]["text"]


def test_more_files_than_allowed_share_sub_tasks_with_their_neighbours():
    listed = tasks(*(text("x", f"{number}.md") for number in range(7)), most=3)
    assert [task["parts"] for task in listed] == [[0, 1], [2, 3], [4, 5, 6]]


DOCUMENT = """# Contract

Between us.

## Service

Within 4 hours.

### Night

```
## not a heading
```

## Price

900 euros.
"""


def test_every_section_is_a_sub_task_and_what_stands_before_goes_with_the_first():
    first, second = tasks(text(DOCUMENT))
    assert first["text"].startswith("# Contract")
    assert "not a heading" in first["text"]
    assert second == {"id": "section-2", "text": "## Price\n\n900 euros."}


def test_a_document_without_sections_is_one_sub_task():
    assert tasks(text("Read."), text("# One\n\nwords")) == [
        {"id": "section-1", "text": "Read.\n\n# One\n\nwords"},
    ]


@given(st.lists(st.text("# \nab`", min_size=1).filter(str.strip), min_size=1, max_size=5), st.integers(1, 4))
def test_whatever_the_document_every_letter_is_in_exactly_one_sub_task_and_the_list_is_valid(texts, most):
    parts = [text(words) for words in ("Read.", *texts)]
    listed = tasks(*parts, most=most)
    assert len(listed) <= most
    assert all(task["text"].startswith("Read.\n\n") for task in listed)
    said = "".join(task["text"].removeprefix("Read.") for task in listed)
    assert "".join(said.split()) == "".join("".join(texts).split())
    assert PlannedList.model_validate({"tasks": listed})


def said(agent, words):
    """A text as the coordinator hands it to who writes: with a note of who said it."""
    part = text(words)
    part.metadata.update({SOURCE: {"agent": agent}})
    return part


def test_a_synthesis_names_what_several_say_and_where_they_differ_and_keeps_every_source():
    told = synthesis(
        of(
            text("Write one answer."),
            said("legal-view", "# Duties\n\n- The supplier answers within 4 hours.\n- The contract ends in 2027."),
            said("technical-view", "The supplier answers within 8 hours.\n\nThe contract ends in 2027."),
            said("security-view", "Data is not encrypted at rest."),
            said("financial-view", "Data is encrypted at rest."),
        )
    )
    assert told.startswith("# Synthesis\n\n## Overview\n\n4 sources:\n\n- **legal-view**: The supplier answers")
    _, agreed, differing, *sources = told.split("\n## ")[0:1] + told.split("\n## ")[2:]
    assert agreed == "What several say\n\n- The contract ends in 2027. (legal-view, technical-view)\n"
    assert "Other numbers: legal-view says “The supplier answers within 4 hours.”, technical-view says" in differing
    assert "One denies it: security-view says “Data is not encrypted at rest.”" in differing
    assert [section.splitlines()[0] for section in sources] == [
        "legal-view",
        "technical-view",
        "security-view",
        "financial-view",
    ]
    assert "### Duties" in sources[0]


def test_a_synthesis_knows_the_document_of_answers_by_agent():
    answers = {"ada": [{"text": "All is well."}], "bob": [{"text": "Nothing is well."}]}
    told = synthesis(of(Part(data=ParseDict({"schema": "by-agent/v1", "answers": answers}, Value()))))
    assert "2 sources" in told
    assert "## bob\n\nNothing is well." in told


def test_the_same_material_gives_the_same_synthesis_and_many_statements_do_not_take_long():
    parts = [
        said(f"agent-{n}", "\n".join(f"Statement number {m} of {n} is long enough." for m in range(500)))
        for n in range(4)
    ]
    assert synthesis(of(*parts)) == synthesis(of(*parts))


@pytest.mark.parametrize(
    "words",
    ['{"tasks": [1]}', 'Sure!\n```json\n{"tasks": [1]}\n```\nDone.', 'Set {x} or {"y"}: {"tasks": [1]}'],
    ids=["bare", "fenced", "between braces"],
)
def test_a_list_of_sub_tasks_is_found_in_what_a_model_says(words):
    assert tasks_in(words) == {"tasks": [1]}


@pytest.mark.parametrize("words", ["", "I cannot.", '{"plan": []}', '{"tasks": "none"}', '{"tasks": [', "[1]"])
def test_what_is_no_list_of_sub_tasks_is_a_failure(words):
    with pytest.raises(MindFailure, match="did not answer with a list of sub-tasks"):
        tasks_in(words)


async def test_the_rule_planner_answers_with_one_data_part_and_asks_no_model():
    stand_in = StandIn()
    async with minded(stand_in, "rule-planner") as client:
        came = await ask(client, text("a", "a.md"), text("b", "b.md"))
    (part,) = came.task.artifacts[0].parts
    assert [task["id"] for task in MessageToDict(part.data)["tasks"]] == ["file-1", "file-2"]
    assert (came.words, stand_in.heard) == ("2 sub-tasks by rule", [])


async def test_the_model_planner_is_told_whom_it_may_use_and_how_many_sub_tasks_there_may_be():
    stand_in = StandIn()
    async with minded(stand_in, "model-planner", {"model-planner": {"max_tasks": 3}}) as client:
        came = await ask(client)
    (part,) = came.task.artifacts[0].parts
    assert [task["agent"] for task in MessageToDict(part.data)["tasks"]] == [
        "legal-view",
        "technical-view",
        "financial-view",
    ]
    assert len(came.chunks) == 1, "half a list is of no use to anybody"
    told = stand_in.heard[0].instructions
    assert "at most 3 tasks" in told
    assert "- security-view: threats, exposed data, missing safeguards" in told


async def test_a_planner_whose_model_talks_fails_its_task():
    async with minded(StandIn(lambda *_: "I would rather not."), "model-planner") as client:
        came = await ask(client)
    assert came.state == "FAILED"
    assert "did not answer with a list of sub-tasks" in came.words

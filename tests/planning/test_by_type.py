"""Files go to the agents whose cards list their media type, and to nobody else."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from coordinator.core.model import Part, Split, Stage
from coordinator.errors import RequestRefused
from coordinator.planning import expand
from tests.planning.making import a_stage, an_agent, data, plan, text


def a_file(name, media_type):
    return Part("raw", name.encode(), media_type, name)


def reader(name, *modes):
    return replace(an_agent(name), input_modes=modes)


PDF, CSV, ZIP = a_file("a.pdf", "application/pdf"), a_file("b.csv", "text/csv; charset=utf-8"), a_file("c.zip", "X/Zip")
READERS = (reader("pdf", "application/pdf"), reader("csv", "text/csv"), reader("rest", "*/*"))


def names(drafts):
    return {draft.agent.name: [part.filename or part.content for part in draft.parts] for draft in drafts}


def test_each_agent_gets_the_files_its_card_lists_and_the_words():
    stage = Stage("s", agents=(reader("pdf", "application/pdf"), reader("texts", "text/*")), by_type=True)
    drafts = expand(stage, {"message": [text("read this"), PDF, CSV, ZIP]})
    assert names(drafts) == {"pdf": ["read this", "a.pdf"], "texts": ["read this", "b.csv"]}


def test_an_agent_that_takes_none_of_the_files_gets_no_sub_task():
    drafts = expand(Stage("s", agents=READERS[:2], by_type=True), {"message": [CSV]})
    assert names(drafts) == {"csv": ["b.csv"]}


def test_a_card_that_lists_nothing_takes_everything():
    drafts = expand(Stage("s", agents=(reader("open"),), by_type=True), {"message": [PDF, data({"a": 1})]})
    assert names(drafts) == {"open": ["a.pdf", {"a": 1}]}


def test_files_no_agent_takes_at_all_are_refused_by_their_types():
    with pytest.raises(RequestRefused, match="no agent of stage s takes what the message holds: x/zip"):
        expand(Stage("s", agents=READERS[:2], by_type=True), {"message": [text("read"), ZIP]})


def test_a_split_gives_each_file_to_who_names_its_type_and_the_rest_to_who_takes_anything():
    stage = Stage("s", agents=READERS, split=Split(batch=5), by_type=True)
    drafts = expand(stage, {"message": [PDF, ZIP, CSV, PDF]})
    assert names(drafts) == {"pdf": ["a.pdf", "a.pdf"], "rest": ["c.zip"], "csv": ["b.csv"]}
    assert [draft.id for draft in drafts] == ["1", "2", "3"]


def test_agents_for_one_type_take_its_batches_in_turn_and_stand_in_only_for_each_other():
    agents = (reader("one", "application/pdf"), reader("two", "application/pdf"), reader("rest", "*/*"))
    stage = Stage("s", agents=agents, split=Split(batch=1), by_type=True, fallback=2)
    drafts = expand(stage, {"message": [PDF, PDF]})
    assert [(draft.agent.name, [other.name for other in draft.others]) for draft in drafts] == [
        ("one", ["two"]),
        ("two", ["one"]),
    ]


def test_a_file_of_a_split_that_nobody_takes_is_refused_by_name():
    stage = Stage("s", agents=READERS[:2], split=Split(batch=5), by_type=True)
    with pytest.raises(
        RequestRefused, match=r"no agent's card lists the type of c.zip \(x/zip\); one that lists \*/\*"
    ):
        expand(stage, {"message": [PDF, ZIP]})


def test_nothing_to_split_is_no_failure_where_the_plan_says_so():
    stage = Stage("s", agents=READERS, split=Split("unpack", batch=5, at_least=0), by_type=True)
    assert expand(stage, {"message": [], "unpack": []}) == []


@pytest.mark.parametrize(
    ("fan_out", "complaint"),
    [
        ({"planned_by": "client", "by_type": True}, "by_type is for files"),
        ({"split": {"items": "lines"}, "by_type": True}, "by_type is for files"),
        ({"message": False, "template": "hi", "by_type": True}, "leaves nothing to choose from"),
    ],
)
def test_by_type_with_anything_but_files_is_refused(fan_out, complaint):
    with pytest.raises(ValidationError, match=complaint):
        plan({"only": a_stage(**fan_out)})

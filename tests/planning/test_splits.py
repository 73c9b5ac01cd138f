"""Splits: every item in exactly one batch, in order, whatever the sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.model import Split, Stage
from coordinator.errors import RequestRefused
from coordinator.planning import expand
from tests.planning.making import an_agent, data, files, text

SIZES = st.one_of(
    st.just({}),
    st.builds(lambda size: {"batch": size}, st.integers(1, 50)),
    st.builds(lambda number: {"into": number}, st.integers(1, 50)),
)


def a_stage(agents=3, **fields):
    """Return a stage with so many agents, named 0, 1, 2 …"""
    split = Split(**fields.pop("split", {}))
    return Stage("s", agents=tuple(an_agent(str(n)) for n in range(agents)), split=split, **fields)


def batches(drafts):
    """Return the file names of each batch."""
    return [[part.filename for part in draft.parts if part.filename] for draft in drafts]


@given(count=st.integers(1, 200), agents=st.integers(1, 7), sizes=SIZES, at_least=st.integers(1, 60))
def test_every_item_is_in_exactly_one_batch_and_the_order_is_kept(count, agents, sizes, at_least):
    names = [f"f{number}" for number in range(count)]
    split = sizes | {"at_least": at_least}
    drafts = expand(a_stage(agents, split=split), {"message": files(*names)})
    told = batches(drafts)
    assert [name for batch in told for name in batch] == names
    assert all(told)
    if count < at_least:
        assert len(told) == 1
    elif "batch" in sizes:
        assert {len(batch) for batch in told[:-1]} <= {sizes["batch"]}
        assert len(told[-1]) <= sizes["batch"]
    else:
        assert len(told) == min(count, sizes.get("into", agents))
        assert max(map(len, told)) - min(map(len, told)) <= 1
    assert [draft.agent.name for draft in drafts] == [str(number % agents) for number in range(len(drafts))]
    assert len({draft.id for draft in drafts}) == len(drafts)
    assert sorted(draft.id for draft in drafts) == [draft.id for draft in drafts]


@given(lines=st.lists(st.text()), batch=st.integers(1, 9))
def test_lines_come_back_as_they_were_without_the_empty_ones(lines, batch):
    whole = "\n".join(lines)
    kept = [line for line in whole.splitlines() if line.strip()]
    drawn = {"message": [text(whole), *files("ignored")]}
    stage = a_stage(split={"items": "lines", "batch": batch})
    if not kept:
        with pytest.raises(RequestRefused, match="splits lines, but the message holds none"):
            expand(stage, drawn)
        return
    drafts = expand(stage, drawn)
    assert "\n".join(part.content for draft in drafts for part in draft.parts) == "\n".join(kept)
    assert [part.kind for draft in drafts for part in draft.parts] == ["text"] * len(drafts)


def test_the_same_input_gives_the_same_sub_tasks():
    drawn = {"message": [text("hi"), *files("a", "b", "c")]}
    assert expand(a_stage(split={"batch": 2}), drawn) == expand(a_stage(split={"batch": 2}), drawn)


def test_instructions_go_with_every_batch_of_files():
    drawn = {"message": [text("look"), *files("a", "b"), text("words", filename="c.txt")]}
    drafts = expand(a_stage(split={"batch": 2}), drawn)
    assert [[part.filename or part.content for part in draft.parts] for draft in drafts] == [
        ["look", "a", "b"],
        ["look", "c.txt"],
    ]


def test_without_the_message_a_batch_is_only_its_files():
    drawn = {"message": [text("look"), *files("a", "b")]}
    drafts = expand(a_stage(split={"batch": 2}, with_message=False), drawn)
    assert [part.filename for part in drafts[0].parts] == ["a", "b"]


def test_a_list_deep_in_the_data_of_a_stage_is_split_and_keeps_its_shape():
    drawn = {
        "message": [],
        "parse": [data({"found": {"files": [1, 2]}, "more": True}), data({"found": {"files": [3]}})],
    }
    drafts = expand(a_stage(split={"of": "parse", "items": "found.files", "batch": 2}), drawn)
    assert [part.content for draft in drafts for part in draft.parts] == [
        {"found": {"files": [1, 2]}},
        {"found": {"files": [3]}},
    ]


def test_a_batch_of_what_a_stage_brought_comes_with_the_whole_message():
    drawn = {"message": [text("look"), *files("a.py")], "parse": [data({"found": ["x", "y"]})]}
    split = {"of": "parse", "items": "found", "batch": 1}
    told = [[part.filename or part.content for part in draft.parts] for draft in expand(a_stage(split=split), drawn)]
    assert told == [["look", "a.py", {"found": ["x"]}], ["look", "a.py", {"found": ["y"]}]]
    alone = expand(a_stage(split=split, with_message=False), drawn)
    assert [len(draft.parts) for draft in alone] == [1, 1]


@pytest.mark.parametrize("document", [{}, {"found": {}}, {"found": "x"}, {"found": []}, [1], None, 7])
def test_a_stage_that_brought_no_such_list_is_named(document):
    drawn = {"message": [], "parse": [data(document), text("found")]}
    with pytest.raises(RequestRefused, match="there are no found to split in what stage parse brought") as refusal:
        expand(a_stage(split={"of": "parse", "items": "found"}), drawn)
    assert refusal.value.field == "s"


def test_a_message_without_files_is_refused_by_name():
    with pytest.raises(RequestRefused, match="splits parts, but the message holds none") as refusal:
        expand(a_stage(), {"message": [text("only words")]})
    assert refusal.value.field == "message.parts"


def test_more_batches_than_allowed_are_refused():
    stage = a_stage(split={"batch": 1}, most_sub_tasks=2)
    assert len(expand(stage, {"message": files("a", "b")})) == 2
    with pytest.raises(RequestRefused, match="3 sub-tasks are more than the 2 allowed"):
        expand(stage, {"message": files("a", "b", "c")})

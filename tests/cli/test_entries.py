"""Changing the agents of a configuration changes those lines and no others."""

import difflib

import pytest
import yaml

from coordinator.cli.entries import CannotEdit, added, removed
from coordinator.cli.serving import STARTER

NEW = {"card": "https://new.example", "name": "new", "token_env": "NEW_TOKEN"}
ONE = """\
# Ours.
port: 1   # of the port
agents:
# the first
- https://one.example  # since March
- card: "https://two.example"
  tags: [a, b]   # both

  # about plans
plans: [./plans]
"""
BLOCKS = {
    "a list": ONE,
    "an indented list": ONE.replace("\n- ", "\n    - ").replace("\n  tags", "\n      tags"),
    "windows": ONE.replace("\n", "\r\n"),
    "the end of the file": ONE.partition("\n\n")[0],
    "in one line": "agents: [https://one.example, {card: 'https://two.example', tags: [a, b]}]  # two\nhost: ::1\n",
    "in one line, with a comma": "agents: [https://one.example, {card: https://two.example, tags: [a, b]}, ]\n",
    "over lines": "agents: [\n  https://one.example,\n  {card: https://two.example, tags: [a, b]}  # two\n]\n",
    "a byte order mark": "\ufeff" + ONE,
    "a text in the last entry": ONE.replace("tags: [a, b]   # both", "tags: [a, b]\n  name: |-\n    two\n"),
}


def lines_changed(before, after):
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


def agents(text):
    return yaml.safe_load(text)["agents"]


@pytest.mark.parametrize("text", BLOCKS.values(), ids=BLOCKS)
def test_an_entry_is_added_at_the_end_of_the_list(text):
    after = added(text, NEW, ["never"])
    assert agents(after) == [*agents(text), NEW]
    gone = [line for line in lines_changed(text, after) if line[0] == "-"]
    assert gone == [] or "agents: [" in text
    assert after.count("#") == text.count("#")
    assert ("\r\n" in text) == ("\r\n" in after)


def test_an_entry_is_written_as_its_neighbours_are():
    assert lines_changed(ONE, added(ONE, NEW, [])) == [
        "+ - card: https://new.example",
        "+   name: new",
        "+   token_env: NEW_TOKEN",
    ]


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("text", BLOCKS.values(), ids=BLOCKS)
def test_an_entry_that_is_removed_takes_nothing_with_it(text, number):
    after = removed(text, number)
    left = agents(text)
    left.pop(number)
    assert agents(after) == left
    whole = "# Ours.", "# the first", "# about plans"
    assert [words in after for words in whole] == [words in text for words in whole]


@pytest.mark.parametrize("text", BLOCKS.values(), ids=BLOCKS)
def test_what_was_added_can_be_removed_again(text):
    there = added(text, NEW, [])
    assert yaml.safe_load(removed(there, 2)) == yaml.safe_load(text)


def test_the_last_entry_leaves_an_empty_list():
    assert removed("agents:  # ours\n  - https://one.example\nport: 1\n", 0) == "agents: []  # ours\nport: 1\n"
    assert added("agents: []  # ours\nport: 1\n", "b", []) == "agents: [b]  # ours\nport: 1\n"


def test_without_a_list_the_defaults_stay():
    assert added("port: 1", NEW, ["/cards"]).startswith("port: 1\nagents:\n  - /cards\n  - card: https://new.example\n")
    assert agents(added("", NEW, ["/cards"])) == ["/cards", NEW]


def test_in_the_starter_the_list_comes_below_its_example():
    starter = STARTER.read_text(encoding="utf-8")
    after = added(starter, NEW, [])
    before_it, _, below = after.partition("\nagents:\n")
    assert before_it.endswith("(what its card offers)")
    assert below.splitlines()[3:5] == ["", starter.partition("(what its card offers)\n\n")[2].splitlines()[0]]
    assert all(line[0] == "+" for line in lines_changed(starter, after))


@pytest.mark.parametrize(
    "text",
    [
        "{port: 1}\n",
        "port: 1\n...\n",
        "agents:\nport: 1\n",
        "other: &x [a]\nagents: *x\n",
    ],
    ids=["one line", "a document that ends", "nothing", "an alias"],
)
def test_what_cannot_be_changed_safely_is_told_with_the_entry_to_write(text):
    with pytest.raises(CannotEdit, match=r"by hand: \{card: 'https://new.example', name: new, token_env: NEW_TOKEN\}"):
        added(text, NEW, [])


def test_what_cannot_be_removed_safely_is_told():
    with pytest.raises(CannotEdit, match="take this out of its list `agents` by hand: a"):
        removed("other: &x [a, b]\nagents: *x\n", 0)

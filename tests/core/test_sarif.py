"""A merged report as SARIF: valid whatever was found, and nothing of the report is lost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.merging import Contribution, Findings, Source
from coordinator.core.model import Part
from coordinator.core.sarif import sarif_log
from coordinator.testing import answers
from tests.documents.sarif import complaints

SHELL = answers.finding(
    rule="S602",
    kind="shell-injection",
    message="a shell is started",
    path="src/run me.py",
    range={"startLine": 14, "startColumn": 5, "endLine": 16, "endColumn": 2},
    statement=13,
    severity="high",
    tool={"name": "ruff", "version": "0.17"},
)
IMPORT = answers.finding(severity="info", symbol="os")


def contribution(agent, *found):
    (part,) = answers.findings(*found)["parts"]
    return Contribution(Source(agent, f"review/{agent}", f"task-{agent}", "findings"), (Part("data", part["data"]),))


def merged(*contributions):
    document = Findings()(contributions).artifact.parts[0].content
    return document["items"], document["summary"]


def run_of(*contributions, missing=""):
    log = sarif_log(*merged(*contributions), missing=missing)
    assert complaints(log) == []
    (run,) = log["runs"]
    return run


def region_of(**changes):
    (result,) = run_of(contribution("lint", SHELL | changes))["results"]
    return result["locations"][0]["physicalLocation"]["region"]


def test_a_finding_is_a_result_at_its_place():
    (result,) = run_of(contribution("lint", SHELL))["results"]
    assert (result["ruleId"], result["level"], result["message"]) == (
        "shell-injection",
        "error",
        {"text": "a shell is started"},
    )
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "src/run%20me.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 14, "startColumn": 5, "endLine": 16, "endColumn": 2},
    }


def test_results_keep_the_order_of_the_report():
    run = run_of(contribution("lint", IMPORT, SHELL))
    assert [result["properties"]["rank"] for result in run["results"]] == [1, 2]
    assert [result["ruleId"] for result in run["results"]] == ["shell-injection", "unused-import"]


def test_each_kind_is_one_rule_and_results_point_at_theirs():
    run = run_of(contribution("lint", SHELL, IMPORT), contribution("security", SHELL, SHELL | {"statement": 20}))
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["shell-injection", "unused-import"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])


def test_what_sarif_has_no_place_for_is_a_property():
    (result,) = run_of(contribution("lint", IMPORT), contribution("deadcode", IMPORT))["results"]
    told = result["properties"]
    assert (told["severity"], told["confidence"], told["votes"], told["symbol"]) == ("info", 90, 2, "os")
    assert [(source["agent"], source["taskId"]) for source in told["sources"]] == [
        ("lint", "task-lint"),
        ("deadcode", "task-deadcode"),
    ]


def test_the_numbers_of_the_merge_are_properties_of_the_run():
    run = run_of(contribution("lint", IMPORT), contribution("deadcode", IMPORT))
    assert run["properties"]["summary"]["duplicates"] == 1


def test_the_analysers_behind_the_agents_are_named_once_with_their_versions():
    run = run_of(contribution("lint", SHELL, SHELL | {"statement": 20}), contribution("other", IMPORT))
    assert run["tool"]["extensions"] == [{"name": "ruff", "version": "0.17"}, {"name": "testing", "version": "1"}]


@pytest.mark.parametrize(
    ("severity", "level"),
    [("critical", "error"), ("high", "error"), ("medium", "warning"), ("low", "note"), ("info", "note")],
)
def test_a_severity_becomes_a_level(severity, level):
    (result,) = run_of(contribution("lint", SHELL | {"severity": severity}))["results"]
    assert result["level"] == level


def test_a_tool_that_names_lines_only_means_whole_lines():
    lines = {"startLine": 3, "startColumn": 1, "endLine": 3, "endColumn": 1}
    assert region_of(range=lines) == {"startLine": 3, "endLine": 3}


@pytest.mark.parametrize(
    ("told", "region"),
    [
        ({"startLine": 9, "startColumn": 8, "endLine": 9, "endColumn": 3}, {"startLine": 9, "endLine": 9}),
        ({"startLine": 9, "startColumn": 2, "endLine": 4, "endColumn": 3}, {"startLine": 9, "endLine": 9}),
        ({"startLine": "9"}, {"startLine": 13, "endLine": 13}),
        ({}, {"startLine": 13, "endLine": 13}),
    ],
    ids=["columns backwards", "lines backwards", "no number", "nothing"],
)
def test_a_range_that_is_none_is_not_passed_on(told, region):
    assert region_of(range=told) == region


def test_an_absolute_path_is_not_below_the_root_of_the_sources():
    (result,) = run_of(contribution("lint", SHELL | {"path": "/etc/a.py"}))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "/etc/a.py"}


def test_a_whole_report_says_so_and_a_partial_one_says_who_is_missing():
    assert run_of(contribution("lint", SHELL))["invocations"] == [{"executionSuccessful": True}]
    (invocation,) = run_of(contribution("lint", SHELL), missing="types: timed out")["invocations"]
    assert invocation["executionSuccessful"] is False
    (notification,) = invocation["toolExecutionNotifications"]
    assert (notification["level"], notification["message"]["text"]) == ("error", "types: timed out")


def test_no_findings_are_a_run_without_results():
    run = run_of(contribution("lint"))
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NUMBERS = st.integers(-2, 9) | st.none() | st.text(max_size=2)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.text(),
        "message": st.text(),
        "path": st.text(),
        "severity": st.sampled_from(["high", "low", "unheard-of"]),
        "statement": NUMBERS,
        "range": st.dictionaries(st.sampled_from(["startLine", "startColumn", "endLine", "endColumn"]), NUMBERS),
        "sources": st.lists(
            st.fixed_dictionaries({}, optional={"tool": st.fixed_dictionaries({}, optional={"name": st.text()})})
        ),
        "more": JSON,
    },
)


@given(st.lists(ITEMS, max_size=4), st.text())
def test_whatever_was_found_the_log_is_valid_and_holds_every_item(items, missing):
    log = sarif_log(items, {}, missing=missing)
    assert complaints(json.loads(json.dumps(log))) == []
    assert len(log["runs"][0]["results"]) == len(items)

"""`--format` and `--output`: a result as a document, of a task just done or of an old one."""

from __future__ import annotations

import base64
import json

import pytest
from a2a.types import a2a_pb2 as a2a
from google.protobuf.json_format import ParseDict

from tests.cli.stand_in import COMPLETE, FAILED, PARTIAL, REPORT, URI, artifact, run, status
from tests.documents.sarif import complaints

TEXT = [artifact({"artifactId": "x", "parts": [{"text": "one\x1b[2J"}, {"text": "two"}]}), status(3)]


def valid(text):
    log = json.loads(text)
    assert complaints(log) == []
    return log["runs"][0]


@pytest.fixture
def ended(coordinator):
    """A task that ended with a report, on the server already."""
    task = coordinator.new_task("5ca1ab1e", a2a.TASK_STATE_COMPLETED)
    task.artifacts.append(ParseDict(REPORT, a2a.Artifact()))
    task.metadata.update({f"{URI}/run": run()})
    return task


def test_sarif_on_standard_output_is_valid_and_nothing_else_is_there(call, coordinator, code):
    coordinator.steps = COMPLETE
    result = call("review", code, "--format", "sarif")
    assert result.exit_code == 0
    told = valid(result.stdout)
    assert [found["ruleId"] for found in told["results"]] == ["shell-injection", "unused-import"]
    assert told["invocations"] == [{"executionSuccessful": True}]
    assert "plan code-review: complete" in result.stderr


def test_markdown_holds_every_finding_with_its_sources_and_no_control_characters(call, coordinator, code):
    coordinator.steps = COMPLETE
    told = call("review", code, "--format", "markdown", "--top", "1").stdout
    assert told.startswith("# Report\n\n2 findings (3 received, 1 joined with another).\n")
    assert "1. **high** `a.py:3` shell-injection: a shell is started\n" in told
    assert "(2 votes, confidence 90; lint S602 (ruff 0.14) · security B602 (bandit 1.9))" in told
    assert "2. **low** `b.py:1` unused-import" in told
    assert told.replace("\n", "").isprintable()


def test_json_is_the_report_as_it_is_saved(call, coordinator, code, tmp_path):
    coordinator.steps = COMPLETE
    saved = tmp_path / "saved.json"
    told = call("review", code, "--format", "json", "--save", saved).stdout
    assert json.loads(told)["schema"] == "merged-findings/v1"
    assert told == saved.read_text()


@pytest.mark.parametrize(("form", "words"), [("sarif", '"executionSuccessful": false'), ("markdown", "Not complete")])
def test_a_partial_report_says_so_inside_and_ends_with_3(call, coordinator, code, form, words):
    coordinator.steps = PARTIAL
    result = call("review", code, "--format", form)
    assert result.exit_code == 3
    assert words in result.stdout
    assert "missing: types: timed out, no answer within 3 s" in result.stdout
    assert "missing: types" in result.stderr


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["words", "json"])
def test_with_output_the_document_is_in_the_file_and_the_rest_as_ever(call, coordinator, code, tmp_path, options):
    coordinator.steps = COMPLETE
    plain = call("review", code, *options).stdout
    result = call("review", code, "--format", "sarif", "--output", tmp_path / "report.sarif", *options)
    assert (result.exit_code, result.stdout) == (0, plain)
    assert len(valid((tmp_path / "report.sarif").read_text())["results"]) == 2
    assert "written to" in result.stderr


def test_a_failed_review_has_no_sarif_and_ends_as_failed(call, coordinator, code, tmp_path):
    coordinator.steps = FAILED
    result = call("review", code, "--format", "sarif")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "is failed: too few branches succeeded" in result.stderr
    assert "has nothing that could be written as sarif" in result.stderr
    assert call("review", code, "--format", "sarif", "--output", tmp_path / "x").exit_code == 4
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--output", "x"], "--output needs --format: sarif, markdown, json"),
        (["--format", "sarif", "--json"], "both write to standard output"),
        (["--format", "sarif", "--detach"], "--detach waits for none"),
        (["--format", "sarif", "--dry-run"], "--dry-run waits for none"),
        (["--format", "sarif", "--output", "/nowhere/x"], "cannot be written"),
        (["--format", "pdf"], "'pdf' is not one of"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_what_contradicts_itself_is_told_before_anything_is_sent(call, coordinator, code, options, words):
    result = call("review", code, *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert coordinator.calls == []


def test_send_writes_texts_as_markdown_and_has_no_sarif_of_them(call, coordinator):
    coordinator.steps = TEXT
    result = call("send", "hi", "--format", "markdown")
    assert (result.exit_code, result.stdout) == (0, "one\N{REPLACEMENT CHARACTER}[2J\n\ntwo\n")
    result = call("send", "hi", "--format", "sarif")
    assert result.exit_code == 2
    assert "task 0badcafe-1111 is completed and has nothing that could be written as sarif" in result.stderr
    assert "--format json" in result.stderr


def test_a_direct_answer_is_its_own_markdown(call, coordinator):
    coordinator.reply = a2a.Message(message_id="m", role=a2a.ROLE_AGENT, parts=[a2a.Part(text="hello")])
    assert call("send", "hi", "--format", "markdown").stdout == "hello\n"


@pytest.mark.parametrize("command", ["show", "watch"])
def test_an_old_task_can_be_written_too(call, ended, command):
    result = call(command, "5ca1", "--format", "sarif")
    assert result.exit_code == 0
    assert len(valid(result.stdout)["results"]) == 2


def test_show_with_output_shows_the_task_as_ever(call, ended, tmp_path):
    plain = call("show", "5ca1").stdout
    result = call("show", "5ca1", "--format", "markdown", "--output", tmp_path / "report.md")
    assert result.stdout == plain
    assert (tmp_path / "report.md").read_text().startswith("# Report\n")


def test_show_of_a_failed_task_without_a_report_is_wrong_usage(call, coordinator):
    coordinator.new_task("5ca1ab1e", a2a.TASK_STATE_FAILED)
    assert call("show", "5ca1", "--format", "sarif").exit_code == 2


def test_sarif_that_came_as_a_file_is_written_as_it_is(call, coordinator):
    task = coordinator.new_task("5ca1ab1e", a2a.TASK_STATE_COMPLETED)
    log = {"version": "2.1.0", "runs": []}
    part = {"raw": base64.b64encode(json.dumps(log).encode()).decode(), "mediaType": "application/sarif+json"}
    task.artifacts.append(ParseDict({"artifactId": "x", "parts": [part]}, a2a.Artifact()))
    assert json.loads(call("show", "5ca1", "--format", "sarif").stdout) == log

"""`review` and `send` against a coordinator that plays a script."""

from __future__ import annotations

import json

import pytest
from a2a.types import a2a_pb2 as a2a
from google.protobuf.json_format import MessageToDict, ParseDict
from typer.testing import CliRunner

from coordinator.cli.program import program
from tests.cli.stand_in import (
    ASKING,
    COMPLETE,
    FAILED,
    PARTIAL,
    REPORT,
    URI,
    Coordinator,
    artifact,
    branch,
    cut,
    end_of_stream,
    failure,
    progress,
    quietly,
    serving,
    status,
)


def test_a_review_sends_the_files_as_python_parts_and_nothing_else(call, coordinator, code):
    coordinator.steps = COMPLETE
    assert call("review", code).exit_code == 0
    parts = [MessageToDict(part) for part in coordinator.requests[0].message.parts]
    assert parts == [
        {"raw": "aW1wb3J0IG9zCg==", "filename": "a.py", "mediaType": "text/x-python"},
        {"raw": "", "filename": "b.py", "mediaType": "text/x-python"},
    ]


def test_a_review_names_its_plan_and_limits_under_the_extension(call, coordinator, code):
    coordinator.steps = COMPLETE
    call("review", code, "--deadline", "2m", "--branch-timeout", "500ms", "--concurrency", "3")
    message = coordinator.requests[0].message
    told = MessageToDict(message.metadata)[URI]
    assert told == {
        "plan": "code-review",
        "limits": {"deadline": "120s", "branch_timeout": "0.5s", "concurrency": 3},
    }
    assert list(message.extensions) == [URI]
    assert coordinator.headers[0]["a2a-extensions"] == URI


def test_a_review_does_not_want_its_own_files_back(call, coordinator, code):
    coordinator.steps = COMPLETE
    call("review", code)
    configuration = coordinator.requests[0].configuration
    assert configuration.HasField("history_length")
    assert configuration.history_length == 0


def test_a_complete_review_prints_the_ranked_report_with_its_sources(call, coordinator, code):
    coordinator.steps = COMPLETE
    told = call("review", code).stdout
    assert "2 findings (3 received, 1 joined with another)" in told
    assert "   1  high      a.py:3  shell-injection  2 votes, confidence 90" in told
    assert "lint S602 (ruff 0.14) · security B602 (bandit 1.9)" in told
    assert "plan code-review: complete, 2 of 2 branches succeeded" in told
    assert "the branches took 3.0 s together, the wall clock 2.0 s: 1.5 at a time on average" in told


@pytest.mark.parametrize(
    ("steps", "code_"),
    [
        (COMPLETE, 0),
        (PARTIAL, 3),
        (FAILED, 4),
        ([status(a2a.TASK_STATE_REJECTED, "no")], 4),
        ([status(a2a.TASK_STATE_CANCELED)], 4),
        (ASKING, 5),
        ([status(a2a.TASK_STATE_AUTH_REQUIRED, "log in at …")], 5),
    ],
    ids=["complete", "partial", "failed", "rejected", "canceled", "input required", "auth required"],
)
def test_the_exit_code_tells_how_the_task_ended(call, coordinator, code, steps, code_):
    coordinator.steps = steps
    assert call("review", code).exit_code == code_


def test_a_partial_review_says_who_is_missing_and_why(call, coordinator, code):
    coordinator.steps = PARTIAL
    told = call("review", code).stdout
    assert "plan code-review: partial, 2 of 3 branches succeeded, 1 failed\n" in told
    assert "missing: types: timed out, no answer within 3 s" in told


def test_a_failed_review_says_why(call, coordinator, code):
    coordinator.steps = FAILED
    result = call("review", code)
    assert "is failed: too few branches succeeded" in result.stderr
    assert "missing: types" in result.stdout


def test_a_question_is_printed(call, coordinator, code):
    coordinator.steps = ASKING
    result = call("review", code)
    assert "which line length?" in result.stdout
    assert "answer with: coordinator answer 0badcafe-1111 TEXT\n" in result.stderr


def test_json_is_exactly_one_object(call, coordinator, code):
    coordinator.steps = PARTIAL
    result = call("review", code, "--json")
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert set(told) == {"taskId", "contextId", "state", "artifacts", "run", "text"}
    assert (told["taskId"], told["contextId"]) == ("0badcafe-1111", "context-1")
    assert told["state"] == "TASK_STATE_COMPLETED"
    assert told["run"]["verdict"] == "partial"
    assert told["artifacts"] == [REPORT]


def test_top_bounds_the_findings_and_all_shows_them(call, coordinator, code):
    coordinator.steps = COMPLETE
    assert "… 1 more; --all shows them" in call("review", code, "--top", "1").stdout
    assert "unused-import" in call("review", code, "--all").stdout


def test_the_report_is_saved_as_one_document(call, coordinator, code, tmp_path):
    coordinator.steps = COMPLETE
    call("review", code, "--save", tmp_path / "report.json")
    saved = json.loads((tmp_path / "report.json").read_text())
    assert saved["schema"] == "merged-findings/v1"
    assert [item["rank"] for item in saved["items"]] == [1, 2]


def test_a_place_that_cannot_be_written_is_told_before_anything_is_sent(call, coordinator, code, tmp_path):
    result = call("review", code, "--save", tmp_path / "nowhere" / "report.json")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
    assert coordinator.calls == []


def test_results_of_another_form_are_saved_as_artifacts(call, coordinator, code, tmp_path):
    made = {"artifactId": "x", "parts": [{"text": "one"}]}
    coordinator.steps = [artifact(made), status(a2a.TASK_STATE_COMPLETED)]
    call("review", code, "--save", tmp_path / "saved.json")
    assert json.loads((tmp_path / "saved.json").read_text()) == {"artifacts": [made]}


def test_progress_goes_to_stderr_one_line_a_change(call, coordinator, code):
    coordinator.steps = COMPLETE
    lines = call("review", code).stderr.splitlines()
    assert lines == [
        "2 files, 10 bytes",
        "task 0badcafe-1111",
        "lint: working after 0.5 s",
        "security: queued",
        "lint: succeeded after 0.5 s",
        "security: working after 0.5 s",
        "security: succeeded after 2.0 s",
    ]


def test_a_dry_run_shows_the_branches_and_sends_nothing(call, coordinator, code):
    told = call("review", code, "--dry-run").stdout
    assert "review/lint" in told
    assert "would send 2 files, 10 bytes, to 2 branches" in told
    assert coordinator.calls == []


def test_a_dry_run_as_json_is_one_object(call, code):
    told = json.loads(call("review", code, "--dry-run", "--json").stdout)
    assert (told["plan"], told["files"], told["bytes"]) == ("code-review", 2, 10)


def test_a_dry_run_of_an_unknown_plan_is_refused_with_the_reason(call, code):
    result = call("review", code, "--dry-run", "--plan", "nope")
    assert result.exit_code == 2
    assert "there is no such plan" in result.stderr


def test_a_detached_review_prints_the_task_and_leaves_it(call, coordinator, code):
    result = call("review", code, "--detach")
    assert (result.exit_code, result.stdout) == (0, "0badcafe-1111\n")
    assert coordinator.calls == ["SendMessage"]
    assert coordinator.requests[0].configuration.return_immediately


@pytest.mark.parametrize("break_", [end_of_stream, failure, cut], ids=["ended early", "told an error", "broke"])
def test_a_cut_stream_is_subscribed_to_again(call, coordinator, code, break_):
    coordinator.steps = [COMPLETE[0], break_]
    coordinator.later_steps = COMPLETE[1:]
    result = call("review", code)
    assert result.exit_code == 0
    assert coordinator.calls == ["SendStreamingMessage", "SubscribeToTask", "GetTask"]
    assert "2 findings" in result.stdout


def test_an_end_that_nobody_streamed_is_found_by_looking(call, coordinator, code):
    coordinator.steps = [COMPLETE[0], *map(quietly, PARTIAL[1:]), end_of_stream]
    result = call("review", code)
    assert result.exit_code == 3
    assert coordinator.calls[:3] == ["SendStreamingMessage", "SubscribeToTask", "GetTask"]


def test_without_subscriptions_the_task_is_looked_at_until_it_ends(call, coordinator, code):
    coordinator.subscribes = False
    coordinator.steps = [end_of_stream]
    coordinator.later_steps = [quietly(step) for step in COMPLETE[-2:]]
    result = call("review", code)
    assert result.exit_code == 0
    assert coordinator.calls.count("GetTask") >= 2
    assert "2 findings" in result.stdout


def test_chunks_of_one_artifact_are_joined(call, coordinator):
    first = {"artifactId": "x", "name": "x", "parts": [{"text": "one"}]}
    second = {"artifactId": "x", "parts": [{"text": "two"}]}
    coordinator.steps = [artifact(first), artifact(second, append=True), status(a2a.TASK_STATE_COMPLETED)]
    told = json.loads(call("send", "hello", "--json").stdout)
    assert told["artifacts"] == [{"artifactId": "x", "name": "x", "parts": [{"text": "one"}, {"text": "two"}]}]


def test_parameters_of_the_plan_travel_under_the_extension(call, coordinator):
    coordinator.steps = COMPLETE
    call("send", "hello", "--plan", "campaign", "--parameter", "campaign=spring", "--parameter", "note=a=b")
    told = MessageToDict(coordinator.requests[0].message.metadata)[URI]
    assert told == {"plan": "campaign", "parameters": {"campaign": "spring", "note": "a=b"}}


def test_a_message_carries_text_files_and_data(call, coordinator, tmp_path):
    (tmp_path / "table.csv").write_text("1,2")
    coordinator.steps = COMPLETE
    call("send", "hello", "--file", tmp_path / "table.csv", "--data", '{"n": 3}', "--plan", "other")
    message = coordinator.requests[0].message
    assert [MessageToDict(part) for part in message.parts] == [
        {"text": "hello"},
        {"raw": "MSwy", "filename": "table.csv", "mediaType": "text/csv"},
        {"data": {"n": 3.0}, "mediaType": "application/json"},
    ]
    assert MessageToDict(message.metadata) == {URI: {"plan": "other"}}


def test_a_message_without_parameters_has_no_metadata(call, coordinator):
    coordinator.steps = COMPLETE
    call("send", "hello")
    assert not coordinator.requests[0].message.HasField("metadata")


def test_text_may_come_from_standard_input(call, coordinator):
    coordinator.steps = COMPLETE
    call("send", "-", input="from a pipe")
    assert coordinator.requests[0].message.parts[0].text == "from a pipe"


def test_a_message_that_comes_instead_of_a_task_is_printed(call, coordinator):
    reply = {"messageId": "r", "contextId": "c", "role": "ROLE_AGENT", "parts": [{"text": "good day \x1b[31m"}]}
    coordinator.reply = ParseDict(reply, a2a.Message())
    result = call("send", "hello")
    assert (result.exit_code, result.stdout) == (0, "good day �[31m\n")
    told = json.loads(call("send", "hello", "--json").stdout)
    assert (told["taskId"], told["contextId"], told["text"]) == (None, "c", "good day \x1b[31m")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["review", "/no/such/path"], "there is no such file or folder"),
        (["review", ".", "--deadline", "soon"], "is not a duration"),
        (["send", "x", "--data", "{"], "--data is not JSON"),
        (["send", "x", "--file", "/no/such/file"], "cannot be read"),
        (["send", ""], "there is nothing to send"),
        (["send", "x", "--parameter", "tone"], "--parameter 'tone': write it as NAME=VALUE"),
    ],
)
def test_wrong_usage_is_told_in_one_line_and_sends_nothing(call, coordinator, arguments, words):
    result = call(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert coordinator.calls == []


def test_without_a_coordinator_the_line_says_what_to_do(code):
    result = CliRunner().invoke(program(), ["--server", "http://127.0.0.1:1", "review", str(code)])
    assert result.exit_code == 2
    assert "No coordinator answers at http://127.0.0.1:1; start one with: coordinator serve" in result.stderr


def test_what_answers_but_is_no_coordinator_is_told(code):
    with serving(Coordinator()) as url:
        result = CliRunner().invoke(program(), ["--server", f"{url}/elsewhere", "review", str(code)])
    assert result.exit_code == 2
    assert "is no coordinator" in result.stderr


def test_a_token_is_sent_from_the_environment(coordinator, code):
    coordinator.steps = COMPLETE
    with serving(coordinator, token="secret") as url:
        refused = CliRunner().invoke(program(), ["--server", url, "review", str(code)])
        taken = CliRunner().invoke(
            program(), ["review", str(code)], env={"COORDINATOR_URL": url, "COORDINATOR_TOKEN": "secret"}
        )
    assert (refused.exit_code, taken.exit_code) == (2, 0)
    assert "asks for a token: give one with --token or COORDINATOR_TOKEN" in refused.stderr


@pytest.mark.parametrize("command", [("agents",), ("tasks",)])
def test_a_token_that_is_given_and_refused_is_not_asked_for(coordinator, command):
    with serving(coordinator, token="secret") as url:
        result = CliRunner().invoke(program(), ["--server", url, "--token", "wrong", *command])
    assert result.exit_code == 2
    assert "does not accept this token" in result.stderr
    assert "asks for a token" not in result.stderr


def test_a_token_is_not_sent_where_only_the_card_points_to(coordinator, code):
    with serving(coordinator, token="secret", card_url="http://elsewhere.example") as url:
        result = CliRunner().invoke(program(), ["--server", url, "--token", "secret", "review", str(code)])
    assert result.exit_code == 2
    assert "the token is not sent there" in result.stderr


def test_a_working_branch_shows_what_it_said_last(call, coordinator, code):
    coordinator.steps = [progress(branch("lint", "retrying", error="refused\x1b[1m", attempt=2)), *COMPLETE]
    assert "lint: retrying, attempt 2 after 0.5 s: refused�[1m" in call("review", code).stderr

"""`agents`, `plans`, `tasks`, `show`, `watch`, `cancel`."""

from __future__ import annotations

import json
import re

import pytest
from a2a.types import a2a_pb2 as a2a

from coordinator.core.extension import PROGRESS
from tests.cli.stand_in import COMPLETE, PARTIAL, artifact, branch, quietly


def finished(coordinator, task_id="0badcafe-1111", steps=COMPLETE):
    task = coordinator.new_task(task_id)
    for step in steps:
        quietly(step)(coordinator, task)
    return task


def test_agents_are_shown_with_what_is_wrong(call):
    result = call("agents")
    assert result.exit_code == 0
    assert "connection refused" in result.stdout
    assert "3 of 1000 branches under way" in result.stdout
    told = json.loads(call("agents", "--json").stdout)
    assert [agent["name"] for agent in told["agents"]] == ["lint", "types"]
    assert told["load"]["coordinations"]["running"] == 1


def test_plans_are_shown(call):
    assert "code-review (default)" in call("plans").stdout
    assert json.loads(call("plans", "--json").stdout)["plans"][0]["name"] == "code-review"


def test_tasks_of_every_page_are_listed_up_to_the_limit(call, coordinator):
    for number in range(5):
        coordinator.new_task(f"task-{number}")
    assert len(json.loads(call("tasks", "--json").stdout)["tasks"]) == 5
    assert len(json.loads(call("tasks", "--json", "--limit", "3").stdout)["tasks"]) == 3


@pytest.mark.parametrize("name", ["completed", "COMPLETED", "TASK_STATE_COMPLETED"])
def test_tasks_are_listed_by_state(call, coordinator, name):
    finished(coordinator, "done-1")
    coordinator.new_task("open-1")
    told = call("tasks", "--state", name).stdout
    assert "done-1" in told
    assert "open-1" not in told


def test_an_unknown_state_is_told_with_the_known_ones(call, coordinator):
    result = call("tasks", "--state", "done")
    assert result.exit_code == 2
    assert "there is no state 'done'; there are: submitted, working, input-required" in result.stderr


def test_no_tasks_are_told_beside_the_result(call, coordinator):
    result = call("tasks")
    assert (result.stdout, result.stderr) == ("", "no tasks\n")
    assert json.loads(call("tasks", "--json").stdout) == {"tasks": []}


def test_a_task_is_shown_with_branches_and_artifacts(call, coordinator):
    finished(coordinator, steps=PARTIAL)
    result = call("show", "0badcafe-1111")
    assert result.exit_code == 0
    assert "partial: types is missing" in result.stdout
    assert "missing: types: timed out" in result.stdout
    assert "1 data part, 1 text part" in result.stdout
    assert "a shell is started" not in result.stdout


def test_a_task_under_way_is_shown_with_how_far_its_branches_are(call, coordinator):
    task = coordinator.new_task()
    branches = [branch("lint", "succeeded"), branch("security", "working", text="1 of 2 files")]
    task.metadata.update({PROGRESS: {"tally": {"total": 2, "open": 1}, "branches": branches}})
    told = call("show", "0badcafe-1111").stdout
    assert re.search(r"lint +succeeded", told)
    assert re.search(r"security +working .*1 of 2 files", told)
    assert "1 of 2 branches settled" in told
    document = json.loads(call("show", "0badcafe-1111", "--json").stdout)
    assert [each["agent"] for each in document["progress"]["branches"]] == ["lint", "security"]


def test_a_task_that_is_over_is_shown_with_its_run_alone(call, coordinator):
    finished(coordinator)
    assert "progress" not in json.loads(call("show", "0badcafe-1111", "--json").stdout)


def test_a_specialist_that_did_not_stop_when_told_to_is_shown_with_its_task(call, coordinator):
    finished(coordinator, steps=PARTIAL)
    coordinator.cancels = [
        {"branch": "review/types", "agent": "types", "attempt": 1, "result": "refused", "detail": "it goes on working"},
        {"branch": "review/lint", "agent": "lint", "attempt": 1, "result": "not_found", "detail": ""},
        {"branch": "review/deadcode", "agent": "deadcode", "attempt": 1, "result": "confirmed", "detail": ""},
    ]
    told = call("show", "0badcafe-1111").stdout
    assert "cancel: types: refused, it goes on working\n" in told
    assert "cancel: lint: not found\n" in told
    assert "cancel: deadcode" not in told
    assert json.loads(call("show", "0badcafe-1111", "--json").stdout)["cancels"] == coordinator.cancels


def test_a_server_that_tells_nothing_of_cancels_is_shown_all_the_same(call, coordinator):
    finished(coordinator)
    assert "cancel:" not in call("show", "0badcafe-1111").stdout
    assert json.loads(call("show", "0badcafe-1111", "--json").stdout)["cancels"] == []


def test_the_report_of_a_task_is_shown_when_asked_for(call, coordinator):
    finished(coordinator)
    assert "a shell is started" in call("show", "0badcafe-1111", "--report").stdout


def test_a_task_without_a_report_says_so(call, coordinator):
    coordinator.new_task()
    result = call("show", "0badcafe-1111", "--report")
    assert result.exit_code == 2
    assert "has no report; it is submitted" in result.stderr


def test_a_task_as_json_has_the_form_of_a_review(call, coordinator):
    finished(coordinator)
    told = json.loads(call("show", "0badcafe-1111", "--json").stdout)
    assert (told["state"], told["run"]["verdict"]) == ("TASK_STATE_COMPLETED", "complete")


@pytest.mark.parametrize("command", ["show", "watch"])
def test_the_beginning_of_an_id_is_enough(call, coordinator, command):
    for name in ("aaaa-1", "bbbb-2", "cccc-3"):
        finished(coordinator, name)
    told = json.loads(call(command, "cc", "--json").stdout)
    assert told["taskId"] == "cccc-3"


def test_an_ambiguous_beginning_lists_what_it_could_be(call, coordinator):
    for name in ("aaaa-1", "bbbb-2", "aaaa-3"):
        coordinator.new_task(name)
    result = call("show", "aaaa")
    assert result.exit_code == 2
    assert "aaaa is the beginning of 2 tasks: aaaa-1, aaaa-3" in result.stderr


def test_a_whole_id_counts_although_others_begin_with_it(call, coordinator):
    coordinator.new_task("aaaa")
    coordinator.new_task("aaaa-1")
    assert json.loads(call("show", "aaaa", "--json").stdout)["taskId"] == "aaaa"


@pytest.mark.parametrize(("task", "words"), [("nobody", "knows no task that begins with nobody"), ("", "empty id")])
def test_an_unknown_task_is_told(call, coordinator, task, words):
    result = call("show", task)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_watched_task_ends_like_a_review(call, coordinator):
    coordinator.new_task()
    coordinator.later_steps = PARTIAL
    result = call("watch", "0bad")
    assert result.exit_code == 3
    assert "missing: types" in result.stdout
    assert "security: working" in result.stderr


def test_watching_what_has_ended_prints_what_came_out(call, coordinator):
    finished(coordinator)
    result = call("watch", "0bad")
    assert result.exit_code == 0
    assert "2 findings" in result.stdout
    assert "SubscribeToTask" not in coordinator.calls


def test_other_artifacts_than_a_report_are_printed(call, coordinator):
    finished(
        coordinator, steps=[artifact({"artifactId": "x", "name": "poem", "parts": [{"text": "roses"}]}), COMPLETE[-1]]
    )
    told = call("watch", "0bad").stdout
    assert "poem\n  roses\n" in told


def test_a_task_is_canceled(call, coordinator):
    coordinator.new_task()
    result = call("cancel", "0bad")
    assert (result.exit_code, result.stdout) == (0, "task 0badcafe-1111 is canceled\n")
    assert coordinator.calls[-1] == "CancelTask"


def test_what_has_ended_cannot_be_canceled(call, coordinator):
    finished(coordinator)
    result = call("cancel", "0bad")
    assert result.exit_code == 2
    assert "is completed already" in result.stderr
    assert "CancelTask" not in coordinator.calls


def test_a_canceled_task_as_json_is_one_object(call, coordinator):
    coordinator.new_task(state=a2a.TASK_STATE_WORKING)
    assert json.loads(call("cancel", "0bad", "--json").stdout)["state"] == "TASK_STATE_CANCELED"

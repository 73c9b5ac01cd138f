"""What people read: pure functions from JSON to lines."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from coordinator.cli.live import LiveBranches, branch_tree, changed_lines
from coordinator.cli.report import Report, report_lines, report_of, run_lines, time_line
from coordinator.cli.tables import (
    agents_table,
    artifact_lines,
    artifacts_table,
    load_words,
    local_time,
    plans_table,
    task_lines,
    tasks_table,
)
from coordinator.cli.terminal import duration, plural, printable, printable_lines, size
from coordinator.cli.view import TaskView
from tests.cli.stand_in import AGENTS, PLANS, REPORT, TIMED_OUT, URI, branch, run


def lines(renderable, width=1000, **options):
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False, **options)
    console.print(renderable)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand", "two lines and"),
        ("\x1b[2Jgone", "�[2Jgone"),
        ("bell\x07 c1\x9b31m", "bell� c1�31m"),
        ("left\u202eright", "left�right"),
        ("half \udcff", "half �"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
        (7, "7"),
    ],
)
def test_no_control_character_reaches_the_terminal(text, shown):
    assert printable(text) == shown


def test_text_of_several_lines_keeps_its_lines_only():
    assert printable_lines("a\r\nb\x1b[0m\n\tc") == "a\nb�[0m\n        c"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (duration(0.04), "0.0 s"),
        (duration(59.94), "59.9 s"),
        (duration(125), "2 min 05 s"),
        (size(999), "999 bytes"),
        (size(1500), "1.5 kB"),
        (size(2_500_000), "2.5 MB"),
        (plural(1, "branch"), "1 branch"),
        (plural(2, "branch"), "2 branches"),
        (plural(0, "file"), "0 files"),
        (plural(6, "process"), "6 processes"),
    ],
)
def test_quantities_read_as_people_say_them(told, expected):
    assert told == expected


def test_the_tree_shows_state_time_attempt_and_last_word_of_each_branch():
    progress = {
        "tally": {"total": 3, "open": 2},
        "branches": [
            branch("lint", "succeeded", seconds=1.2, text="what it said before"),
            branch("security", "working", seconds=2.0, text="120 of 300 files"),
            branch("types", "queued"),
        ],
    }
    assert lines(branch_tree(progress, "task 1", since_s=0.5)) == [
        "task 1",
        "├── ✓ lint      succeeded    1.2 s",
        "├── ▸ security  working      2.5 s  120 of 300 files",
        "├── · types     queued",
        "└── 1 of 3 branches settled",
    ]


def test_a_branch_with_an_id_of_its_own_is_shown_by_it():
    progress = {"branches": [{"id": "review/part-2", "agent": "lint", "state": "retrying", "attempt": 2, "seconds": 0}]}
    assert lines(branch_tree(progress, "t"))[1] == "└── ↻ review/part-2 (lint)  retrying     0.0 s  attempt 2"


def test_a_tree_is_never_taller_than_a_screen():
    progress = {"branches": [branch(f"agent-{n}", "queued") for n in range(100)]}
    drawn = lines(branch_tree(progress, "t"))
    assert len(drawn) == 32
    assert drawn[-1] == "└── … and 70 more"


def test_a_long_last_word_is_cut_to_the_line():
    progress = {"branches": [branch("lint", "working", text="x" * 500)]}
    assert [len(line) for line in lines(branch_tree(progress, "t"), width=60)] == [1, 60]


def test_only_changed_branches_are_told():
    before = {"branches": [branch("lint", "working"), branch("types", "working")]}
    after = {"branches": [branch("lint", "working", seconds=9.0), branch("types", "timed_out", error="too slow")]}
    assert changed_lines(before, after) == ["types: timed out after 0.5 s: too slow"]
    assert changed_lines({}, after)[0] == "lint: working after 9.0 s"


def test_the_seconds_of_a_running_branch_go_on_between_two_events():
    now = [100.0]
    display = LiveBranches(clock=lambda: now[0])
    view = TaskView()
    view.progress = {"branches": [branch("lint", "working", seconds=1.0), branch("types", "failed", seconds=1.0)]}
    display(view)
    now[0] = 103.0
    told = lines(display)
    assert "4.0 s" in told[1]
    assert "1.0 s" in told[2]


def test_data_parts_of_one_report_are_joined_and_the_first_summary_counts():
    parts = [
        {"data": {"schema": "merged-findings/v1", "summary": {"received": 9}, "items": [{"rank": 1}]}},
        {"data": {"schema": "merged-findings/v1", "items": [{"rank": 2}]}},
        {"data": {"schema": "another"}},
        {"text": "x"},
    ]
    assert report_of([{"parts": parts}]) == Report([{"rank": 1}, {"rank": 2}], {"received": 9})


def test_without_merged_findings_there_is_no_report():
    assert report_of([{"parts": [{"data": [1]}, {"text": "x"}]}, {}]) is None


def test_a_report_is_ranked_and_names_its_sources():
    report = report_of([REPORT])
    assert report is not None
    assert lines(report_lines(report, 1)) == [
        "2 findings (3 received, 1 joined with another)",
        "",
        "   1  high      a.py:3  shell-injection  2 votes, confidence 90",
        "      a shell is started",
        "      lint S602 (ruff 0.14) · security B602 (bandit 1.9)",
        "… 1 more; --all shows them",
    ]


def test_what_was_left_out_is_counted():
    summary = {"received": 9, "dropped": {"min_confidence": 4, "min_votes": 1}}
    assert lines(report_lines(Report([], summary)))[0] == (
        "0 findings (9 received, 4 left out for low confidence, 1 left out for too few votes)"
    )


def test_an_item_of_another_version_is_shown_as_far_as_it_goes():
    assert lines(report_lines(Report([{"rank": 1, "message": "m"}], {})))[3] == "      m"


def test_the_run_tells_branches_times_and_who_is_missing():
    assert lines(run_lines(run("partial", TIMED_OUT))) == [
        "plan code-review: partial, 2 of 3 branches succeeded, 1 failed",
        "  lint      ✓ succeeded  1.0 s",
        "  security  ✓ succeeded  2.0 s",
        "  types     ✗ timed out  3.0 s  2 attempts",
        "the branches took 6.0 s together, the wall clock 2.0 s: 3.0 at a time on average",
        "findings: lint 2, security 1",
        "missing: types: timed out, no answer within 3 s",
    ]


def test_a_run_that_misses_nobody_tells_its_reason():
    assert lines(run_lines({**run("canceled"), "reason": "the client canceled it"}))[0] == (
        "plan code-review: canceled, 2 of 2 branches succeeded (the client canceled it)"
    )


def test_large_data_is_cut_and_says_so():
    artifact = {"artifactId": "x", "parts": [{"data": {"a": 1, "b": 2}}, {"text": "a\nb\nc"}]}
    assert lines(artifact_lines([artifact], 2)) == [
        "x",
        "  {",
        '    "a": 1,',
        "  … 2 more lines; --all shows them",
        "  a",
        "  b",
        "  c",
    ]


def test_a_run_without_times_says_nothing_about_them():
    assert time_line({"branches": [], "wallSeconds": 0}) == ""


def test_agents_are_listed_with_their_errors():
    told = lines(agents_table(AGENTS))
    assert told[0].split() == ["agent", "reachable", "branches", "circuit", "skills", "url", "error"]
    assert told[1].split() == ["lint", "yes", "3", "of", "50", "closed", "python-review", "http://127.0.0.1:8421/"]
    assert told[2].endswith("http://127.0.0.1:8425/  connection refused")


def test_an_agent_that_is_not_ready_is_listed_with_what_it_lacks():
    (_, row) = lines(agents_table([{"name": "legal", "reachable": True, "lacking": "set OPENAI_API_KEY"}]))
    assert row.startswith("legal  not ready")
    assert row.endswith("set OPENAI_API_KEY")


def test_an_agent_in_trouble_is_listed_with_its_lowered_cap_and_when_it_is_tried_again():
    branches = {"cap": 4, "most": 8, "inUse": 4, "waiting": 2}
    circuit = {"state": "half_open", "failures": 5, "retrySeconds": 11.6}
    (_, row) = lines(agents_table([{"name": "busy", "reachable": True, "branches": branches, "circuit": circuit}]))
    assert "4 of 4 (lowered from 8), 2 wait  half open, next try in 12 s" in row


def test_how_busy_the_coordinator_is_takes_one_line():
    branches = {"most": 1000, "inUse": 12, "waiting": 3}
    tasks = {"most": 200, "running": 4, "mostWaiting": 1000, "waiting": 1}
    assert load_words({"branches": branches, "coordinations": tasks}) == (
        "12 of 1000 branches under way, 3 wait; 4 of 200 tasks driven, 1 of 1000 wait"
    )
    assert load_words(None) == ""


def test_plans_are_listed_with_what_they_wait_for():
    told = lines(plans_table([*PLANS, {"name": "x", "stages": [{"to": {"agents": ["a", "b"]}}]}, {"name": "y"}]))
    assert "code-review (default)  skill python-review  0.6" in told[1]
    assert "agents a, b" in told[2]


def test_tasks_are_listed_with_verdict_and_duration():
    task = {"id": "1", "status": {"state": "TASK_STATE_INPUT_REQUIRED"}, "metadata": {f"{URI}/run": run()}}
    assert lines(tasks_table([task]))[1].split() == ["1", "input", "required", "complete", "code-review", "2.0", "s"]


def test_a_task_is_shown_with_its_words():
    told = lines(task_lines({"id": "1", "contextId": "c", "status": {"state": "TASK_STATE_FAILED"}}, "why\nso"))
    assert told[0] == "task     1"
    assert told[2:] == ["state    failed", "since", "why", "so"]


def test_artifacts_are_summed_up_by_their_parts():
    told = lines(artifacts_table([REPORT, {"artifactId": "x", "parts": [{"raw": ""}, {"url": "u"}]}]))
    assert "1 data part, 1 text part" in told[1]
    assert "1 file part, 1 url part" in told[2]


def test_artifacts_are_printed_as_far_as_they_can_be_read():
    artifact = {
        "name": "all",
        "description": "of it",
        "parts": [
            {"text": "a\nb"},
            {"data": {"n": 1}},
            {"raw": "AAAA", "filename": "f"},
            {"url": "u", "filename": "g"},
        ],
    }
    assert lines(artifact_lines([artifact])) == [
        "all",
        "of it",
        "  a",
        "  b",
        "  {",
        '    "n": 1',
        "  }",
        "  f: 3 bytes",
        "  g: u",
    ]


@pytest.mark.parametrize(("timestamp", "told"), [(None, ""), ("nonsense\x1b", "nonsense�")])
def test_a_time_that_is_none_is_no_reason_to_fail(timestamp, told):
    assert local_time(timestamp) == told


def test_a_time_is_shown_by_the_clock_of_the_reader(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    assert local_time("2026-05-04T03:02:01.123Z").startswith("2026-05-0")


def test_markup_in_foreign_words_is_only_text():
    progress = {"branches": [branch("lint", "working", text="[red]x[/red]")]}
    assert "[red]x[/red]" in lines(branch_tree(progress, "t"))[1]
    assert lines(Text("[red]"), force_terminal=False) == ["[red]"]

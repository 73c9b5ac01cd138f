"""`db`, `replay` and `export`: what can be learned of a database, and done to it, without a server."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sqlite3
from contextlib import closing

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from coordinator.cli.export import REMOVED, scrubbed
from coordinator.cli.program import program
from coordinator.core.events import EVENT_TYPES
from coordinator.journal import SqlJournal
from coordinator.journal.sql_schema import SCHEMA_VERSION
from tests.journal.stored.loading import STORED, load

OLD, NEW = STORED[0], STORED[-1]


def call(*arguments: object):
    return CliRunner().invoke(program(), [*map(str, arguments)])


def output(*arguments: object) -> str:
    result = call(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def refusal(*arguments: object) -> str:
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


@pytest.fixture
def path(tmp_path):
    return tmp_path / "coordinator.db"


@pytest.fixture
def tasks(path):
    """The tasks of a database of the present version, by id."""
    return load(NEW, path)


def of_plan(path, plan):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT task_id FROM head WHERE plan = ?", (plan,)).fetchone()[0]


def while_open(path, *arguments):
    """Run a command while a coordinator has the file open and locked."""

    async def running():
        journal = await SqlJournal.open(path)
        try:
            return await asyncio.to_thread(call, *arguments)
        finally:
            await journal.close()

    return asyncio.run(running())


# --- replay -----------------------------------------------------------------------------------------------


def test_a_task_is_told_with_a_line_for_each_fact(path, tasks):
    lines = output("replay", of_plan(path, "again"), "--db", path).splitlines()
    told = [re.sub(r"^ *\d+  +\+[\d.]+ s  +", "", line) for line in lines[1:-1]]
    assert told == [
        "accepted a message of 1 part for plan again (stages: ask)",
        "a driver took it on",
        "ask/shaky  attempt 1 begins",
        told[3],
        "ask/shaky  working",
        "ask/shaky  attempt 1 failed (failed): its task failed: not today",
        "a timer went off",
        "ask/shaky  attempt 2 begins",
        told[8],
        "ask/shaky  working",
        "ask/shaky  attempt 2 succeeded with 1 artifact",
        "ask        merged into 1 artifact",
    ]
    assert told[3].startswith("ask/shaky  the agent took it as task shaky-")
    assert lines[-1].startswith("now completed: 1 of 1 branches succeeded")


def test_every_task_can_be_told_and_no_kind_of_fact_is_told_by_its_name(path, tasks):
    stories = [json.loads(output("replay", task_id, "--db", path, "--json")) for task_id in tasks]
    facts = [fact for story in stories for fact in story["facts"]]
    by_type = {fact["type"]: fact["text"] for fact in facts}
    known = {name for name in EVENT_TYPES if name in by_type}
    assert len(known) >= 15
    for name in known:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
        assert by_type[name] != words
    assert [story["taskId"] for story in stories] == list(tasks)
    assert [fact["seq"] for fact in stories[0]["facts"]] == list(range(1, len(stories[0]["facts"]) + 1))
    assert stories[0]["facts"][0]["offsetSeconds"] == 0.0


def test_the_state_at_a_fact_is_shown(path, tasks):
    task_id = of_plan(path, "again")
    state = json.loads(output("replay", task_id, "--db", path, "--until", 8, "--json"))
    assert (state["taskId"], state["until"], state["state"]) == (task_id, 8, "TASK_STATE_WORKING")
    assert state["tally"] == {"total": 1, "succeeded": 0, "failed": 0, "canceled": 0, "open": 1}
    assert [(branch["id"], branch["attempt"]) for branch in state["branches"]] == [("ask/shaky", 2)]
    assert state["openCommands"] == ["attempt:ask/shaky:2"]
    told = output("replay", task_id, "--db", path, "--until", 8)
    assert "working" in told
    assert "attempt:ask/shaky:2" in told
    end = json.loads(output("replay", task_id, "--db", path, "--until", 12, "--json"))
    assert (end["state"], end["verdict"], end["openCommands"]) == ("TASK_STATE_COMPLETED", "complete", [])


def test_a_fact_that_is_not_there_is_told(path, tasks):
    assert "--until must be 1 to 12" in refusal("replay", of_plan(path, "again"), "--db", path, "--until", 13)


def test_the_beginning_of_an_id_is_enough_when_no_other_begins_alike(path, tasks):
    task_id = of_plan(path, "again")
    assert output("replay", task_id[:8], "--db", path).startswith(f"task {task_id}\n")
    assert "several tasks begin with ''" in refusal("replay", "", "--db", path)
    assert "has no task 'nobody'" in refusal("replay", "nobody", "--db", path)


def test_a_task_is_told_while_the_coordinator_runs_and_writes(path, tasks):
    task_id = of_plan(path, "again")
    before = output("replay", task_id, "--db", path)
    during = while_open(path, "replay", task_id, "--db", path)
    assert (during.exit_code, during.stdout) == (0, before)


def test_the_database_is_the_one_of_the_configuration(path, tasks, tmp_path):
    (tmp_path / "c.yaml").write_text(f"db: {path}\n")
    assert output("replay", next(iter(tasks)), "--config", tmp_path / "c.yaml").startswith("task ")
    (tmp_path / "m.yaml").write_text("db: memory\n")
    assert "in memory" in refusal("replay", "x", "--config", tmp_path / "m.yaml")


@pytest.mark.parametrize("command", [("replay", "x"), ("export", "x"), ("db", "status"), ("db", "upgrade")], ids=str)
def test_a_database_that_is_not_there_is_told_and_not_made(path, command):
    assert "there is no database" in refusal(*command, "--db", path)
    assert not path.exists()


@pytest.mark.parametrize("command", [("replay", "x"), ("export", "x"), ("db", "status"), ("db", "upgrade")], ids=str)
def test_a_database_of_a_newer_version_is_refused(path, tasks, command):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    assert "written by a newer version" in refusal(*command, "--db", path)


def test_nothing_is_left_beside_a_database_that_was_only_read(path, tasks):
    while_open(path, "--version")  # as a server leaves it
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    output("replay", next(iter(tasks)), "--db", path)
    output("db", "status", "--db", path)
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


# --- export -----------------------------------------------------------------------------------------------


def test_an_export_is_told_like_the_database(path, tasks, tmp_path):
    for task_id in tasks:
        written = call("export", task_id[:13], "--db", path, "--output", tmp_path / "report.jsonl")
        assert written.exit_code == 0
        assert "no payloads" in written.stderr
        assert output("replay", tmp_path / "report.jsonl") == output("replay", task_id, "--db", path)


def test_payloads_are_left_out_unless_asked_for(path, tasks):
    task_id = of_plan(path, "gather")
    assert "please gather" not in output("export", task_id, "--db", path)
    lines = [json.loads(line) for line in output("export", task_id, "--db", path, "--payloads").splitlines()]
    bodies = {line["payload"]: base64.b64decode(line["base64"]) for line in lines if "payload" in line}
    assert any(b"please gather" in body for body in bodies.values())
    assert any(b"the answer of ada" in body for body in bodies.values())
    assert not any(b"please race" in body for body in bodies.values())


def test_an_export_does_not_say_whose_task_it_is(path, tasks):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE head SET owner = 'alice-in-person'")
        connection.commit()
    assert "alice-in-person" not in output("export", next(iter(tasks)), "--db", path, "--payloads")


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ({"apiKey": "s3cr3t", "n": 1}, {"apiKey": REMOVED, "n": 1}),
        ({"nested": [{"X-Auth-Token": "s3cr3t"}]}, {"nested": [{"X-Auth-Token": REMOVED}]}),
        ("https://me:s3cr3t@host/path", f"https://{REMOVED}@host/path"),
        ("see https://host/?a=1&token=s3cr3t#top", f"see https://host/?a=1&token={REMOVED}#top"),
        ("it said: Bearer s3cr3ts3cr3t", f"it said: Bearer {REMOVED}"),
        ("Authorization: Basic dXNlcjpwYXNz==", f"Authorization: Basic {REMOVED}"),
        ("Basic functionality; a bearer of news", "Basic functionality; a bearer of news"),
        ({"max_tokens": 5, "token": ""}, {"max_tokens": 5, "token": ""}),
    ],
    ids=str,
)
def test_secrets_are_never_in_an_export(held, told):
    assert scrubbed(held) == told


def test_secrets_in_the_facts_are_removed_and_the_rest_is_still_told(path, tasks, tmp_path):
    with closing(sqlite3.connect(path)) as connection:
        metadata = "json_set(body, '$.message.metadata', json_object('password', 's3cr3t'))"
        connection.execute(f"UPDATE journal SET body = {metadata} WHERE seq = 1")
        connection.commit()
    task_id = next(iter(tasks))
    assert call("export", task_id, "--db", path, "-o", tmp_path / "out").exit_code == 0
    assert "s3cr3t" not in (tmp_path / "out").read_text()
    assert output("replay", tmp_path / "out") == output("replay", task_id, "--db", path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "another"}', "Dear diary"], ids=str)
def test_another_file_is_no_export(tmp_path, text):
    (tmp_path / "file").write_text(text)
    assert "is no export of a task" in refusal("replay", tmp_path / "file")


def test_an_export_somebody_changed_is_told(path, tasks, tmp_path):
    lines = output("export", of_plan(path, "again"), "--db", path).splitlines()
    report = tmp_path / "report.jsonl"
    report.write_text("\n".join(lines[:1]))
    assert "is no export of a task" in refusal("replay", report)
    report.write_text("\n".join([*lines[:2], lines[2].replace("epoch", "era")]))
    assert "fact 2 cannot be read" in refusal("replay", report)
    report.write_text("\n".join([lines[0], *lines[2:]]))
    assert "a coordination starts with TaskAccepted" in refusal("replay", report)


def test_an_export_that_cannot_be_written_is_told(path, tasks, tmp_path):
    says = refusal("export", next(iter(tasks)), "--db", path, "-o", tmp_path / "no" / "where")
    assert "cannot be written" in says


# --- db ---------------------------------------------------------------------------------------------------


def test_the_status_tells_version_size_and_tasks(path, tasks):
    status = json.loads(output("db", "status", "--db", path, "--json"))
    assert status["path"] == str(path)
    assert (status["schema"], status["isCurrent"]) == (SCHEMA_VERSION, True)
    assert sum(status["tasks"].values()) == len(tasks)
    assert status["size"] == path.stat().st_size
    assert status["pushes"] == {"owed": 1, "givenUp": 0}
    told = output("db", "status", "--db", path)
    assert "up to date" in told
    assert "1 still to be told something, 0 given up" in told
    assert while_open(path, "db", "status", "--db", path).exit_code == 0


def test_an_old_database_is_told_and_brought_up_to_date(path):
    tasks = load(OLD, path)
    assert "coordinator db upgrade" in output("db", "status", "--db", path)
    assert "coordinator db upgrade" in refusal("replay", next(iter(tasks)), "--db", path)
    assert f"schema 1 became {SCHEMA_VERSION}" in output("db", "upgrade", "--db", path)
    assert "is up to date: schema" in output("db", "upgrade", "--db", path)
    assert output("replay", next(iter(tasks)), "--db", path).startswith("task ")


def test_a_dry_run_tells_what_pruning_takes_away_and_changes_nothing(path, tasks):
    before = path.read_bytes()
    would = json.loads(output("db", "prune", "--older-than", "1ms", "--dry-run", "--db", path, "--json"))
    assert path.read_bytes() == before
    assert (
        "nothing was changed" in while_open(path, "db", "prune", "--older-than", "1s", "--dry-run", "--db", path).stdout
    )
    done = json.loads(output("db", "prune", "--older-than", "1ms", "--db", path, "--json"))
    assert (done["tasks"], done["payloads"]) == (would["tasks"], would["payloads"])
    assert 0 < done["tasks"] < len(tasks)
    assert done["bytesAfter"] < done["bytesBefore"]


def test_pruning_forgets_what_ended_before_and_nothing_else(path, tasks):
    assert "forgot 0 tasks" in output("db", "prune", "--older-than", "36500d", "--db", path)
    pruned = output("db", "prune", "--older-than", "0.001s", "--db", path)
    assert pruned.startswith("forgot ")
    status = json.loads(output("db", "status", "--db", path, "--json"))
    assert (status["tasks"]["closed"], status["unused"]) == (0, 0)
    assert status["tasks"]["due"] > 0


def test_pruning_under_a_running_coordinator_is_refused_with_advice(path, tasks):
    with FileLock(f"{path}.lock"):
        assert "set `retention`" in refusal("db", "prune", "--older-than", "1d", "--db", path)


@pytest.mark.parametrize("age", ["soon", "-1d", "0s", "30 days"])
def test_an_age_that_is_none_is_told(path, tasks, age):
    assert "--older-than" in refusal("db", "prune", f"--older-than={age}", "--db", path)

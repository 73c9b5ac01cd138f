"""The commands that look into the database say the same of PostgreSQL as of a file with the same tasks."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import create_engine, make_url, select
from typer.testing import CliRunner

from coordinator.cli.program import program
from coordinator.journal.postgres import engine_of, url_of
from coordinator.journal.sql_schema import SCHEMA_VERSION, metadata
from tests.journal.stored.loading import STORED, load
from tests.postgres import Postgres

NAMES = ("head", "inbox", "journal", "payload", "payload_use")


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
def tasks(path, postgres_url):
    """The tasks of a stored database, by id, in a file and in PostgreSQL alike."""
    tasks = load(STORED[-1], path)
    output("db", "upgrade", "--db", path)
    file, server = create_engine(f"sqlite:///{path}"), engine_of(url_of(postgres_url))
    with file.connect() as source, server.begin() as target:
        for name in NAMES:
            table = metadata.tables[name]
            rows = [dict(row) for row in source.execute(select(table)).mappings()]
            if rows:
                target.execute(table.insert(), rows)
    file.dispose()
    return tasks


def test_every_task_is_told_as_from_a_file(path, tasks, postgres_url):
    for task_id in tasks:
        assert output("replay", task_id, "--db", postgres_url) == output("replay", task_id, "--db", path)


def test_a_task_is_exported_as_from_a_file(path, tasks, postgres_url):
    task_id = next(iter(tasks))
    exported = output("export", task_id, "--payloads", "--db", postgres_url)
    assert exported == output("export", task_id, "--payloads", "--db", path)


def test_the_status_counts_tasks_and_hides_the_password(tasks, path, postgres_url):
    url = make_url(postgres_url)
    told = json.loads(output("db", "status", "--json", "--db", url.set(password="s3cret").render_as_string(False)))
    of_file = json.loads(output("db", "status", "--json", "--db", path))
    assert told["path"] == f"postgresql://postgres@127.0.0.1:{url.port}/{url.database}"
    assert (told["tasks"], told["schema"], told["isCurrent"]) == (of_file["tasks"], SCHEMA_VERSION, True)
    assert told["size"] > 100_000
    assert told["unused"] is None
    words = output("db", "status", "--db", postgres_url)
    assert f"127.0.0.1:{url.port}" in words
    assert "unused" not in words


def test_the_database_of_a_configuration_may_be_a_url(tasks, tmp_path, postgres_url):
    (tmp_path / "c.yaml").write_text(f"db: {postgres_url}\n")
    assert output("replay", next(iter(tasks)), "--config", tmp_path / "c.yaml").startswith("task ")


def test_pruning_forgets_as_much_as_in_a_file_and_first_says_how_much(tasks, path, postgres_url):
    places = (path, postgres_url)
    planned = [
        json.loads(output("db", "prune", "--older-than", "1s", "--dry-run", "--json", "--db", place))
        for place in places
    ]
    assert planned[0] == planned[1]
    done = [json.loads(output("db", "prune", "--older-than", "1s", "--json", "--db", place)) for place in places]
    assert done[1]["tasks"] == done[0]["tasks"] == planned[1]["tasks"] > 0
    assert done[1]["payloads"] == done[0]["payloads"]


def test_a_task_that_is_not_there_is_refused_without_the_password(tasks, postgres_url):
    url = make_url(postgres_url).set(password="s3cret").render_as_string(hide_password=False)
    told = refusal("replay", "nobody", "--db", url)
    assert "has no task 'nobody'" in told
    assert "s3cret" not in told


def test_a_database_without_tables_is_told_and_made_by_upgrade(empty_postgres):
    assert "coordinator db upgrade" in refusal("db", "status", "--db", empty_postgres)
    assert "has its tables now: schema" in output("db", "upgrade", "--db", empty_postgres)
    assert json.loads(output("db", "status", "--json", "--db", empty_postgres))["schema"] == SCHEMA_VERSION
    assert "is up to date: schema" in output("db", "upgrade", "--db", empty_postgres)


def test_a_server_that_is_not_there_is_told_in_a_line(postgres_server: Postgres):
    url = make_url(postgres_server.url).set(port=1).render_as_string(hide_password=False)
    assert "127.0.0.1:1" in refusal("db", "status", "--db", url)

"""`serve`, `check`, `init`, and the program around the commands."""

from __future__ import annotations

import re
import socket

import pytest
from typer.testing import CliRunner

from coordinator import __version__
from coordinator.cli import serving
from coordinator.cli.client import Target
from coordinator.cli.exits import ExitCode, Stop, exit_code
from coordinator.cli.program import program
from coordinator.config import Settings, load_settings
from coordinator.core.model import TaskState


def call(*arguments: object):
    return CliRunner().invoke(program(), [*map(str, arguments)])


def test_the_starter_holds_the_defaults():
    started = load_settings(serving.STARTER)
    assert started == Settings()


def test_every_field_of_the_configuration_is_explained_in_the_starter():
    text = serving.STARTER.read_text()
    missing = [name for name in Settings.model_fields if not re.search(rf"^(# )?{name}:", text, re.MULTILINE)]
    assert missing == []


def test_the_examples_in_the_starter_are_valid(tmp_path, monkeypatch):
    """Uncommented, the fields that are only shown must load as well."""
    text = serving.STARTER.read_text()
    fields = "public_url|grpc_[a-z_]+|db|retention|agents|plans|routes|tokens|credentials"
    shown = re.sub(rf"^# (?=({fields}): ?|  )", "", text, flags=re.MULTILINE)
    (tmp_path / "all.yaml").write_text(shown.replace("auth: none\n", "auth: tokens\n"))
    settings = load_settings(tmp_path / "all.yaml")
    assert len(settings.agents) == 3
    assert [entry.name for entry in settings.tokens] == ["alice"]
    assert settings.public_url == "https://coordinator.example"
    assert len(settings.routes) == 2
    assert (settings.grpc_target, settings.grpc_key.name) == ("coordinator.example:443", "server.key")
    assert settings.credentials == {"finance": "FINANCE_TOKEN"}
    assert settings.retention == 30 * 86_400


def test_a_configuration_is_written_once(tmp_path):
    file = tmp_path / "coordinator.yaml"
    written = call("init", file)
    assert written.exit_code == 0
    assert f"coordinator serve --config {file}" in written.stdout
    file.write_text("port: 1\n")
    again = call("init", file)
    assert again.exit_code == 2
    assert "exists; --force overwrites it" in again.stderr
    assert file.read_text() == "port: 1\n"
    assert call("init", file, "--force").exit_code == 0
    assert file.read_text() == serving.STARTER.read_text()


def test_a_configuration_that_cannot_be_written_is_told(tmp_path):
    result = call("init", tmp_path / "nowhere" / "c.yaml")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_options_override_the_file_and_what_is_not_given_does_not(tmp_path, monkeypatch):
    seen = []
    from coordinator import server

    monkeypatch.setattr(server, "serve", lambda settings: seen.append(settings) or 0)
    (tmp_path / "c.yaml").write_text("port: 9000\nlog_level: debug\nhost: ::1\ninsecure: true\n")
    options = ["--port", "0", "--agents", "a", "--agents", "b", "--db", "memory", "--default-plan", "mine"]
    options += ["--replica", "host-a"]
    result = call("serve", "--config", tmp_path / "c.yaml", *options)
    assert result.exit_code == 0
    settings = seen[0]
    assert (settings.port, settings.host, settings.log_level, settings.insecure) == (0, "::1", "debug", True)
    assert [agent.card for agent in settings.agents] == ["a", "b"]
    assert (settings.default_plan, settings.replica) == ("mine", "host-a")
    assert settings.database is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port: many", "port"),
        ("colour: red", "colour: there is no such field"),
        ("max_coordinatons: 3", "max_coordinatons: there is no such field; do you mean max_coordinations?"),
        ("tokens: [{nam: alice}]", "tokens.0.nam: there is no such field; do you mean name?"),
        ("[1, 2]", "a configuration is a mapping"),
        ("host: 0.0.0.0", "reachable from outside"),
        ("default_plan: nope\ndb: memory\nport: 0", "there is no plan 'nope'"),
        ("db: mysql://a@127.0.0.1:1/c\nport: 0", "kept in SQLite or PostgreSQL"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_wrong_configuration_is_told_in_one_line(tmp_path, command, text, words):
    (tmp_path / "c.yaml").write_text(text)
    result = call(command, "--config", tmp_path / "c.yaml")
    assert result.exit_code == 2
    assert words in result.stderr.splitlines()[0]
    assert result.stderr.startswith("error: ")


def test_a_taken_port_is_told_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = call("serve", "--port", taken.getsockname()[1], "--db", "memory")
    assert result.exit_code == 2
    assert "cannot listen on" in result.stderr


def test_a_missing_configuration_is_told():
    result = call("check", "--config", "/no/such/file.yaml")
    assert result.exit_code == 2
    assert "/no/such/file.yaml" in result.stderr


def test_the_shipped_configuration_has_no_problems():
    result = call("check")
    assert (result.exit_code, result.stdout) == (0, "the default configuration: no problems\n")


def test_the_diagram_is_printed_for_mermaid():
    assert call("check", "--diagram").stdout.startswith("stateDiagram-v2\n")


def test_the_version_is_told():
    assert call("--version").stdout == f"coordinator {__version__}\n"


def test_without_a_command_the_help_is_shown():
    result = call()
    assert result.exit_code == 2
    assert "Usage: coordinator" in result.output


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "demo",
        "network",
        "review",
        "send",
        "agents",
        "plans",
        "tasks",
        "show",
        "watch",
        "answer",
        "cancel",
        "check",
        "init",
        "replay",
        "export",
        "db status",
        "db upgrade",
        "db prune",
    ],
)
def test_every_command_explains_itself_with_an_example(command):
    told = call(*command.split(), "--help").stdout
    assert f"coordinator {command}" in told.partition("Examples:")[2]


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("http://127.0.0.1:8420/", "http://127.0.0.1:8420"),
        ("localhost:9", "http://localhost:9"),
        ("https://host/prefix/", "https://host/prefix"),
    ],
)
def test_an_address_is_understood_as_it_is_typed(typed, address):
    assert Target.of(typed).server == address


@pytest.mark.parametrize("typed", ["", "http://", "ftp://host", "http://host:port", "http://[", "http://host:99999"])
def test_what_is_no_address_is_told(typed):
    with pytest.raises(Stop, match="is not an address"):
        Target.of(typed)


def test_a_token_never_shows_in_a_representation():
    assert "secret" not in repr(Target.of("http://x", "secret"))


@pytest.mark.parametrize(
    ("state", "verdict", "code"),
    [
        (TaskState.COMPLETED, "complete", ExitCode.OK),
        (TaskState.COMPLETED, None, ExitCode.OK),
        (TaskState.COMPLETED, "partial", ExitCode.PARTIAL),
        (TaskState.FAILED, "failed", ExitCode.FAILED),
        (TaskState.CANCELED, "canceled", ExitCode.FAILED),
        (TaskState.REJECTED, None, ExitCode.FAILED),
        (TaskState.INPUT_REQUIRED, None, ExitCode.NEEDS_INPUT),
        (TaskState.AUTH_REQUIRED, None, ExitCode.NEEDS_INPUT),
        (TaskState.SUBMITTED, None, ExitCode.OK),
    ],
)
def test_each_end_has_its_exit_code(state, verdict, code):
    assert exit_code(state, verdict) is code

"""Wrong input: one clear line that says what to do, the right exit code, nothing half started."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from coordinator.config import CARDS, PLANS

pytestmark = pytest.mark.processes

SAMPLE = "coordinator/sample"


def coordinator(*arguments, **environment):
    command = [sys.executable, "-m", "coordinator.cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment}
    )


def refused(done, told):
    """The command ended with 2 and one line on stderr that says *told*; nothing else was printed."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    return True


def test_an_unknown_plan_is_refused_before_anything_is_sent(network):
    network.specialist("lint")
    network.coordinator()
    assert refused(network.run("review", SAMPLE, "--plan", "no-such-plan"), "no-such-plan")
    assert json.loads(network.run("tasks", "--json").stdout)["tasks"] == []


def test_a_plan_nobody_has_the_skill_for_is_refused_with_the_agents_there_are(network):
    plan = yaml.safe_load((PLANS / "code-review.yaml").read_text())
    plan["stages"]["review"]["fan_out"]["to"] = {"skill": "poetry"}
    (network.plans / "code-review.yaml").write_text(yaml.safe_dump(plan))
    network.specialist("lint")
    network.coordinator("--plans", str(network.plans))
    assert refused(network.run("review", SAMPLE), "no agent has the skill poetry; known agents: lint")


def test_an_unknown_field_in_a_plan_keeps_the_server_from_starting(tmp_path):
    plan = yaml.safe_load((PLANS / "code-review.yaml").read_text())
    plan["stages"]["review"]["barier"] = {}
    (tmp_path / "code-review.yaml").write_text(yaml.safe_dump(plan))
    database = tmp_path / "c.db"
    done = coordinator("serve", "--plans", str(tmp_path), "--db", str(database))
    assert refused(done, "stages.review.barier")
    assert not database.exists()


def test_an_unreadable_path_is_named():
    assert refused(coordinator("review", "/nowhere/at/all"), "/nowhere/at/all")


def test_a_folder_without_python_is_told(tmp_path):
    assert refused(coordinator("review", str(tmp_path)), str(tmp_path))


def test_a_coordinator_that_does_not_answer_is_told_with_the_command_that_starts_one():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert refused(coordinator("--server", url, "review", SAMPLE), "coordinator serve")


def test_a_taken_port_is_told_and_the_database_is_left_alone(tmp_path):
    database = tmp_path / "c.db"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = coordinator("serve", "--port", port, "--db", str(database))
    assert refused(done, f"127.0.0.1:{port}")
    assert "--port" in done.stderr
    assert not database.exists()


def test_a_second_process_on_one_database_says_so_and_ends(network):
    network.specialist("lint")
    network.coordinator()
    done = coordinator("serve", "--port", "0", "--db", str(network.db), "--agents", str(network.cards))
    assert refused(done, str(network.db))
    assert network.run("agents").returncode == 0


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--agents", "/nowhere", "/nowhere"),
        ("--plans", "/nowhere", "/nowhere"),
        ("--config", "/nowhere", "/nowhere"),
        ("--host", "0.0.0.0", "reachable from outside"),
        ("--auth", "tokens", "tokens lists nobody"),
    ],
)
def test_what_a_server_cannot_start_with_is_named(tmp_path, option, value, told):
    done = coordinator("serve", "--port", "0", "--db", str(tmp_path / "c.db"), option, value)
    assert refused(done, told)


def test_a_token_that_is_not_set_is_named(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("auth: tokens\ntokens: [{name: alice, token_env: NO_SUCH_VARIABLE}]\n")
    assert refused(coordinator("serve", "--config", str(config), "--db", "memory"), "NO_SUCH_VARIABLE")


def test_check_tells_all_of_it_without_starting_anything(tmp_path):
    assert coordinator("check").returncode == 0
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({"agents": [str(CARDS / "lint.json")], "default_plan": "none"}))
    done = coordinator("check", "--config", str(config))
    assert done.returncode == 2
    assert "default_plan" in done.stdout + done.stderr


def test_init_writes_a_configuration_that_check_accepts(tmp_path):
    file = tmp_path / "coordinator.yaml"
    assert coordinator("init", str(file)).returncode == 0
    assert coordinator("check", "--config", str(file)).returncode == 0
    assert refused(coordinator("init", str(file)), "--force")


def test_the_token_for_a_specialist_has_to_be_set(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({"agents": [{"card": str(CARDS / "lint.json"), "token_env": "LINT_TOKEN"}]}))
    assert "LINT_TOKEN" in coordinator("check", "--config", str(config)).stderr
    assert refused(coordinator("serve", "--config", str(config), "--db", "memory", "--port", "0"), "LINT_TOKEN")


def test_the_sample_is_there():
    assert list(Path(SAMPLE).glob("*.py"))

"""Minds, stand-in and coordinator as processes of their own, as somebody starts them by hand."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from coordinator.cli.members import free_ports
from coordinator.config import PLANS
from specialist_agents.minds.testing import MINDS, SHIPPED
from tests.minds.rig import CONTRACT

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
READY_S = 90.0


@contextmanager
def process(folder, *arguments, **environment):
    """Run `python -m …` until the end of the block."""
    log = folder / f"{len(list(folder.iterdir()))}.log"
    with log.open("wb") as written:
        started = subprocess.Popen(
            [sys.executable, "-m", *map(str, arguments)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
        try:
            yield log
        finally:
            started.terminate()
            started.wait(20)


def wait_until(url, logs):
    """Wait until somebody answers at *url*."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, trust_env=False).status_code < 500:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer: " + "".join(log.read_text() for log in logs))


def mind(folder, name, port, config, **environment):
    """Serve one mind as its own process."""
    card = MINDS / f"{name}.json"
    arguments = ("specialist_agents", "mind", "--card", card, "--config", config, "--port", port)
    return process(folder, *arguments, **environment)


def test_a_document_goes_through_minds_in_processes_of_their_own(tmp_path):
    endpoint, *ports, ours = free_ports(5)
    shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    shipped["endpoint"] = {"model": "stand-in", "base_url": f"http://127.0.0.1:{endpoint}/v1", "key_env": "A_KEY"}
    config = tmp_path / "minds.yaml"
    config.write_text(yaml.safe_dump(shipped), encoding="utf-8")
    document = tmp_path / "contract.md"
    document.write_text(CONTRACT.replace("The customer", "## Price\n\nThe customer") + "\n## Night\n\nNever.\n")
    plan = PLANS / "minds" / "by-section.yaml"
    settings = tmp_path / "coordinator.yaml"
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    told = {"agents": urls, "plans": [str(plan)], "default_plan": "by-section", "db": "memory", "port": ours}
    settings.write_text(yaml.safe_dump(told), encoding="utf-8")
    logs = tmp_path / "logs"
    logs.mkdir()
    with ExitStack() as stack:
        started = [
            stack.enter_context(process(logs, "specialist_agents.minds.stand_in", "--port", endpoint)),
            *(
                stack.enter_context(mind(logs, name, port, config, A_KEY="k"))
                for name, port in zip(("legal-view", "rule-planner", "rule-synthesizer"), ports, strict=True)
            ),
        ]
        for url in urls:
            wait_until(f"{url}/readyz", started)
        started.append(stack.enter_context(process(logs, "coordinator.cli", "serve", "--config", settings)))
        wait_until(f"http://127.0.0.1:{ours}/readyz", started)
        sent = subprocess.run(
            [sys.executable, "-m", "coordinator.cli", "send", "--file", document, "Read this."],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "COORDINATOR_URL": f"http://127.0.0.1:{ours}"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert sent.returncode == 0, sent.stderr + "".join(log.read_text() for log in started)
    assert "# Synthesis" in sent.stdout
    assert "(stand-in) legal-view was given" in sent.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--card", MINDS / "nobody.json"], "unknown agent 'nobody'"),
        (["--card", MINDS / "legal-view.json", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--card", MINDS.parent / "lint.json"], "agents does not name lint; it names: clarity-judge"),
    ],
    ids=["no card", "no configuration", "not in the configuration"],
)
def test_what_cannot_be_served_is_told_in_one_line(arguments, told):
    ended = subprocess.run(
        [sys.executable, "-m", "specialist_agents", "mind", *arguments, "--port", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1

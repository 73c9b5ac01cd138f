"""The office as a user has it: the network that ships, as processes, and the command line."""

import json
import shutil
import signal
import subprocess
import sys

import pytest

from coordinator.cli.members import OFFICE, SAMPLE, free_ports, moved_cards

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]
DESK = SAMPLE / "office"
NAMES = ("letters", "mailer")


@pytest.fixture
def url(tmp_path):
    """The coordinator of `network --office`, on free ports, with two of the agents: each takes its time to start."""
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    for name in NAMES:
        shutil.copy(OFFICE.cards / f"{name}.json", chosen)
    port, *others = free_ports(1 + len(NAMES))
    moved_cards(tmp_path / "cards", dict(zip(NAMES, others, strict=True)), chosen)
    options = ["--office", "--port", str(port), "--cards", str(tmp_path / "cards"), "--db", "memory"]
    command = [sys.executable, "-m", "coordinator.cli", "network", *options]
    network = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with network:
        try:
            told = iter(network.stdout.readline, "")
            assert any(line.startswith("try: coordinator") and "draft.md" in line for line in told), "it did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            network.send_signal(signal.SIGINT)
            network.communicate()


def test_a_campaign_is_tried_out_from_the_command_line_with_the_files_that_ship(url):
    options = ["--plan", "campaign", "--parameter", "campaign=spring", "--json"]
    files = ["--file", str(DESK / "template.txt"), "--file", str(DESK / "customers.csv")]
    command = [sys.executable, "-m", "coordinator.cli", "--server", url, "send", "", *options, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    delivery = json.loads(done.stdout)["artifacts"][0]["parts"][0]["data"]
    assert [one["item"]["outcome"] for one in delivery["items"]] == ["not-sent", *["dry-run"] * 5]

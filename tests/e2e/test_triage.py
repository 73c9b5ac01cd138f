"""Mail triage as a user has it: the network that ships, as processes, and the command line."""

import json
import signal
import subprocess
import sys

import pytest

from coordinator.cli.members import MAIL, SAMPLE, free_ports, moved_cards, read_cards

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]


@pytest.fixture
def url(tmp_path):
    """The coordinator of `network --mail`, on free ports."""
    names = [card.name for card in read_cards(MAIL.cards)]
    port, *others = free_ports(len(names) + 1)
    moved_cards(tmp_path / "cards", dict(zip(names, others, strict=True)), MAIL.cards)
    options = ["--mail", "--port", str(port), "--cards", str(tmp_path / "cards"), "--db", "memory"]
    command = [sys.executable, "-m", "coordinator.cli", "network", *options]
    network = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with network:
        try:
            told = iter(network.stdout.readline, "")
            assert any(line.startswith("try: coordinator") and " triage " in line for line in told), "it did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            network.send_signal(signal.SIGINT)
            network.communicate()


def triage(url, *arguments):
    command = [sys.executable, "-m", "coordinator.cli", "--server", url, "triage", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_mails_that_ship_are_sorted_and_so_is_a_folder_of_ones_own(url, tmp_path):
    done = triage(url, SAMPLE / "mails.mbox", "--format", "json")
    assert done.returncode == 0, done.stderr
    queue = json.loads(done.stdout)
    assert [mail["rank"] for mail in queue["mails"]] == list(range(1, 201))
    assert {mail["mail"] for mail in queue["mails"]} == {f"{number:04}.eml" for number in range(1, 201)}
    assert {entry["kind"] for entry in queue["attachments"]} == {"text", "table", "pdf", "unread"}

    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "calm.eml").write_text("From: a@example.org\nSubject: Lunch?\n\nWhen?\n")
    (folder / "hot.eml").write_text("From: b@example.org\nSubject: URGENT: the shop is down\n\nNow!\n")
    done = triage(url, folder)
    assert done.returncode == 0, done.stderr
    assert "2 mails: 1 critical, 1 normal" in done.stdout
    assert done.stdout.index("the shop is down") < done.stdout.index("Lunch?")

"""Research as a user has it: the network that ships, as processes, and the command line."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.cli.members import RESEARCH, free_ports, moved_cards, read_cards
from tests.research.repositories import AGENTS, made

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def url(tmp_path):
    """The coordinator of `network --research`, on free ports."""
    port, *others = free_ports(6)
    names = [card.name for card in read_cards(RESEARCH.cards)]
    moved_cards(tmp_path / "cards", dict(zip(names, others, strict=True)), RESEARCH.cards)
    options = ["--research", "--port", str(port), "--cards", str(tmp_path / "cards"), "--db", "memory"]
    command = [sys.executable, "-m", "coordinator.cli", "network", *options]
    network = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with network:
        try:
            told = iter(network.stdout.readline, "")
            assert any(line.startswith("try: coordinator") and " research " in line for line in told), (
                "it did not start"
            )
            yield f"http://127.0.0.1:{port}"
        finally:
            network.send_signal(signal.SIGINT)
            network.communicate()


def research(url, *arguments):
    command = [sys.executable, "-m", "coordinator.cli", "--server", url, "research", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_question_is_answered_with_citations_from_a_small_repository_and_from_this_project(url, tmp_path):
    shop = made(tmp_path / "shop")
    done = research(url, "How is the tax_rate of the total applied?", shop)
    assert done.returncode == 0, done.stderr
    assert "8 files" in done.stderr
    assert "with 2 commits" in done.stderr
    assert "plan research: complete, 5 of 5 branches succeeded" in done.stdout
    for place in ("shop/basket.py:7", "tests/test_basket.py:4", "README.md:5", "commit "):
        assert place in done.stdout

    done = research(url, "Where do near-duplicate findings get joined?", ROOT, "--format", "json")
    assert done.returncode == 0, done.stderr
    passages = json.loads(done.stdout)["passages"]
    assert [passage["rank"] for passage in passages] == list(range(1, len(passages) + 1))
    assert {"source", "documentation", "test"} <= {passage["kind"] for passage in passages}
    assert {agent for passage in passages for agent in passage["foundBy"]} <= set(AGENTS)
    assert any(passage["citation"].startswith("coordinator/core/merging/") for passage in passages[:20])
    for passage in passages:
        if "path" in passage:
            assert passage["line"] <= len((ROOT / passage["path"]).read_text(encoding="utf-8").splitlines())

    done = research(url, "tax", shop, "--dry-run")
    assert "to 5 branches" in done.stdout

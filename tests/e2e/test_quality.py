"""How good a review is, with the real reviewers: what it finds of the corpus, and what it holds against clean code."""

import json

import pytest
import yaml

from coordinator.config import PLANS
from tests.benchmarks.scoring import CORPUS, read_corpus, score
from tests.documents.sarif import complaints

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]


@pytest.fixture
def items(network):
    """The merged report about the corpus, from confidence 80."""
    plan = yaml.safe_load((PLANS / "code-review.yaml").read_text())
    plan["stages"]["review"]["merge"] = {"strategy": "findings", "min_confidence": 80}
    (network.plans / "sure.yaml").write_text(yaml.safe_dump(plan))
    for name in ("lint", "security", "complexity", "deadcode", "types"):
        network.specialist(name)
    network.coordinator("--plans", str(network.plans))
    status, answer = network.review(CORPUS)
    assert status == 0
    return [item for artifact in answer["artifacts"] for part in artifact["parts"] for item in part_items(part)]


def part_items(part):
    return part.get("data", {}).get("items", [])


def test_of_forty_defects_at_least_36_are_reported_and_of_forty_decoys_at_most_two(items):
    corpus = read_corpus()
    result = score(corpus, items)
    assert result.planted >= 40
    assert result.recall >= 0.9, f"missed: {result.missed}"
    assert len(result.decoys) <= 2, f"false alarms: {result.decoys}"
    # Whatever is said of other statements is a false alarm, too.
    assert result.wrong == len(result.decoys)
    # A defect was seen by a tool that is meant to see it, not by accident.
    for label in corpus.defects:
        tools = {source["tool"]["name"] for item in items if label.is_meant_by(item) for source in item["sources"]}
        assert tools <= set(label.tools), label


def test_the_review_written_as_sarif_is_valid_and_names_every_tool(network, tmp_path):
    for name in ("lint", "security", "complexity", "deadcode", "types"):
        network.specialist(name)
    network.coordinator()
    done = network.run("review", str(CORPUS), "--format", "sarif", "--output", str(tmp_path / "report.sarif"))
    assert done.returncode == 0, done.stderr
    log = json.loads((tmp_path / "report.sarif").read_text())
    assert complaints(log) == []
    tools = [tool["name"] for tool in log["runs"][0]["tool"]["extensions"]]
    assert tools == ["bandit", "mypy", "radon", "ruff", "vulture"]
    assert all(result["locations"] for result in log["runs"][0]["results"])

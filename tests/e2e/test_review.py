"""The main job with the real reviewers, every one of them a process of its own."""

import asyncio
import json
import sqlite3
from pathlib import Path

import a2a
import pytest
import yaml

from coordinator.config import PLANS
from coordinator.core.extension import PROGRESS
from tests.protocol.clients import calling, metadata_of

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

MULTI_LINE_SHELL = """import subprocess


def run(name):
    return subprocess.run(
        f"ls {name}",
        check=True,
        shell=True,
    )
"""
PARENTHESISED_IMPORT = """from collections import (
    OrderedDict,
    defaultdict,
)

print(defaultdict(list))
"""


def report_of(answer):
    (artifact,) = answer["artifacts"]
    documents = [part["data"] for part in artifact["parts"] if "data" in part]
    return [item for document in documents for item in document["items"]]


def without_ids(answer):
    """Return the report as bytes, without what differs by nature: ids."""
    items = report_of(answer)
    for item in items:
        for source in item["sources"]:
            del source["taskId"]
    return json.dumps(items, sort_keys=True).encode()


def branch_outcomes(answer):
    return {branch["agent"]: branch["outcome"] for branch in answer["run"]["branches"]}


def test_what_two_tools_see_in_different_lines_and_words_appears_once_with_two_votes(network, tmp_path):
    for name in ("lint", "security", "deadcode"):
        network.specialist(name)
    network.coordinator()
    code = tmp_path / "code"
    code.mkdir()
    (code / "shell.py").write_text(MULTI_LINE_SHELL)
    (code / "names.py").write_text(PARENTHESISED_IMPORT)
    status, answer = network.review(code)
    assert status == 0
    by_kind = {}
    for item in report_of(answer):
        by_kind.setdefault(item["kind"], []).append(item)
    (shell,) = by_kind["shell-injection"]
    (unused,) = by_kind["unused-import"]
    assert (shell["votes"], {source["agent"] for source in shell["sources"]}) == (2, {"lint", "security"})
    assert (unused["votes"], {source["agent"] for source in unused["sources"]}) == (2, {"lint", "deadcode"})


def test_a_stopped_specialist_makes_the_report_partial_and_is_named(network):
    for name in ("lint", "security", "complexity"):
        network.specialist(name)
    network.kill("security")
    network.coordinator()
    status, answer = network.review(Path("coordinator/sample"))
    assert status == 3
    assert answer["state"] == "TASK_STATE_COMPLETED"
    assert answer["run"]["verdict"] == "partial"
    assert branch_outcomes(answer) == {"lint": "succeeded", "security": "failed", "complexity": "succeeded"}
    (dead,) = [branch for branch in answer["run"]["branches"] if branch["agent"] == "security"]
    assert dead["error"]["kind"] == "unreachable"
    assert "Partial result: 2 of 3" in answer["artifacts"][0]["description"]
    plain = network.run("review", "coordinator/sample")
    assert plain.returncode == 3
    assert "security" in plain.stdout
    assert "Connection refused" in plain.stdout


def test_with_need_all_it_fails_and_what_finished_stays_readable(network):
    plan = yaml.safe_load((PLANS / "code-review.yaml").read_text())
    plan["stages"]["review"]["barrier"] = {"release": "settled", "need": "all"}
    plan["stages"]["review"]["on_failure"] = {"exhausted": "count"}
    (network.plans / "strict.yaml").write_text(yaml.safe_dump(plan))
    for name in ("lint", "security"):
        network.specialist(name)
    network.kill("security")
    network.coordinator("--plans", str(network.plans))
    status, answer = network.review(Path("coordinator/sample"))
    assert (status, answer["state"]) == (4, "TASK_STATE_FAILED")
    (kept,) = answer["artifacts"]
    assert kept["artifactId"] == "review/lint/findings"
    assert kept["parts"][0]["data"]["findings"]
    shown = network.run("show", answer["taskId"][:8], "--json")
    assert json.loads(shown.stdout)["artifacts"] == answer["artifacts"]


def test_an_installed_package_is_reviewed_and_again_with_the_same_bytes(network):
    for name in ("lint", "security", "complexity", "deadcode", "types"):
        network.specialist(name)
    network.coordinator()
    package = Path(a2a.__file__).parent
    lines = sum(file.read_bytes().count(b"\n") for file in package.rglob("*.py"))
    assert lines >= 25_000
    first_status, first = network.review(package)
    second_status, second = network.review(package)
    assert (first_status, second_status) == (0, 0)
    assert len(report_of(first)) > 500
    assert without_ids(first) == without_ids(second)


async def until_working(url, task_id, agent):
    """Return as soon as the task's progress says that *agent* has begun."""
    async with calling(url, "JSONRPC") as caller:
        async for event in caller.subscribe(task_id):
            branches = metadata_of(event.status_update).get(PROGRESS, {}).get("branches", ())
            if any((branch["agent"], branch["state"]) == (agent, "working") for branch in branches):
                return


def test_a_coordinator_killed_in_the_middle_goes_on_and_nobody_gets_the_work_twice(network):
    for name in ("lint", "types"):
        network.specialist(name)
    network.coordinator()
    # The type checker takes seconds for a whole package: the kill comes while it works.
    detached = network.run("review", str(Path(a2a.__file__).parent), "--detach", "--json")
    task_id = json.loads(detached.stdout)["taskId"]
    asyncio.run(until_working(network.url, task_id, "types"))
    network.kill("coordinator")
    network.coordinator()
    done = network.run("watch", task_id, "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["state"]) == (0, "TASK_STATE_COMPLETED")
    assert [branch["attempts"] for branch in answer["run"]["branches"]] == [1, 1]
    done_by = {name: (network.folder / f"{name}.log").read_text().count("review done") for name in ("lint", "types")}
    assert done_by == {"lint": 1, "types": 1}
    with sqlite3.connect(f"file:{network.db}?mode=ro", uri=True) as database:
        (epoch,) = database.execute("select epoch from head").fetchone()
    assert epoch == 2

"""How good the reports are: the corpus through the five reviewers and the coordinator, all of them processes.

Three plans over the same files: what the tools said, every word of it; what is left when the same thing is told once;
and what of that has a confidence of 80 or more.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from coordinator.cli.members import coordinator_url, free_ports, members, moved_cards, read_cards
from coordinator.cli.network import Network, wait_until_ready
from coordinator.config import PLANS
from tests.benchmarks.report import Figure
from tests.benchmarks.scoring import CORPUS, Score, read_corpus, score

THRESHOLD = 80
STEPS = {
    "before merging": {"strategy": "concat"},
    "after merging": {"strategy": "findings"},
    f"from confidence {THRESHOLD}": {"strategy": "findings", "min_confidence": THRESHOLD},
}
SOUGHT = {"recall": ">= 36 of 40", "decoys": "<= 2 of 40"}
"""What the project promises of the last step."""


async def run(*, quick: bool) -> list[Figure]:
    """Return precision and recall of each step, and the decoys that were reported."""
    scores = await asyncio.to_thread(_scores)
    last = list(STEPS)[-1]
    return [figure for step, it in scores.items() for figure in _figures(step, it, SOUGHT if step == last else {})]


def _figures(step: str, it: Score, sought: dict[str, str]) -> list[Figure]:
    right = f"precision {step} ({it.judged - it.wrong} of {it.judged} findings of the corpus' kinds)"
    return [
        Figure("quality", right, it.precision, ""),
        Figure("quality", f"recall {step} ({it.found} of {it.planted})", it.recall, "", sought.get("recall", "")),
        Figure("quality", f"decoys reported {step}", len(it.decoys), "", sought.get("decoys", "")),
    ]


def _scores() -> dict[str, Score]:
    corpus = read_corpus()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        plans = _written(here / "plans")
        *ports, port = free_ports(len(names := [card.name for card in read_cards()]) + 1)
        cards = moved_cards(here / "cards", dict(zip(names, ports, strict=True)))
        *specialists, coordinator = members(cards, here / "cards", port, "memory")
        coordinator = dataclasses.replace(coordinator, command=[*coordinator.command, *_plans(here / "plans")])
        with Network([*specialists, coordinator], here) as network:
            wait_until_ready(network, lambda _: None)
            return {step: score(corpus, _findings(port, plan)) for step, plan in plans.items()}


def _plans(folder: Path) -> list[str]:
    return ["--plans", str(PLANS), "--plans", str(folder)]


def _written(folder: Path) -> dict[str, str]:
    """Write a plan for each step, the shipped one with another merge, and return their names."""
    folder.mkdir()
    names = {}
    for number, (step, merge) in enumerate(STEPS.items()):
        plan = yaml.safe_load((PLANS / "code-review.yaml").read_text(encoding="utf-8"))
        plan["name"] = names[step] = f"step-{number}"
        plan["stages"]["review"]["merge"] = merge
        plan["stages"]["review"]["barrier"] = {"need": "all"}
        (folder / f"step-{number}.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    return names


def _findings(port: int, plan: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "coordinator.cli", "--server", coordinator_url(port)]
    command += ["review", str(CORPUS), "--plan", plan, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [finding for artifact in json.loads(done.stdout)["artifacts"] for finding in _told(artifact)]


def _told(artifact: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for part in artifact["parts"]:
        if document := part.get("data"):
            yield from document.get("items", document.get("findings", []))

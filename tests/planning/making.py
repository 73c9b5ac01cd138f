"""What the tests of planning are made of: plans, agents, parts and splits, with everything optional left out."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from coordinator.core.model import AgentRef, Part
from coordinator.planning import AgentCandidate, PlanFile, load_plans

Document = dict[str, Any]


def a_stage(**fan_out: Any) -> Document:
    """Return a stage that asks everybody who can review, unless told otherwise."""
    return {"fan_out": {"to": {"skill": "review"}} | fan_out}


def a_plan(stages: Mapping[str, Document] | None = None, **fields: Any) -> Document:
    """Return a plan of *stages*, a single one named `only` if there are none."""
    return {"name": "a-plan", "description": "A plan.", "stages": dict(stages or {"only": a_stage()})} | fields


def loaded(tmp_path: Path, document: object) -> PlanFile:
    """Return the plan in a file that holds *document*, a mapping or the text itself."""
    file = tmp_path / "plan.yaml"
    file.write_text(document if isinstance(document, str) else yaml.safe_dump(document), encoding="utf-8")
    return load_plans([file])["a-plan"]


def plan(stages: Mapping[str, Document] | None = None, **fields: Any) -> PlanFile:
    """Return a checked plan without a file."""
    return PlanFile.model_validate(a_plan(stages, **fields))


def an_agent(name: str, *skills: str) -> AgentRef:
    """Return an agent."""
    return AgentRef(name, f"http://{name}.example/", skills=skills)


def candidate(name: str, *, skills: Iterable[str] = (), tags: Iterable[str] = (), lacking: str = "") -> AgentCandidate:
    """Return an agent as the directory knows it."""
    return AgentCandidate(an_agent(name, *skills), frozenset(tags), lacking)


def text(words: str, filename: str = "") -> Part:
    """Return a text part; with a file name it is a file."""
    return Part("text", words, "text/plain", filename)


def files(*names: str) -> list[Part]:
    """Return one small file for each name."""
    return [Part("raw", name.encode(), "application/octet-stream", name) for name in names]


def data(document: object) -> Part:
    """Return a data part."""
    return Part("data", document, "application/json")

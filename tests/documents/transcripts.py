"""Transcripts of merges for the documents: real conversations over sockets, ids and times left out.

python -m tests.documents.transcripts > docs/transcripts.md
"""

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from a2a.types import a2a_pb2 as a2a

from coordinator import testing
from coordinator.testing import Behaviour, Specialist, answers
from coordinator.wire import content_in
from tests.escalation.rig import answering, asking, reply, state
from tests.patterns.rig import shipped
from tests.planning.making import Document
from tests.policies.rig import coordinating
from tests.protocol.clients import message

HEAD = """# Transcripts

Conversations with a coordinator, made by running them: `python -m tests.documents.transcripts` writes this page, and a
test compares it with what happens. Ids and times are left out; the agents are stand-ins that say what is shown.
"""


@dataclass(frozen=True)
class Scene:
    """One conversation: who there is, the plan, what the client sends."""

    title: str
    about: str
    staff: Sequence[Specialist]
    plan: Document
    sends: Sequence[str]


def says(name: str, text: str) -> Specialist:
    """Return an agent that answers with a text."""
    return Specialist(name, Behaviour(artifacts=(answers.text(text),)))


def states(name: str, **data: Any) -> Specialist:
    """Return an agent that answers with data."""
    return Specialist(name, Behaviour(artifacts=({"artifactId": "a", "parts": [{"data": data}]},)))


def plan(name: str, agents: Sequence[str], merge: Any, **stage: Any) -> Document:
    """Return a plan of one stage."""
    only = {"fan_out": {"to": {"agents": list(agents)}}, "merge": merge, **stage}
    return {"name": name, "description": f"{name.capitalize()}.", "stages": {"ask": only}}


PERSPECTIVES = (
    says("legal", "The liability clause is one-sided."),
    says("technical", "The interface is not specified."),
    says("financial", "The price has no ceiling."),
)
SCENES = (
    Scene(
        "Several perspectives on one document",
        "The same document goes to three agents; the answer holds each of theirs under its name.",
        PERSPECTIVES,
        plan("perspectives", ("legal", "technical", "financial"), "by_agent"),
        ("What do you think of this contract?",),
    ),
    Scene(
        "An ensemble that votes",
        "Three agents classify the same text; the majority counts, and the votes are told.",
        (
            states("ada", label="spam", confidence=70),
            states("bob", label="spam", confidence=60),
            states("eve", label="ham", confidence=95),
        ),
        plan("ensemble", ("ada", "bob", "eve"), {"strategy": "vote", "field": "label"}),
        ("Win a prize now!",),
    ),
    Scene(
        "A contradiction the client settles",
        "Two agents judge the same thing differently. The task asks; an answer in plain text settles it.",
        (
            states("ada", items=[{"id": "login", "text": "No rate limit at the login", "severity": "high"}]),
            states("bob", items=[{"id": "login", "text": "No rate limit at the login", "severity": "low"}]),
        ),
        plan("judge", ("ada", "bob"), {"strategy": "items", "conflicts": "escalate"}),
        ("How bad is it?", "bob is right", "trust bob"),
    ),
    Scene(
        "A synthesis whose writer is dead",
        "A further agent was to write one answer from three; it fails, so the material itself is the answer.",
        (*PERSPECTIVES, Specialist("writer", Behaviour(end="failed", end_text="out of ink"))),
        plan(
            "synthesis",
            ("legal", "technical", "financial"),
            {"strategy": "synthesize", "agent": "writer"},
        ),
        ("What do you think of this contract?",),
    ),
    Scene(
        "Keyed state",
        "A pattern that ships: each answer under the key of its agent.",
        (
            says("finance", "It costs 900 euros a month."),
            says("legal", "Nobody is liable for a delay."),
            says("researcher", "Three sources say the demand grows."),
        ),
        shipped("keyed-state"),
        ("Shall we do it?",),
    ),
    Scene(
        "Approval before an action",
        "A pattern that ships: nothing is sent before somebody has said yes.",
        (
            says("writer", "Dear customer, the pump comes on Monday."),
            asking("approver", "May this be sent?", answering("approver")),
            says("sender", "sent"),
        ),
        shipped("approval"),
        ("Write to the customer.", "yes"),
    ),
)


async def transcript(scene: Scene, folder: Path) -> str:
    """Return a scene as Markdown, played over sockets."""
    lines = [f"## {scene.title}", "", scene.about, "", "```yaml", yaml.safe_dump(scene.plan, sort_keys=False).rstrip()]
    lines += ["```", "", "```text"]
    async with testing.fleet(scene.staff) as fleet, coordinating(folder, fleet, scene.plan) as it:
        task: a2a.Task | None = None
        for words in scene.sends:
            sent = reply(task, words) if task else message(words)
            task = await it.caller.send(sent)
            lines += [f"client      | {words}", *told(task)]
    return "\n".join([*lines, "```", ""])


def told(task: a2a.Task) -> list[str]:
    """Return what a client sees of a task."""
    lines = [f"coordinator | {state(task)}"]
    for part in task.status.message.parts:
        lines += [f"            | {line}".rstrip() for line in _timeless(part.text).splitlines()]
    for artifact in task.artifacts:
        described = f" ({artifact.description})" if artifact.description else ""
        lines.append(f"            | artifact {artifact.name}{described}")
        for part in artifact.parts:
            content = content_in(part).content
            text = content if isinstance(content, str) else _written(content)
            lines += [f"            |   {line}".rstrip() for line in text.splitlines()]
    return lines


def _written(content: Any) -> str:
    return json.dumps(_known(content), indent=2, ensure_ascii=False, sort_keys=True)


def _timeless(text: str) -> str:
    return re.sub(r"by \S+Z", "by <time>", text)


def _known(value: Any) -> Any:
    """Return data without ids, which differ from run to run."""
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items() if key not in {"taskId", "artifactId"}}
    return [_known(item) for item in value] if isinstance(value, list) else value


async def page() -> AsyncIterator[str]:
    """Yield the page, piece by piece."""
    yield HEAD
    with tempfile.TemporaryDirectory() as folder:
        for scene in SCENES:
            yield await transcript(scene, Path(folder))


async def main() -> None:
    """Print the page."""
    sys.stdout.write("\n".join([piece async for piece in page()]))


if __name__ == "__main__":
    asyncio.run(main())

"""Whole coordinators in front of a fleet, for the tests of plans: one line starts one, one line asks it."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import A2AError, UnsupportedOperationError

from coordinator.app import assembled
from coordinator.config import Settings
from coordinator.core.extension import PROGRESS, RUN, URI
from coordinator.outbound import Patience
from coordinator.testing import Behaviour, Fleet, answers
from coordinator.testing.agent import Agent
from coordinator.testing.server import listener, serving
from coordinator.testing.tasks import Performance
from coordinator.wire import content_in, content_out
from tests.planning.making import Document, Part, text
from tests.protocol.clients import Caller, calling, message, metadata_of

AT_ONCE = Patience(progress_s=0.0)
"""Every word of a specialist becomes a fact at once."""

Watch = Callable[[Mapping[str, Any]], None]
"""Is told every progress snapshot of a stream."""


@dataclass
class Answer:
    """What came of one message: a task, or the refusal of it."""

    task: a2a.Task = field(default_factory=a2a.Task)
    refusal: str = ""
    chunks: list[a2a.TaskArtifactUpdateEvent] = field(default_factory=list)  #: as the stream told them

    @property
    def state(self) -> str:
        """The state of the task in a word; a refused message has none."""
        return a2a.TaskState.Name(self.task.status.state).removeprefix("TASK_STATE_") if not self.refusal else "refused"

    @property
    def record(self) -> dict[str, Any]:
        """The run record."""
        return dict(metadata_of(self.task)[RUN])

    @property
    def reason(self) -> str:
        """Why the task ended as it did."""
        return str(self.record["reason"])

    @property
    def branches(self) -> dict[str, dict[str, Any]]:
        """The branches of the run record by id."""
        return {branch["id"]: branch for branch in self.record["branches"]}

    @property
    def outcomes(self) -> dict[str, str]:
        """What became of each branch."""
        return {name: branch["outcome"] for name, branch in self.branches.items()}

    @property
    def parts(self) -> list[Any]:
        """The content of every part of every artifact."""
        return [content_in(part).content for artifact in self.task.artifacts for part in artifact.parts]


@dataclass
class Coordinator:
    """A running coordinator as a client sees it."""

    url: str
    caller: Caller

    async def ask(
        self,
        *parts: Part,
        asked: Mapping[str, Any] | None = None,
        watch: Watch | None = None,
        plan: str = "",
        to_the_end: bool = False,
    ) -> Answer:
        """Send a message and stay with it to the end of its stream; *watch* sees the progress.

        With *to_the_end* questions are waited out as well.
        """
        told = dict(asked or {}) | ({"plan": plan} if plan else {})
        chunks: list[a2a.TaskArtifactUpdateEvent] = []
        sent = message(parts=[content_out(part) for part in parts or (text("hello"),)], metadata={URI: told})
        try:
            async for event in self.caller.stream(sent, return_immediately=False):
                if event.HasField("artifact_update"):
                    chunks.append(event.artifact_update)
                progress = metadata_of(event.status_update).get(PROGRESS) if event.HasField("status_update") else None
                if progress and watch:
                    watch(progress)
                task_id = event.task.id or event.status_update.task_id or event.artifact_update.task_id
        except A2AError as error:
            return Answer(refusal=f"{error} {getattr(error, 'data', None)}")
        task = await self.caller.get(task_id)
        if to_the_end and Answer(task).state == "INPUT_REQUIRED":
            with suppress(UnsupportedOperationError):  # it is over already
                async for _ in self.caller.subscribe(task_id):
                    pass
            task = await self.caller.get(task_id)
        return Answer(task, chunks=chunks)


@asynccontextmanager
async def coordinating(
    folder: Path,
    fleet: Fleet,
    *plans: Document,
    patience: Patience | None = None,
    headers: Mapping[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[Coordinator]:
    """Serve a coordinator that knows *plans*, the first one is the default, and the agents of *fleet*.

    *settings* go before those it is given otherwise; *headers* are the client's. When the block ends nothing is left
    open: every cancel has been answered.
    """
    place = folder / uuid.uuid4().hex
    place.mkdir()
    for number, plan in enumerate(plans):
        (place / f"{number}.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    opened = listener()
    known = {
        "db": "memory",
        "plans": (str(place),),
        "default_plan": plans[0]["name"],
        "agents": (str(fleet.write_cards(place / "cards")),),
    }
    configured = Settings(port=opened.getsockname()[1], **(known | settings))
    with opened:
        async with (
            assembled(configured, patience or AT_ONCE) as app,
            serving(app, opened),
            calling(configured.url, "JSONRPC", headers) as caller,
        ):
            yield Coordinator(configured.url, caller)


def settled(progress: Mapping[str, Any]) -> int:
    """Return how many branches have their outcome."""
    tally = progress["tally"]
    return int(tally["total"] - tally["open"])


def release(fleet: Fleet) -> None:
    """Let everybody go on who is held."""
    for agent in fleet.agents.values():
        agent.release()


def given(fleet: Fleet, *agents: str) -> list[list[Any]]:
    """Return the content of the parts of every message the *agents*, or all of them, were sent, in order."""
    sends = [received for received in fleet.ledger.journal if received.operation == "send"]
    wanted = [received.params["message"]["parts"] for received in sends if not agents or received.agent in agents]
    return [[_content(part) for part in parts] for parts in wanted]


def _content(part: Mapping[str, Any]) -> Any:
    return part.get("filename") or part.get("text") or part.get("data")


def echo(agents: Iterable[Agent]) -> None:
    """Make *agents* answer with the parts they are sent."""
    for agent in agents:
        _echo(agent)


def _echo(agent: Agent) -> None:
    create = agent.create

    def echoing(sent: dict[str, Any], performance: Performance) -> Any:
        artifact = {"artifactId": "echo", "parts": sent["parts"]}
        behaviour = replace(performance.behaviour, artifacts=(artifact,))
        return create(sent, Performance(behaviour, performance.rng))

    agent.create = echoing  # type: ignore[method-assign]


def told(*words: str, **behaviour: Any) -> Behaviour:
    """Return a behaviour that answers with *words*."""
    return Behaviour(artifacts=(answers.text(*words),), **behaviour)

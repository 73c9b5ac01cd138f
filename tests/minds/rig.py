"""One mind before a stand-in endpoint, and what comes of a message to it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from a2a.client import Client
from a2a.types.a2a_pb2 import Message, Part, Role, StreamResponse, Task, TaskState
from google.protobuf.json_format import MessageToDict

from specialist_agents.minds.stand_in import StandIn
from specialist_agents.minds.testing import configured, standing_in, thinking
from specialist_agents.testing import connected, send, task_of

CONTRACT = "# Contract\n\nThe supplier answers within 4 hours.\n\nThe customer pays 900 euros a month.\n"


def text(words: str, name: str = "") -> Part:
    return Part(text=words, filename=name, media_type="text/markdown")


def message(*parts: Part) -> Message:
    return Message(message_id=str(uuid4()), role=Role.ROLE_USER, parts=parts or (text(CONTRACT, "contract.md"),))


@dataclass
class Came:
    """What came of one message."""

    events: list[StreamResponse]
    task: Task

    @property
    def state(self) -> str:
        return TaskState.Name(self.task.status.state).removeprefix("TASK_STATE_")

    @property
    def words(self) -> str:
        """The final status message."""
        return " ".join(part.text for part in self.task.status.message.parts)

    @property
    def answer(self) -> list[str]:
        """The texts of the artifact as it stands at the end."""
        return [part.text for part in self.task.artifacts[0].parts]

    @property
    def metadata(self) -> dict[str, Any]:
        return MessageToDict(self.task.artifacts[0].metadata)

    @property
    def chunks(self) -> list[tuple[str, bool]]:
        """Text and append of every artifact update."""
        updates = [event.artifact_update for event in self.events if event.HasField("artifact_update")]
        return [("".join(part.text for part in update.artifact.parts), update.append) for update in updates]

    @property
    def progress(self) -> list[str]:
        told = [event.status_update.status.message.parts for event in self.events if event.HasField("status_update")]
        return [" ".join(part.text for part in parts) for parts in told if parts]


async def ask(client: Client, *parts: Part) -> Came:
    events = await send(client, message(*parts))
    task = task_of(events)
    whole = [event.artifact_update for event in events if event.HasField("artifact_update")]
    if whole and not whole[-1].append:
        del task.artifacts[:-1]  # it replaces the chunks
    return Came(events, task)


@asynccontextmanager
async def minded(
    stand_in: StandIn, name: str = "legal-view", agents: Mapping[str, Mapping[str, Any]] | None = None, **endpoint: Any
) -> AsyncIterator[Client]:
    """Yield a client of the agent *name*, whose endpoint is *stand_in*."""
    async with (
        standing_in(stand_in) as url,
        thinking(name, configured(url, agents, **endpoint)) as mind,
        connected(mind) as client,
    ):
        yield client

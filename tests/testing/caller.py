"""A client of one agent: the SDK's own, over loopback."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import httpx
from a2a.client import A2ACardResolver, Client, ClientCallContext, ClientConfig, ClientFactory
from a2a.types import a2a_pb2 as a2a

from coordinator.testing import Agent


@dataclass(frozen=True)
class Caller:
    """Talks to an agent; `streaming` False makes it call SendMessage."""

    client: Client
    blocking: Client

    @classmethod
    async def of(cls, agent: Agent, http: httpx.AsyncClient) -> Caller:
        card = await A2ACardResolver(http, agent.url).get_agent_card()
        # A client that was told to stream does so even where the card says no: some fleets lie.
        card.capabilities.streaming = True
        clients = (ClientFactory(ClientConfig(httpx_client=http, streaming=it)).create(card) for it in (True, False))
        return cls(*clients)

    async def events(
        self, words: str = "hello", *, message_id: str = "", task_id: str = "", key: str = ""
    ) -> AsyncGenerator[a2a.StreamResponse]:
        headers = {"Idempotency-Key": key} if key else {}
        context = ClientCallContext(service_parameters=headers)
        async for event in self.client.send_message(_request(words, message_id, task_id), context=context):
            yield event

    async def told(self, words: str = "hello", **more: str) -> list[str]:
        """Send, read the stream to its end, and return it in words."""
        return [in_words(event) async for event in self.events(words, **more)]

    async def task(self, *, message_id: str = "", task_id: str = "", at_once: bool = False) -> a2a.Task:
        """Send without streaming and return the task."""
        request = _request("hello", message_id, task_id)
        request.configuration.return_immediately = at_once
        (answer,) = [event async for event in self.blocking.send_message(request)]
        return answer.task

    async def get(self, task_id: str, history_length: int | None = None) -> a2a.Task:
        return await self.client.get_task(a2a.GetTaskRequest(id=task_id, history_length=history_length))

    async def cancel(self, task_id: str) -> a2a.Task:
        return await self.client.cancel_task(a2a.CancelTaskRequest(id=task_id))

    async def listed(self, **query: object) -> a2a.ListTasksResponse:
        return await self.client.list_tasks(a2a.ListTasksRequest(**query))

    async def attach(self, task_id: str) -> AsyncGenerator[str]:
        """Subscribe, and yield the stream in words."""
        async for event in self.client.subscribe(a2a.SubscribeToTaskRequest(id=task_id)):
            yield in_words(event)


def in_words(event: a2a.StreamResponse) -> str:
    """Return an event as a test reads it: `task submitted`, `working reading`, `chunk a b +`, `says done`."""
    match event.WhichOneof("payload"):
        case "task":
            return f"task {state(event.task)}"
        case "message":
            return f"says {words(event.message.parts)}"
        case "status_update":
            return f"{state(event.status_update)} {words(event.status_update.status.message.parts)}".strip()
        case _:
            update = event.artifact_update
            flags = ("+" if update.append else "") + ("." if update.last_chunk else "")
            return f"chunk {words(update.artifact.parts)} {flags}".strip()


def state(holder: a2a.Task | a2a.TaskStatusUpdateEvent) -> str:
    return a2a.TaskState.Name(holder.status.state).removeprefix("TASK_STATE_").lower()


def words(parts) -> str:
    return " ".join(part.text for part in parts)


def parts_of(task: a2a.Task) -> list[str]:
    return [part.text for artifact in task.artifacts for part in artifact.parts]


def _request(text: str, message_id: str, task_id: str) -> a2a.SendMessageRequest:
    message = a2a.Message(
        message_id=message_id or str(uuid.uuid4()),
        task_id=task_id,
        role=a2a.ROLE_USER,
        parts=[a2a.Part(text=text)],
    )
    return a2a.SendMessageRequest(message=message)

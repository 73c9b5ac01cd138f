"""The plain SDK client on one binding, and what tests write their messages with."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import httpx
from a2a.client import A2ACardResolver, Client, ClientCallContext, ClientConfig, ClientFactory
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import UnsupportedOperationError
from google.protobuf.json_format import MessageToDict

from coordinator.core.extension import URI
from coordinator.wire import struct_out

BINDINGS = ("JSONRPC", "HTTP+JSON")
CARD = "/.well-known/agent-card.json"
TIMEOUT_S = 30.0


def message(text: str = "hello", **fields: Any) -> a2a.Message:
    """Return a message with one text part."""
    parts = fields.pop("parts", [a2a.Part(text=text)])
    metadata = struct_out(fields.pop("metadata", {}))
    known = {"message_id": str(uuid4()), "role": a2a.ROLE_USER} | fields
    return a2a.Message(parts=parts, metadata=metadata, **known)


def asking_for(plan: str, text: str = "hello", **fields: Any) -> a2a.Message:
    """Return a message that names the plan it wants."""
    return message(text, metadata={URI: {"plan": plan}}, **fields)


def texts(holder: a2a.Task | a2a.TaskArtifactUpdateEvent) -> list[str]:
    """Return the text parts of all artifacts."""
    artifacts = holder.artifacts if isinstance(holder, a2a.Task) else [holder.artifact]
    return [part.text for artifact in artifacts for part in artifact.parts if part.text]


def metadata_of(holder: a2a.Task | a2a.TaskStatusUpdateEvent) -> dict[str, Any]:
    """Return the metadata as plain JSON."""
    return dict(MessageToDict(holder.metadata))


def kinds(events: list[a2a.StreamResponse]) -> list[str]:
    """Return what each event is."""
    return [str(event.WhichOneof("payload")) for event in events]


def states(events: list[a2a.StreamResponse]) -> list[str]:
    """Return every state a stream tells, without repetitions."""
    told: list[str] = []
    for event in events:
        holder = event.task if event.HasField("task") else event.status_update
        name = a2a.TaskState.Name(holder.status.state).removeprefix("TASK_STATE_")
        if event.WhichOneof("payload") in {"task", "status_update"} and told[-1:] != [name]:
            told.append(name)
    return told


def bare_http(**options: Any) -> httpx.AsyncClient:
    """Return an HTTP client for loopback: reading the certificates of the world costs more than a whole test."""
    return httpx.AsyncClient(timeout=TIMEOUT_S, verify=False, trust_env=False, **options)


class Caller:
    """One client of one endpoint; the methods are the protocol's operations."""

    def __init__(self, card: a2a.AgentCard, http: httpx.AsyncClient) -> None:
        bindings = [interface.protocol_binding for interface in card.supported_interfaces]
        self._streaming = self._client(card, http, bindings, is_streaming=True)
        self._plain = self._client(card, http, bindings, is_streaming=False)

    async def send(
        self, sent: a2a.Message | None = None, *, headers: Mapping[str, str] | None = None, **configuration: Any
    ) -> a2a.Task:
        """Send a message and return the task it became."""
        request = self._request(sent, configuration)
        events = [event async for event in self._plain.send_message(request, context=_context(headers))]
        return events[0].task

    async def answer(self, sent: a2a.Message | None = None, **configuration: Any) -> a2a.StreamResponse:
        """Send a message and return the answer, a Task or a Message."""
        events = [event async for event in self._plain.send_message(self._request(sent, configuration))]
        return events[0]

    async def stream(
        self, sent: a2a.Message | None = None, *, headers: Mapping[str, str] | None = None, **configuration: Any
    ) -> AsyncGenerator[a2a.StreamResponse]:
        """Send a message and yield what its stream tells."""
        request = self._request(sent, configuration)
        async with aclosing(self._streaming.send_message(request, context=_context(headers))) as events:
            async for event in events:
                yield event

    async def get(self, task_id: str, **fields: Any) -> a2a.Task:
        """Read a task."""
        return await self._plain.get_task(a2a.GetTaskRequest(id=task_id, **fields))

    async def tasks(self, **fields: Any) -> a2a.ListTasksResponse:
        """Read a page of tasks."""
        return await self._plain.list_tasks(a2a.ListTasksRequest(**fields))

    async def cancel(self, task_id: str) -> a2a.Task:
        """Cancel a task."""
        return await self._plain.cancel_task(a2a.CancelTaskRequest(id=task_id))

    async def subscribe(self, task_id: str) -> AsyncGenerator[a2a.StreamResponse]:
        """Attach to a task and yield what its stream tells."""
        async with aclosing(self._streaming.subscribe(a2a.SubscribeToTaskRequest(id=task_id))) as events:
            async for event in events:
                yield event

    async def end_of(self, task_id: str) -> a2a.Task:
        """Return the task once it is terminal; one that is already cannot be subscribed to (spec 3.1.6)."""
        with suppress(UnsupportedOperationError):
            await all_of(self.subscribe(task_id))
        return await self.get(task_id)

    async def set_push(
        self, task_id: str, url: str, config_id: str = "", **fields: Any
    ) -> a2a.TaskPushNotificationConfig:
        """Ask for pushes about a task."""
        config = a2a.TaskPushNotificationConfig(task_id=task_id, id=config_id, url=url, **fields)
        return await self._plain.create_task_push_notification_config(config)

    async def get_push(self, task_id: str, config_id: str) -> a2a.TaskPushNotificationConfig:
        """Read a push configuration."""
        request = a2a.GetTaskPushNotificationConfigRequest(task_id=task_id, id=config_id)
        return await self._plain.get_task_push_notification_config(request)

    async def pushes(self, task_id: str) -> list[a2a.TaskPushNotificationConfig]:
        """Read all push configurations of a task."""
        request = a2a.ListTaskPushNotificationConfigsRequest(task_id=task_id)
        return list((await self._plain.list_task_push_notification_configs(request)).configs)

    async def delete_push(self, task_id: str, config_id: str) -> None:
        """Ask for no more pushes."""
        request = a2a.DeleteTaskPushNotificationConfigRequest(task_id=task_id, id=config_id)
        await self._plain.delete_task_push_notification_config(request)

    @staticmethod
    def _client(card: a2a.AgentCard, http: httpx.AsyncClient, bindings: list[str], *, is_streaming: bool) -> Client:
        config = ClientConfig(httpx_client=http, streaming=is_streaming, supported_protocol_bindings=bindings)
        return ClientFactory(config).create(card)

    @staticmethod
    def _request(sent: a2a.Message | None, configuration: dict[str, Any]) -> a2a.SendMessageRequest:
        metadata = struct_out(configuration.pop("metadata", {}))
        return a2a.SendMessageRequest(
            message=sent or message(),
            configuration=a2a.SendMessageConfiguration(**configuration),
            metadata=metadata,
        )


async def all_of(stream: AsyncGenerator[a2a.StreamResponse]) -> list[a2a.StreamResponse]:
    """Read a stream to its end."""
    return [event async for event in stream]


OPERATIONS: Mapping[str, Callable[[Caller, str], Awaitable[Any]]] = {
    "get": lambda caller, task_id: caller.get(task_id),
    "cancel": lambda caller, task_id: caller.cancel(task_id),
    "subscribe": lambda caller, task_id: all_of(caller.subscribe(task_id)),
    "send": lambda caller, task_id: caller.send(message(task_id=task_id)),
    "stream": lambda caller, task_id: all_of(caller.stream(message(task_id=task_id))),
    "set push": lambda caller, task_id: caller.set_push(task_id, "http://127.0.0.1/never"),
    "get push": lambda caller, task_id: caller.get_push(task_id, "any"),
    "list pushes": lambda caller, task_id: caller.pushes(task_id),
    "delete push": lambda caller, task_id: caller.delete_push(task_id, "any"),
}
"""Everything one can do to a task one knows the id of."""


def _context(headers: Mapping[str, str] | None) -> ClientCallContext:
    return ClientCallContext(service_parameters=dict(headers or {}))


@asynccontextmanager
async def calling(url: str, binding: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Caller]:
    """Read the card below *url* and yield a client for its 1.0 interface of that binding."""
    async with bare_http(headers=headers) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        chosen = [
            interface
            for interface in card.supported_interfaces
            if (interface.protocol_binding, interface.protocol_version) == (binding, "1.0")
        ]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(chosen)
        yield Caller(card, http)

"""A client of protocol version 0.3, on its own SDK: runs in an environment of its own, not in pytest's.

    python v03_client.py URL JSONRPC|HTTP+JSON [TOKEN]

Reads one JSON command a line from standard input and answers each with lines of JSON: results,
or events, and at last `{"done": true}`. Whatever goes wrong is a result, too.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientError
from a2a.types import (
    AgentCard,
    GetTaskPushNotificationConfigParams,
    Message,
    Part,
    PushNotificationConfig,
    Role,
    Task,
    TaskArtifactUpdateEvent,
    TaskIdParams,
    TaskPushNotificationConfig,
    TaskQueryParams,
    TaskStatusUpdateEvent,
    TextPart,
)
from pydantic import BaseModel

Update = Task | Message | TaskStatusUpdateEvent | TaskArtifactUpdateEvent


class Commands:
    """What a command may be; each method yields the lines of its answer."""

    def __init__(self, card: AgentCard, http: httpx.AsyncClient, transport: str) -> None:
        self._card = card
        self._pushed = partial(_client, card, http, transport, streaming=False)
        self._streaming = _client(card, http, transport, streaming=True)
        self._plain = _client(card, http, transport, streaming=False)
        self._polling = _client(card, http, transport, streaming=False, polling=True)

    async def card(self) -> AsyncIterator[BaseModel]:
        """Show the card."""
        yield self._card

    async def send(self, **fields: Any) -> AsyncIterator[BaseModel]:
        """Send a message and wait for the end."""
        async for event in self._plain.send_message(_message(**fields)):
            yield _last(event)

    async def post(self, **fields: Any) -> AsyncIterator[BaseModel]:
        """Send a message without waiting."""
        async for event in self._polling.send_message(_message(**fields)):
            yield _last(event)

    async def stream(self, most: int = 1000, **fields: Any) -> AsyncIterator[BaseModel]:
        """Send a message and show what its stream tells, hanging up after *most* events."""
        async with aclosing(self._streaming.send_message(_message(**fields))) as events:
            async for event in events:
                yield _last(event)
                most -= 1
                if not most:
                    return

    async def resubscribe(self, id: str) -> AsyncIterator[BaseModel]:  # noqa: A002
        """Attach to a task and show what its stream tells."""
        async for event in self._streaming.resubscribe(TaskIdParams(id=id)):
            yield _last(event)

    async def get(self, id: str, history_length: int | None = None) -> AsyncIterator[BaseModel]:  # noqa: A002
        """Read a task."""
        yield await self._plain.get_task(TaskQueryParams(id=id, history_length=history_length))

    async def send_with_hook(self, url: str, token: str, **fields: Any) -> AsyncIterator[BaseModel]:
        """Send a message and have its task pushed to *url*."""
        client = self._pushed(push_notification_configs=[PushNotificationConfig(url=url, token=token)])
        async for event in client.send_message(_message(**fields)):
            yield _last(event)

    async def hook(self, id: str, url: str, token: str) -> AsyncIterator[BaseModel]:  # noqa: A002
        """Have a task pushed to *url* from now on."""
        config = PushNotificationConfig(url=url, token=token)
        yield await self._plain.set_task_callback(
            TaskPushNotificationConfig(task_id=id, push_notification_config=config)
        )

    async def hooked(self, id: str, hook: str) -> AsyncIterator[BaseModel]:  # noqa: A002
        """Read where a task is pushed to."""
        params = GetTaskPushNotificationConfigParams(id=id, push_notification_config_id=hook)
        yield await self._plain.get_task_callback(params)

    async def cancel(self, id: str) -> AsyncIterator[BaseModel]:  # noqa: A002
        """Cancel a task."""
        yield await self._plain.cancel_task(TaskIdParams(id=id))


def _client(card: AgentCard, http: httpx.AsyncClient, transport: str, **modes: Any) -> Client:
    config = ClientConfig(httpx_client=http, supported_transports=[transport], use_client_preference=True, **modes)
    return ClientFactory(config).create(card)


def _message(text: str = "hello", **fields: Any) -> Message:
    return Message(message_id=str(uuid4()), role=Role.user, parts=[Part(root=TextPart(text=text))], **fields)


def _last(event: Message | tuple[Task, Update | None]) -> BaseModel:
    """Return what the server sent last, not what the client made of it so far."""
    if isinstance(event, Message):
        return event
    task, update = event
    return task if update is None else update


def _tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def _answer(commands: Commands, command: dict[str, Any]) -> None:
    try:
        async for line in getattr(commands, command.pop("do"))(**command):
            _tell(line.model_dump(mode="json", by_alias=True, exclude_none=True))
    except (A2AClientError, httpx.HTTPError) as error:
        _tell({"error": str(error)})
    _tell({"done": True})


async def main(url: str, transport: str, token: str = "") -> None:
    """Take commands until there are no more."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(timeout=30.0, headers=headers, trust_env=False) as http:
        commands = Commands(await A2ACardResolver(http, url).get_agent_card(), http, transport)
        while line := await asyncio.to_thread(sys.stdin.readline):
            await _answer(commands, json.loads(line))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

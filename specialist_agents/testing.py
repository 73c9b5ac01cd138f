"""A reviewer inside a test: served over a loopback socket by the loop the test runs in.

It is the application that `python -m specialist_agents` serves, with the tool in a real child
process; only the process around it is missing.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import uvicorn
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.types.a2a_pb2 import Artifact, Message, Part, Role, SendMessageRequest, StreamResponse, Task
from google.protobuf.json_format import MessageToDict
from starlette.types import ASGIApp
from typing_extensions import override

from specialist_agents.app import create_app
from specialist_agents.cards import at_address, base_url, read_card
from specialist_agents.intake import MEDIA_TYPE
from specialist_agents.server import bound, settings
from specialist_agents.workshop import WORKER, Limits

_HOST = "127.0.0.1"
_CLIENT_TIMEOUT_S = 60.0


class _Server(uvicorn.Server):
    """uvicorn that says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def running(
    name: str, *, limits: Limits | None = None, worker: Sequence[str] = WORKER, folder: Path | None = None
) -> AsyncIterator[str]:
    """Serve one reviewer at a free port; yield its URL."""
    with bound(_HOST, 0) as listening:
        card = read_card(name)
        url = base_url(_HOST, listening.getsockname()[1], card)
        app = create_app(at_address(card, url), limits=limits, worker=worker, folder=folder)
        async with hosting(app, listening):
            yield url


@asynccontextmanager
async def hosting(app: ASGIApp, listening: socket.socket, *, lifespan: bool = True) -> AsyncIterator[None]:
    """Serve an application on a bound socket."""
    config = settings(app, grace_s=1)
    config.lifespan = "on" if lifespan else "off"
    server = _Server(config)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listening]))
        await server.ready.wait()
        try:
            yield
        finally:
            server.should_exit = True


@asynccontextmanager
async def connected(
    url: str, *, binding: str = "JSONRPC", version: str = "1.0", streaming: bool = True, polling: bool = False
) -> AsyncIterator[Client]:
    """Yield an SDK client for the agent at *url*, speaking one binding and version."""
    async with httpx.AsyncClient(timeout=_CLIENT_TIMEOUT_S) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        chosen = [
            interface
            for interface in card.supported_interfaces
            if (interface.protocol_binding, interface.protocol_version) == (binding, version)
        ]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(chosen)
        config = ClientConfig(
            streaming=streaming, polling=polling, httpx_client=http, supported_protocol_bindings=[binding]
        )
        yield ClientFactory(config).create(card)


def python_part(name: str, content: str | bytes) -> Part:
    """Return a file part with Python code."""
    raw = content.encode() if isinstance(content, str) else content
    return Part(raw=raw, filename=name, media_type=MEDIA_TYPE)


def message_of(files: Mapping[str, str | bytes], message_id: str | None = None) -> Message:
    """Return a message with these files."""
    parts = [python_part(name, content) for name, content in files.items()]
    return Message(message_id=message_id or str(uuid4()), role=Role.ROLE_USER, parts=parts)


async def send(client: Client, message: Message) -> list[StreamResponse]:
    """Send a message and return all that comes back, up to the end."""
    return [event async for event in client.send_message(SendMessageRequest(message=message))]


def task_of(events: Sequence[StreamResponse]) -> Task:
    """Fold what came back into the task as it stands at the end."""
    task = Task()
    for event in events:
        if event.HasField("task"):
            task.CopyFrom(event.task)
        elif event.HasField("status_update"):
            task.status.CopyFrom(event.status_update.status)
        elif event.artifact_update.append:
            task.artifacts[-1].parts.extend(event.artifact_update.artifact.parts)
        else:
            task.artifacts.append(event.artifact_update.artifact)
    return task


def findings_in(artifacts: Sequence[Artifact]) -> list[dict[str, Any]]:
    """Return the findings of all data parts, in order."""
    documents = [MessageToDict(part.data) for artifact in artifacts for part in artifact.parts]
    return [finding for document in documents for finding in document["findings"]]

"""The coordinator as its clients see it: an A2A agent, plus three small same-origin helpers.

An ordinary A2A client: it reads the card and talks to the interface named there. Here is the
only place that opens connections to a coordinator, and no state is kept between calls.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import SplitResult, quote, urlsplit

import httpx
from a2a.client import A2ACardResolver, Client, ClientCallContext, ClientConfig, ClientFactory
from a2a.client.service_parameters import ServiceParametersFactory, with_a2a_extensions
from a2a.types.a2a_pb2 import (
    AgentCard,
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)

from coordinator.cli.exits import Stop
from coordinator.cli.translate import stop_when_not_taken, translated
from coordinator.core.extension import URI

BINDING = "JSONRPC"
"""The one binding that is spoken; what a card says of others is nothing to us."""
DEFAULT_SERVER = "http://127.0.0.1:8420"
CONNECT_S = 5.0
ANSWER_S = 30.0
SILENCE_S = 90.0
"""A stream that brings nothing for so long, not even the server's keep-alive comment, is taken as cut."""
PAGE = 100
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Target:
    """Which coordinator to talk to, and as whom."""

    server: str
    token: str | None = field(default=None, repr=False)
    is_passing: bool = False  #: whether it ends with this command: nobody can be answered later

    @classmethod
    def of(cls, server: str, token: str | None = None) -> Target:
        """Return the target for what a user typed. Raises `Stop` when it is no HTTP address."""
        address = (server if "://" in server else f"http://{server}").rstrip("/")
        try:
            parts = urlsplit(address)
            _ = parts.port
            httpx.URL(address)
        except (ValueError, httpx.InvalidURL) as error:
            raise Stop(f"{server} is not an address: {error}") from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Stop(f"{server} is not an address; write for example {DEFAULT_SERVER}")
        return cls(address, token or None)

    @property
    def is_local(self) -> bool:
        """Whether the coordinator runs on this machine."""
        return urlsplit(self.server).hostname in LOOPBACK


@asynccontextmanager
async def connect(target: Target) -> AsyncIterator[Connection]:
    """Open a connection for the length of a block. Nothing is sent before the first call."""
    headers = {"Authorization": f"Bearer {target.token}"} if target.token else {}
    async with httpx.AsyncClient(
        headers=headers,
        event_hooks={"response": [stop_when_not_taken]},
        timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S, read=SILENCE_S),
        trust_env=not target.is_local,  # a proxy has no way to this machine
    ) as http:
        yield Connection(target, http)


class Connection:
    """What the commands ask of a coordinator; every failure is a `Stop` with a line for the user."""

    def __init__(self, target: Target, http: httpx.AsyncClient) -> None:
        self.target = target
        self._http = http
        self._card: AgentCard | None = None

    async def send(self, request: SendMessageRequest) -> AsyncGenerator[StreamResponse]:
        """Send a message and yield the stream that answers it."""
        with translated(self.target.server):
            client = await self._client(streaming=True)
            async with _closing(client.send_message(request, context=_activated())) as events:
                async for event in events:
                    yield event

    async def hand_over(self, request: SendMessageRequest) -> StreamResponse:
        """Send a message and return as soon as the coordinator has a task for it."""
        with translated(self.target.server):
            client = await self._client(streaming=False)
            async with _closing(client.send_message(request, context=_activated(ANSWER_S))) as answers:
                async for answer in answers:
                    return answer
        raise Stop(f"{self.target.server} answered with nothing")

    async def subscribe(self, task_id: str) -> AsyncGenerator[StreamResponse]:
        """Yield the task as it is, then its events."""
        with translated(self.target.server):
            client = await self._client(streaming=True)
            async with _closing(client.subscribe(SubscribeToTaskRequest(id=task_id), context=_activated())) as events:
                async for event in events:
                    yield event

    async def task(self, task_id: str) -> Task:
        """Return a task by its whole id."""
        with translated(self.target.server):
            client = await self._client(streaming=True)
            return await client.get_task(GetTaskRequest(id=task_id, history_length=0), context=_activated(ANSWER_S))

    async def cancel(self, task_id: str) -> Task:
        """Cancel a task and return it as it is then."""
        with translated(self.target.server):
            client = await self._client(streaming=True)
            return await client.cancel_task(CancelTaskRequest(id=task_id), context=_activated(ANSWER_S))

    async def tasks(self, state: TaskState = TaskState.TASK_STATE_UNSPECIFIED) -> AsyncGenerator[Task]:
        """Yield the tasks of this caller, newest first, without their artifacts."""
        request = ListTasksRequest(status=state, page_size=PAGE, history_length=0, include_artifacts=False)
        with translated(self.target.server):
            client = await self._client(streaming=True)
            while True:
                page = await client.list_tasks(request, context=_activated(ANSWER_S))
                for task in page.tasks:
                    yield task
                if not page.next_page_token:
                    return
                request.page_token = page.next_page_token

    async def agents(self) -> dict[str, Any]:
        """Return the specialists the coordinator knows as `agents`, and how busy it is as `load`."""
        return await self._helper("GET", "agents")

    async def plans(self) -> list[dict[str, Any]]:
        """Return the plans the coordinator offers."""
        return await self._list("plans")

    async def input_modes(self, plan: str) -> frozenset[str]:
        """Return the media types a plan takes; nothing where a server does not tell."""
        with translated(self.target.server):
            answer = await self._http.get(f"{self.target.server}/plans", timeout=ANSWER_S)
            if answer.status_code in {404, 405}:
                return frozenset()
            answer.raise_for_status()
            return frozenset(m for p in answer.json()["plans"] if p["name"] == plan for m in p.get("inputModes", ()))

    async def resolve(self, plan: str, limits: dict[str, Any]) -> dict[str, Any]:
        """Return which branches a plan would have now; nothing is sent to anybody."""
        return await self._helper("POST", f"plans/{quote(plan, safe='')}:resolve", json={"limits": limits})

    async def cancels(self, task_id: str) -> list[dict[str, Any]]:
        """Return what became of the cancels behind a task; nothing where a server does not tell."""
        with translated(self.target.server):
            url = f"{self.target.server}/tasks/{quote(task_id, safe='')}/cancels"
            answer = await self._http.get(url, timeout=ANSWER_S)
            if answer.status_code in {404, 405}:
                return []
            answer.raise_for_status()
            told: list[dict[str, Any]] = answer.json()["cancels"]
            return told

    async def _list(self, name: str) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = (await self._helper("GET", name)).get(name, [])
        return told

    async def _helper(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        with translated(self.target.server):
            answer = await self._http.request(method, f"{self.target.server}/{path}", timeout=ANSWER_S, **body)
            answer.raise_for_status()
            told: dict[str, Any] = answer.json()
            return told

    async def _client(self, *, streaming: bool) -> Client:
        card = await self._read_card()
        config = ClientConfig(
            streaming=streaming,
            polling=not streaming,
            httpx_client=self._http,
            supported_protocol_bindings=[BINDING],
        )
        return ClientFactory(config).create(card)

    async def _read_card(self) -> AgentCard:
        if self._card is None:
            resolver = A2ACardResolver(self._http, self.target.server)
            card = await resolver.get_agent_card(http_kwargs={"timeout": ANSWER_S})
            _keep_the_token_home(self.target, card)
            self._card = card
        return self._card


def _closing(events: AsyncIterator[StreamResponse]) -> aclosing[AsyncGenerator[StreamResponse]]:
    """Return a block at whose end the stream is closed; the client promises less than it returns."""
    return aclosing(cast(AsyncGenerator[StreamResponse], events))


def _keep_the_token_home(target: Target, card: AgentCard) -> None:
    """Raise `Stop` if the card would make us send the token to somebody the user did not name."""
    if not target.token:
        return
    home = _origin(urlsplit(target.server))
    for interface in card.supported_interfaces:
        if interface.protocol_binding == BINDING and _origin(urlsplit(interface.url)) != home:
            raise Stop(
                f"the card at {target.server} sends clients to {interface.url}; "
                f"the token is not sent there: give that address with --server"
            )


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    host = "localhost" if url.hostname in LOOPBACK else url.hostname
    return url.scheme, host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _activated(timeout: float | None = None) -> ClientCallContext:
    """Return a call context that activates our extension (topics/extensions.md of the specification)."""
    parameters = ServiceParametersFactory.create([with_a2a_extensions([URI])])
    return ClientCallContext(service_parameters=parameters, timeout=timeout)

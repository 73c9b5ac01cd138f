"""The calls one coordinator makes to specialists, through the SDK's clients on one shared HTTP client."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import httpx
from a2a.client import Client, ClientCallContext, ClientConfig, ClientFactory
from a2a.types import a2a_pb2 as a2a
from httpx_aiohttp import AiohttpTransport
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from typing_extensions import override

from coordinator.core.extension import URI
from coordinator.core.model import AgentRef, FailureKind, RemoteTask
from coordinator.directory import GRPC
from coordinator.outbound.bounds import MOST_ANSWER, AnswerTooLarge, Bounds, bounded, paced
from coordinator.outbound.channels import CONNECT_S, Channels, check_installed
from coordinator.outbound.failures import CallFailed, translated
from coordinator.outbound.outgoing import Outgoing
from coordinator.outbound.permits import IDEMPOTENCY_KEY, PERMIT, Permit, PermittedRequest, at_once
from coordinator.outbound.places import Places
from coordinator.outbound.pushes import Expected, Pushes
from coordinator.outbound.run_times import RunTimes
from coordinator.outbound.slots import LocalSlots, Slots
from coordinator.outbound.ways import Ways
from coordinator.wire import timestamp

CLOCKS_DIFFER_S = 300.0
MOST_PAGES = 100
"""Pages of ListTasks that are read to find one task: an agent may name a next page for ever."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the calls wait; all in seconds."""

    request_s: float = 30.0  #: one request and its answer
    silence_s: float = 90.0  #: between two events of a stream, before we ask whether the task is still alive
    poll_min_s: float = 0.2
    poll_max_s: float = 5.0
    push_check_s: float = 60.0  #: at most between two looks at a task whose agent pushes: pushes get lost
    doubt_s: float = 1.0  #: between the two look-ups of a send in doubt
    cancel_s: float = 10.0  #: for a specialist to confirm a cancel
    progress_s: float = 1.0  #: at most one Progressed fact a branch in this time
    push_s: float = 10.0  #: for a client's webhook to take a notification
    push_retry_min_s: float = 1.0  #: after its first failure; doubled with each
    push_retry_max_s: float = 60.0


class _Transport(AiohttpTransport):
    """aiohttp's connector, with a bound on what comes back, and one on connecting that no stream's silence moves."""

    def __init__(self, client: Callable[[], aiohttp.ClientSession], max_answer: int) -> None:
        super().__init__(client=client)
        self._max_answer = max_answer

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = request.extensions.get("timeout", {})
        connect = min(CONNECT_S, timeouts.get("connect") or CONNECT_S)
        request.extensions = {**request.extensions, "timeout": {**timeouts, "connect": connect, "pool": None}}
        response = await super().handle_async_request(request)
        try:
            return _plain(bounded(response, self._max_answer))
        except (AnswerTooLarge, httpx.DecodingError):
            await response.aclose()
            raise


def _plain(response: httpx.Response) -> httpx.Response:
    """Return *response*. Raises `httpx.DecodingError` when it is compressed: a small body could become any size."""
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise httpx.DecodingError(f"its answer is compressed ({encoding}), which was not asked for")
    return response


def shared_http_client(timeout_s: float, max_answer: int = MOST_ANSWER) -> httpx.AsyncClient:
    """Return the one HTTP client of the process, on aiohttp's connector.

    httpx's own pool costs quadratic time in open connections. The connection limit is off: callers
    bound how much they send. Idle connections are dropped before common servers drop them (5 s),
    so that a request rarely meets a connection that is just being closed. An answer of more than *max_answer* bytes
    ends with `AnswerTooLarge` while it is read.
    """

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4.0)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=256 * 1024,
            request_class=PermittedRequest,
        )

    return httpx.AsyncClient(
        transport=_Transport(session, max_answer),
        timeout=httpx.Timeout(timeout_s),
        headers={"Accept-Encoding": "identity"},
    )


def no_token(_: str) -> str:
    """Return that an agent wants no token."""
    return ""


@dataclass(slots=True)
class AgentCalls:
    """A2A requests to any agent. Every method may raise one of PEER_ERRORS."""

    http: httpx.AsyncClient
    patience: Patience = field(default_factory=Patience)
    token_of: Callable[[str], str] = no_token  #: the bearer token for an agent, by its name; empty: none
    credentials: Mapping[str, str] = field(default_factory=dict)  #: bearer tokens an answer may name
    run_times: RunTimes = field(default_factory=RunTimes)
    places: Places = field(default_factory=Places)
    rng: random.Random = field(default_factory=random.SystemRandom)
    bounds: Bounds = field(default_factory=Bounds)
    channels: Channels | None = None  #: to agents that speak gRPC; None: that is not installed
    pushes: Pushes = field(default_factory=Pushes)
    slots: Slots = field(default_factory=LocalSlots)
    permit: Permit = at_once  #: awaited before each message goes out
    ways: Ways = field(init=False)
    _clients: dict[tuple[AgentRef, bool], Client] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with every way an agent offers."""
        self.ways = Ways(has_webhook=self.pushes.is_on)

    async def send(
        self,
        agent: AgentRef,
        outgoing: Outgoing,
        credential: str = "",
        *,
        streaming: bool | None = None,
        webhook: Expected | None = None,
    ) -> AsyncGenerator[a2a.StreamResponse]:
        """Send a message and yield what comes back: a stream (where *streaming*, by default if the agent does), or one
        Task or Message, about which pushes go to *webhook*.

        `historyLength` 0 keeps the request from coming back with every answer. The `Idempotency-Key` lets an agent
        that does not know its callers recognise a message that comes again.
        """
        streaming = agent.streaming if streaming is None else streaming
        headers = {IDEMPOTENCY_KEY: outgoing.message_id, **outgoing.headers()}
        configuration = a2a.SendMessageConfiguration(
            history_length=0,
            return_immediately=not streaming,
            accepted_output_modes=outgoing.accepted_output_modes,
        )
        if webhook is not None:
            configuration.task_push_notification_config.CopyFrom(webhook.configuration())
        request = a2a.SendMessageRequest(message=outgoing.message(agent), configuration=configuration)
        timeout_s = self.patience.silence_s if streaming else None
        context = self._context(agent, headers, timeout_s=timeout_s, credential=credential)
        with translated():
            await self._permitted(agent)
            PERMIT.set(self.permit)
            answers = self._client(agent, streaming=streaming).send_message(request, context=context)
            async for response in self._heard(agent, answers, timeout_s):
                yield response

    async def _permitted(self, agent: AgentRef) -> None:
        """Wait until a message to *agent* may go out; over gRPC, which keeps what has no connection, until it does."""
        channels = self.channels if agent.binding == GRPC else None
        while True:
            if channels is not None:
                await channels.connected(agent)
            await self.permit()
            if channels is None or channels.is_settled(agent):
                return

    async def subscribe(
        self, agent: AgentRef, remote: RemoteTask, credential: str = ""
    ) -> AsyncGenerator[a2a.StreamResponse]:
        """Attach to the stream of a task that is under way."""
        request = a2a.SubscribeToTaskRequest(id=remote.task_id)
        context = self._context(agent, timeout_s=self.patience.silence_s, credential=credential)
        with translated():
            answers = self._client(agent, streaming=True).subscribe(request, context=context)
            async for response in self._heard(agent, answers, self.patience.silence_s):
                yield response

    async def task(
        self, agent: AgentRef, remote: RemoteTask, credential: str = "", *, history_length: int = 0
    ) -> a2a.Task:
        """Read the task, patiently when the network is in the way."""
        request = a2a.GetTaskRequest(id=remote.task_id, history_length=history_length)
        async for attempt in self._patiently():
            with attempt, translated():
                context = self._context(agent, credential=credential)
                async with self._deadline(agent):
                    return await self._client(agent).get_task(request, context=context)
        raise AssertionError("tenacity re-raises the last error")  # pragma: no cover

    async def cancel(self, agent: AgentRef, remote: RemoteTask, credential: str = "") -> a2a.Task:
        """Ask for the task's cancelation."""
        request = a2a.CancelTaskRequest(id=remote.task_id)
        async for attempt in self._patiently():
            with attempt, translated():
                context = self._context(agent, credential=credential)
                async with self._deadline(agent):
                    return await self._client(agent).cancel_task(request, context=context)
        raise AssertionError("tenacity re-raises the last error")  # pragma: no cover

    async def look_up(self, agent: AgentRef, message_id: str, since: float) -> RemoteTask | None:
        """Find the task a message of ours created, None when the agent has none or cannot list (spec 3.1.4).

        *since* is when it was sent, by our clock; the agent's may differ by minutes. A fresh task may be
        SUBMITTED without a timestamp, which a time filter leaves out, hence two queries.
        """
        if agent.version.startswith("0."):
            return None
        fresh = a2a.ListTasksRequest(status=a2a.TASK_STATE_SUBMITTED)
        recent = a2a.ListTasksRequest(status_timestamp_after=timestamp(since - CLOCKS_DIFFER_S))
        try:
            for query in (fresh, recent):
                async for task in self._listed(agent, query):
                    if any(message.message_id == message_id for message in task.history):
                        return RemoteTask(task.id, task.context_id)
        except CallFailed as error:
            if error.trouble.failure.kind in {FailureKind.REFUSED, FailureKind.LOST}:
                return None
            raise
        return None

    async def has_message(self, agent: AgentRef, remote: RemoteTask, message_id: str, credential: str = "") -> bool:
        """Return whether the task *remote* has the message of that id in its history."""
        task = await self.task(agent, remote, credential, history_length=100)
        return any(message.message_id == message_id for message in task.history)

    async def _listed(self, agent: AgentRef, query: a2a.ListTasksRequest) -> AsyncIterator[a2a.Task]:
        query.page_size, query.history_length, query.include_artifacts = 100, 100, False
        for _ in range(MOST_PAGES):
            page = await self._page(agent, query)
            for task in page.tasks:
                yield task
            if not page.next_page_token:
                return
            query.page_token = page.next_page_token

    async def _page(self, agent: AgentRef, query: a2a.ListTasksRequest) -> a2a.ListTasksResponse:
        async for attempt in self._patiently():
            with attempt, translated():
                context = self._context(agent)
                async with self._deadline(agent):
                    return await self._client(agent).list_tasks(query, context=context)
        raise AssertionError("tenacity re-raises the last error")  # pragma: no cover

    def _patiently(self) -> AsyncRetrying:
        """Repeat what changes nothing twice at the specialist while the network is in the way."""
        return AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, CallFailed) and error.trouble.is_ambiguous),
            stop=stop_after_attempt(3),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            reraise=True,
        )

    def _client(self, agent: AgentRef, *, streaming: bool = False) -> Client:
        """Return the client for exactly the interface chosen when the task was accepted (spec 8.3.2)."""
        check_installed(agent, self.channels)
        if (agent, streaming) not in self._clients:
            interface = a2a.AgentInterface(
                url=agent.url,
                protocol_binding=agent.binding,
                protocol_version=agent.version,
                tenant=agent.tenant,
            )
            card = a2a.AgentCard(
                name=agent.name,
                supported_interfaces=[interface],
                capabilities=a2a.AgentCapabilities(streaming=streaming),
            )
            config = ClientConfig(
                httpx_client=self.http,
                grpc_channel_factory=lambda _: self._channel(agent),
                streaming=streaming,
                supported_protocol_bindings=[agent.binding],
            )
            self._clients[agent, streaming] = ClientFactory(config).create(card)
        return self._clients[agent, streaming]

    def _channel(self, agent: AgentRef) -> Any:
        return self.channels.to(agent) if self.channels else None

    def _heard(
        self, agent: AgentRef, answers: AsyncIterator[a2a.StreamResponse], silence_s: float | None
    ) -> AsyncIterator[a2a.StreamResponse]:
        """Return *answers* within the time and the bytes they may take; over HTTP the transport sees to both."""
        if agent.binding != GRPC:
            return answers
        return paced(answers, silence_s or self.patience.request_s, self.bounds.answer)

    def _deadline(self, agent: AgentRef) -> asyncio.Timeout:
        return asyncio.timeout(self.patience.request_s if agent.binding == GRPC else None)

    def _context(
        self,
        agent: AgentRef,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        credential: str = "",
    ) -> ClientCallContext:
        parameters = dict(headers or {})
        if agent.understands_us:
            parameters["A2A-Extensions"] = URI
        token = self.credentials.get(credential) or self.token_of(agent.name)
        if token:
            parameters["Authorization"] = f"Bearer {token}"
        # What is a bound on silence over HTTP would be one on the whole call over gRPC.
        limit_s = None if agent.binding == GRPC else timeout_s or self.patience.request_s
        return ClientCallContext(timeout=limit_s, service_parameters=parameters)

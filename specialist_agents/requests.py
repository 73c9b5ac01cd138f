"""The SDK's request handler, with two promises more: input is judged first, and work is done once.

A message is recognised by its sender, its id and its content. A sender that is in doubt may send
it again and gets the task it made (spec 3.3.1); the same id with other content is another message.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from a2a.server.agent_execution import RequestContext, RequestContextBuilder
from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.server.owner_resolver import resolve_user_scope
from a2a.server.request_handlers import DefaultRequestHandlerV2
from a2a.server.request_handlers.request_handler import validate_request_params
from a2a.server.tasks import TaskStore
from a2a.types.a2a_pb2 import (
    AgentCard,
    GetTaskRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
)
from a2a.utils.errors import A2AError, PushNotificationNotSupportedError, TaskNotFoundError, UnsupportedOperationError
from a2a.utils.task import apply_history_length
from typing_extensions import override

from specialist_agents.accepting import JudgingExecutor
from specialist_agents.waiting import Waiting

MAX_REMEMBERED = 10_000
_CLAIM = "claimed task id"


class ClaimedTaskIds(RequestContextBuilder):
    """Gives a new task the id that was claimed for its message."""

    @override
    async def build(
        self,
        context: ServerCallContext,
        params: SendMessageRequest | None = None,
        task_id: str | None = None,
        context_id: str | None = None,
        task: Task | None = None,
    ) -> RequestContext:
        """Return the context of one request."""
        return RequestContext(
            call_context=context,
            request=params,
            task_id=task_id or context.state.get(_CLAIM),
            context_id=context_id,
            task=task,
        )


class ReviewRequests(DefaultRequestHandlerV2):
    """Serves one agent's requests."""

    def __init__(self, executor: JudgingExecutor, store: TaskStore, card: AgentCard) -> None:
        super().__init__(executor, store, card, request_context_builder=ClaimedTaskIds())
        self._judge = executor.judge
        self._claims: OrderedDict[bytes, str] = OrderedDict()

    @override
    @validate_request_params
    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> Message | Task:
        """Review the message's files, or return the task that already does."""
        _refuse_push(params)
        key = await asyncio.to_thread(_key, params.message, context)
        if known := await self._known(key, params.message, context):
            if not params.configuration.return_immediately:
                await self._settled(known, context)
            return await self._snapshot(known, params, context)
        async with self._claimed(key, params.message, context):
            answer: Message | Task = await super().on_message_send(params, context)
            return answer

    @override
    @validate_request_params
    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event, None]:
        """Review the message's files and tell all about it, or join the task that already does."""
        _refuse_push(params)
        key = await asyncio.to_thread(_key, params.message, context)
        if known := await self._known(key, params.message, context):
            try:
                async for event in self.on_subscribe_to_task(SubscribeToTaskRequest(id=known), context):
                    yield event
            except UnsupportedOperationError:  # it has ended: there is nothing to follow
                yield await self._snapshot(known, params, context)
            return
        async with self._claimed(key, params.message, context):
            async for event in super().on_message_send_stream(params, context):
                yield event

    async def resume(self, waiting: Waiting) -> None:
        """Make a review go on that was approved out of band, by a message in its sender's name."""
        message = Message(
            message_id=str(uuid4()),
            role=Role.ROLE_USER,
            task_id=waiting.task_id,
            context_id=waiting.context_id,
            parts=[Part(text="approved at the agent's own page")],
        )
        request = SendMessageRequest(message=message, configuration=SendMessageConfiguration(return_immediately=True))
        owner = ServerCallContext(user=waiting.owner.user, tenant=waiting.owner.tenant)
        with suppress(UnsupportedOperationError):  # it has ended meanwhile
            await self.on_message_send(request, owner)

    async def _known(self, key: bytes, message: Message, context: ServerCallContext) -> str | None:
        """Return the id of the task this message has made, unless it is forgotten."""
        task_id = None if message.task_id else self._claims.get(key)
        if task_id is None:
            return None
        active = await self._active_task_registry.get(task_id)
        if active is not None:
            await active.get_task()  # waits until it exists
        elif await self.task_store.get(task_id, context) is None:
            self._drop(key, task_id)
            return None
        return task_id

    @asynccontextmanager
    async def _claimed(self, key: bytes, message: Message, context: ServerCallContext) -> AsyncIterator[None]:
        """Judge the message and remember its task's id, unless the task never comes to be."""
        self._judge(message)
        if message.task_id:
            yield
            return
        task_id = str(uuid4())
        context.state[_CLAIM] = self._claims[key] = task_id
        if len(self._claims) > MAX_REMEMBERED:
            self._claims.popitem(last=False)
        try:
            yield
        except A2AError:
            if await self.task_store.get(task_id, context) is None:
                self._drop(key, task_id)
            raise

    def _drop(self, key: bytes, task_id: str) -> None:
        if self._claims.get(key) == task_id:  # and not claimed by another send meanwhile
            del self._claims[key]

    async def _settled(self, task_id: str, context: ServerCallContext) -> None:
        with suppress(UnsupportedOperationError):  # it has ended meanwhile
            async for _ in self.on_subscribe_to_task(SubscribeToTaskRequest(id=task_id), context):
                pass

    async def _snapshot(self, task_id: str, params: SendMessageRequest, context: ServerCallContext) -> Task:
        task = await self.on_get_task(GetTaskRequest(id=task_id), context)
        if task is None:
            raise TaskNotFoundError
        return apply_history_length(task, params.configuration)


def _refuse_push(params: SendMessageRequest) -> None:
    """Say at once that we push nothing (spec 3.3.4), rather than let the client wait for it."""
    if params.configuration.HasField("task_push_notification_config"):
        raise PushNotificationNotSupportedError


def _key(message: Message, context: ServerCallContext) -> bytes:
    """Return what makes a message the same again. Metadata is left out: it carries what time is left."""
    digest = hashlib.sha256()
    for text in (resolve_user_scope(context), context.tenant, message.context_id, message.message_id):
        digest.update(f"{len(text)}:{text}".encode())
    for part in message.parts:
        digest.update(part.SerializeToString(deterministic=True))
    return digest.digest()

"""A2A operations on projections of the journal.

The SDK's own handler keeps tasks in the process and stores a task whole at every event;
this one implements the SDK's interface on the journal instead. Routes, (de)serialisation,
validation and the 0.3 compatibility stay the SDK's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import NoReturn

from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.request_handler import validate_request_params
from a2a.server.routes import DefaultServerCallContextBuilder
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import TaskNotCancelableError, TaskNotFoundError, UnsupportedOperationError
from starlette.requests import Request
from typing_extensions import override

from coordinator.core.events import CancelRequested
from coordinator.core.extension import URI
from coordinator.core.model import TaskState
from coordinator.core.questions import Why
from coordinator.core.view import TaskView
from coordinator.drivers import Driver
from coordinator.errors import BadPageToken, RequestRefused, RetryLater, TaskClosed
from coordinator.inbound.edge import ACTIVATED
from coordinator.inbound.intake import Caller, Intake
from coordinator.inbound.pushes import PushConfigs, PushOperations
from coordinator.inbound.refusals import (
    HistoryLength,
    check_history_length,
    check_page_size,
    invalid,
    status_after,
)
from coordinator.inbound.retrying import SCOPE, noting_refusals
from coordinator.inbound.stopping import Stopping
from coordinator.inbound.versions import is_old_version
from coordinator.journal import HIDDEN, Head, Journal, Scope, TaskFilter
from coordinator.journal.codec import encode
from coordinator.projection import Event, Projection, Renderer
from coordinator.wire import state_in

PLAN = "coordinator.plan"


class CallContexts(DefaultServerCallContextBuilder):
    """Call contexts that know through which plan's endpoint a request came."""

    def __init__(self, plan: str = "") -> None:
        self._plan = plan

    @override
    def build(self, request: Request) -> ServerCallContext:
        """Return the context of *request*."""
        context = super().build(request)
        context.state[PLAN] = self._plan
        context.state[SCOPE] = request.scope
        return context


@noting_refusals
@dataclass(slots=True)
class TaskService(PushOperations):
    """Serves tasks to clients, each only its own (spec 13.1)."""

    intake: Intake
    journal: Journal
    projection: Projection
    renderer: Renderer
    driver: Driver
    stopping: Stopping
    plans: Collection[str]
    configs: PushConfigs

    @override
    @validate_request_params
    async def on_message_send(
        self, params: a2a.SendMessageRequest, context: ServerCallContext
    ) -> a2a.Task | a2a.Message:
        """Accept the message; answer at once, or when the task is terminal or interrupted (spec 3.1.1, 3.2.2).

        A plain delegation whose agent answers with a direct Message is answered with that Message.
        """
        task_id, told = await self._accept(params, context)
        view = await self._view_after(task_id, told, is_patient=not params.configuration.return_immediately)
        message = await self.renderer.message(view)
        return message or await self.renderer.task(view, history_length=_history_length(params.configuration))

    @override
    @validate_request_params
    async def on_message_send_stream(
        self, params: a2a.SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event | a2a.Message]:
        """Accept the message and stream its task: the Task first, then what changes (spec 3.1.2).

        The stream ends with a question; an authorisation may come by itself, so that one is waited for (spec 7.6.1).
        """
        task_id, told = await self._accept(params, context)
        ends = {TaskState.INPUT_REQUIRED, *([TaskState.AUTH_REQUIRED] if is_old_version(context) else [])}
        async with aclosing(self._stream(task_id, _history_length(params.configuration), ends, told)) as events:
            async for event in events:
                yield event

    @override
    @validate_request_params
    async def on_subscribe_to_task(
        self, params: a2a.SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        """Stream a task that is under way; a terminal one has nothing to stream (spec 3.1.6)."""
        self.stopping.refuse_new()
        head = await self._head(params.id, params, context)
        if TaskState(head.state).is_terminal:
            raise UnsupportedOperationError(f"task {head.task_id} is over: {head.state}")
        async with aclosing(self._stream(head.task_id, None, frozenset())) as events:
            async for event in events:
                if not isinstance(event, a2a.Message):
                    yield event

    @override
    @validate_request_params
    async def on_get_task(self, params: a2a.GetTaskRequest, context: ServerCallContext) -> a2a.Task:
        """Return the task (spec 3.1.3)."""
        check_history_length(params)
        head = await self._head(params.id, params, context)
        return await self.renderer.task(await self._view(head.task_id), history_length=_history_length(params))

    @override
    @validate_request_params
    async def on_list_tasks(self, params: a2a.ListTasksRequest, context: ServerCallContext) -> a2a.ListTasksResponse:
        """Return a page of the caller's tasks, the latest status first (spec 3.1.4)."""
        check_history_length(params)
        check_page_size(params)
        state = state_in(params.status)
        query = TaskFilter(
            context_id=params.context_id or None,
            state=str(state) if state else None,
            status_after=status_after(params),
            page_size=params.page_size or 50,
            page_token=params.page_token,
        )
        try:
            page = await self.journal.tasks(self._scope(params, context), query)
        except BadPageToken as error:
            raise invalid("page_token", str(error)) from error
        tasks = [
            await self.renderer.task(
                await self._view(head.task_id),
                history_length=_history_length(params),
                with_artifacts=params.include_artifacts,
            )
            for head in page.heads
        ]
        return a2a.ListTasksResponse(
            tasks=tasks,
            next_page_token=page.next_page_token,
            page_size=query.page_size,
            total_size=page.total_size,
        )

    @override
    @validate_request_params
    async def on_cancel_task(self, params: a2a.CancelTaskRequest, context: ServerCallContext) -> a2a.Task:
        """Cancel the task; answers once that is journaled, the cancels below go on behind it (spec 3.1.5)."""
        self.stopping.refuse_new()
        head = await self._head(params.id, params, context)
        if TaskState(head.state).is_terminal:
            raise TaskNotCancelableError(f"task {head.task_id} is over: {head.state}")
        try:
            await self.journal.put(head.task_id, encode(CancelRequested(at=await self.journal.now())))
        except TaskClosed as error:
            raise TaskNotCancelableError(f"task {head.task_id} has just ended") from error
        self.driver.wake(head.task_id)
        view = await self._end_of(head.task_id)
        # Who was first, the cancel or the end, is the order of the journal.
        if view.state is not TaskState.CANCELED:
            raise TaskNotCancelableError(f"task {head.task_id} ended first: {view.state}")
        return await self.renderer.task(view, history_length=None)

    async def _accept(self, params: a2a.SendMessageRequest, context: ServerCallContext) -> tuple[str, int | None]:
        """Take the message in; return the id of its task, and how much was told of that before the message came."""
        self.stopping.refuse_new()
        check_history_length(params.configuration, "configuration.")
        scope = self._scope(params, context)
        head = await self._head(params.message.task_id, params, context) if params.message.task_id else None
        caller = Caller(
            scope=scope,
            is_authenticated=context.user.is_authenticated,
            knows_us=self._note_activation(params, context),
            idempotency_key=context.state.get("headers", {}).get("idempotency-key", ""),
            headers=context.state.get("headers", {}),
        )
        caller = replace(caller, push=await self.configs.sent_with(params, context))
        try:
            if head is not None:
                return head.task_id, await self._receive(params, caller, head)
            with self.driver.admission() as is_next:
                acceptance = await self.intake.accept(params, replace(caller, has_to_wait=not is_next))
                if acceptance.created:
                    self.driver.admit(acceptance.task_id)
        except RequestRefused as error:
            raise invalid(error.field, str(error)) from error
        return acceptance.task_id, None

    async def _receive(self, params: a2a.SendMessageRequest, caller: Caller, head: Head) -> int:
        """Give a message to a task that is there, and wait for what becomes of it (spec 3.4.3).

        Returns how many views of the task do not know of it.
        """
        message = params.message
        if message.context_id and message.context_id != head.context_id:
            raise invalid("message.context_id", f"task {head.task_id} belongs to another context")
        if self.driver.is_waiting(head.task_id):
            # Only its turn can say what the message is for, and a message is no way past the others.
            raise RetryLater(f"task {head.task_id} waits for its turn", reason="TASK_NOT_BEGUN")
        try:
            receipt = await self.intake.receive(params, caller, head)
        except TaskClosed as error:
            raise UnsupportedOperationError(f"task {head.task_id} is over: start a new task instead") from error
        self.driver.wake(head.task_id)
        received = await self.stopping.unless_asked(self.projection.reception(head.task_id, receipt))
        if received is None:
            raise RetryLater(
                "the coordinator is stopping; the message is kept, and answered after it", reason="STOPPING"
            )
        reception, told = received
        refusal = reception.refusal
        if refusal is None:
            return told
        if refusal.why is Why.CLOSED:
            raise invalid("message.parts", refusal.words)
        raise UnsupportedOperationError(f"task {head.task_id}: {refusal.words}")

    def _note_activation(self, params: a2a.SendMessageRequest, context: ServerCallContext) -> bool:
        """Tell the edge whether the client activated our extension, by header, by list or by using its key."""
        scope = context.state.get(SCOPE, {})
        named = URI in params.message.extensions or URI in params.message.metadata or URI in params.metadata
        is_active = scope.get(ACTIVATED, False) or named or URI in context.requested_extensions
        scope[ACTIVATED] = is_active
        return bool(is_active)

    async def _stream(
        self, task_id: str, history_length: int | None, ends: Collection[TaskState], told: int | None = None
    ) -> AsyncGenerator[Event | a2a.Message]:
        async with aclosing(self.projection.follow(task_id, after=told)) as views:
            before: TaskView | None = None
            # A stream that ends before its task does is how a client learns to come again (spec 3.1.2).
            while (view := await self.stopping.unless_asked(anext(views, None))) is not None:
                if message := await self.renderer.message(view):
                    yield message
                    return
                if not view.is_shown:
                    continue
                if before is None:
                    yield await self.renderer.task(view, history_length=history_length)
                else:
                    for event in await self.renderer.changes(before, view):
                        yield event
                before = view
                if view.state in ends:
                    return

    async def _view_after(self, task_id: str, told: int | None, *, is_patient: bool) -> TaskView:
        """Return the task, for the patient once it is terminal or interrupted, or as it stands when we stop."""
        seen: TaskView | None = None
        async with aclosing(self.projection.follow(task_id, after=told, with_progress=False)) as views:
            while (view := await self.stopping.unless_asked(anext(views, None))) is not None:
                if view.direct is not None:
                    return view
                seen = view if view.is_shown else seen
                if view.is_shown and (not is_patient or view.state.is_terminal or view.state.is_interrupted):
                    return view
        return seen or await self._as_it_stands(task_id)

    async def _as_it_stands(self, task_id: str) -> TaskView:
        """Return what was accepted in the moment of stopping, if it is shown already."""
        view = await self.projection.view(task_id)
        return view if view is not None and view.is_shown else self._nothing()

    async def _end_of(self, task_id: str) -> TaskView:
        async with aclosing(self.projection.follow(task_id, with_progress=False)) as views:
            while (view := await self.stopping.unless_asked(anext(views, None))) is not None:
                if view.state.is_terminal:
                    return view
        return self._nothing()

    def _nothing(self) -> NoReturn:
        """Say why there is no view: we stop, or there is no task."""
        self.stopping.refuse_new()
        raise TaskNotFoundError

    async def _view(self, task_id: str) -> TaskView:
        view = await self.projection.view(task_id)
        if view is None:
            raise TaskNotFoundError
        return view

    @override
    async def _head(self, task_id: str, params: object, context: ServerCallContext) -> Head:
        """Return the head of a task of this caller; foreign and unknown ones are told alike (spec 13.1)."""
        scope = self._scope(params, context)  # first: a wrong tenant must not tell whether the task exists
        head = await self.journal.head(task_id)
        if head is None or head.scope != scope or head.state == HIDDEN:
            raise TaskNotFoundError(f"there is no task {task_id}")
        return head

    def _scope(self, params: object, context: ServerCallContext) -> Scope:
        """Return on whose behalf the call is made; the tenant is the plan of the endpoint, wherever it is named."""
        named = {getattr(params, "tenant", ""), context.tenant, context.state.get(PLAN, "")} - {""}
        unknown = sorted(named - set(self.plans))
        if unknown:
            raise invalid("tenant", f"there is no plan {unknown[0]!r}; there are: {', '.join(sorted(self.plans))}")
        if len(named) > 1:
            raise invalid("tenant", f"the request names different plans: {', '.join(sorted(named))}")
        return Scope(owner=context.user.user_name, tenant=next(iter(named), ""))


def _history_length(holder: HistoryLength) -> int | None:
    return holder.history_length if holder.HasField("history_length") else None

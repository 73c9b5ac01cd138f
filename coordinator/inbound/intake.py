"""From a SendMessage request to an accepted task: everything is checked before anything is written or sent."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from a2a.types import a2a_pb2 as a2a
from a2a.utils.input_mode_validator import validate_input_modes
from google.protobuf.struct_pb2 import Struct, Value
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from coordinator.config import Settings
from coordinator.core.durations import seconds
from coordinator.core.events import MessageReceived, TaskAccepted
from coordinator.core.extension import URI
from coordinator.core.model import Limits, Payload, Plan, Stage, TaskState
from coordinator.directory import Directory
from coordinator.dispatch import sub_tasks_of
from coordinator.errors import RequestRefused, TooManyPushes
from coordinator.inbound.answers import check_credentials, refuse_secrets, replies_in
from coordinator.inbound.cards import plan_card
from coordinator.inbound.contexts import Contexts
from coordinator.inbound.journey import arrival
from coordinator.inbound.pushes import FIELD, too_many
from coordinator.journal import HIDDEN, Acceptance, Head, Journal, NewTask, PushConfig, Scope
from coordinator.journal.codec import decode_all, encode
from coordinator.outbound import RunTimes
from coordinator.planning import Asked, PlanFile, PlannedTask, resolve
from coordinator.wire import content_in, flaw_of, json_in, message_in

DIRECT_S, DIRECT_AT_ONCE_S = 2.0, 0.5
"""How long a specialist's direct Message is waited for before there is a task, and with returnImmediately."""

Duration = Annotated[float, BeforeValidator(seconds)]


class LimitsParameter(BaseModel):
    """Limits narrower than the plan's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    concurrency: Annotated[int, Field(ge=1)] | None = None
    branch_timeout: Duration | None = None
    deadline: Duration | None = None

    def resolved(self) -> Limits:
        """Return the core's value."""
        return Limits(self.concurrency, self.branch_timeout, self.deadline)


class Parameters(BaseModel):
    """What a client may say under our extension's key in the metadata."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan: str = ""
    limits: LimitsParameter = LimitsParameter()
    parameters: dict[str, str] = Field(default_factory=dict)
    tasks: tuple[PlannedTask, ...] | None = None
    partials: bool = False  #: every branch's result as soon as it is there, marked as such

    def asked(self, remaining_s: float | None) -> Asked:
        """Return what planning takes; a task from another coordinator has only so much time left."""
        limits = self.limits.resolved()
        ends = [end for end in (limits.deadline_s, remaining_s) if end is not None]
        return Asked(replace(limits, deadline_s=min(ends, default=None)), self.parameters, self.tasks)


def parameters_of(request: a2a.SendMessageRequest) -> Parameters:
    """Read our parameters from the message's and the request's metadata.

    Raises `RequestRefused` that names the field, also when the two contradict each other.
    """
    given = [json_in(holder.metadata)[URI] for holder in (request.message, request) if URI in holder.metadata]
    if len(given) == 2 and given[0] != given[1]:
        raise RequestRefused(f"metadata.{URI}", "message.metadata and the request's metadata contradict each other")
    try:
        return Parameters.model_validate(given[0] if given else {})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join((f"metadata.{URI}", *map(str, problem["loc"])))
        raise RequestRefused(field, problem["msg"].removeprefix("Value error, ")) from error


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends, through which endpoint, and how the request may be recognised again."""

    scope: Scope
    is_authenticated: bool = False
    knows_us: bool = False  #: has activated our extension
    idempotency_key: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    has_to_wait: bool = False  #: a new task is not begun at once
    push: PushConfig | None = None  #: where the task's changes are to be pushed; without an id, the task's is its own


@dataclass(frozen=True, slots=True)
class Intake:
    """Chooses the plan, resolves it against the directory, and writes the first fact."""

    settings: Settings
    plans: Mapping[str, PlanFile]
    directory: Directory
    journal: Journal
    run_times: RunTimes
    contexts: Contexts

    def choose(self, name: str, tenant: str, message: a2a.Message | None = None) -> PlanFile:
        """Return the plan: the parameter first, then the endpoint, then the routes, then the default."""
        chosen = name or tenant or self._routed(message or a2a.Message())
        plan = self.plans.get(chosen)
        if plan is None:
            field = f"metadata.{URI}.plan" if name else "tenant"
            raise RequestRefused(field, f"there is no plan {chosen!r}; there are: {', '.join(sorted(self.plans))}")
        return plan

    def _routed(self, message: a2a.Message) -> str:
        text = "\n".join(part.text for part in message.parts if part.text)
        routes = self.settings.routes
        return next((r.plan for r in routes if r.matches(text, message.message_id)), self.settings.default_plan)

    async def resolve(self, plan: PlanFile, asked: Asked, message: a2a.Message) -> tuple[Plan, tuple[Payload, ...]]:
        """Return *plan* with its agents and the sub-tasks known by now, and the payloads of their parts.

        Raises `RequestRefused` that names the field. Content is only looked at where the plan wants it.
        """
        content = [content_in(part) for part in message.parts] if plan.reads_message else []
        try:
            resolved = await asyncio.to_thread(resolve, plan, self.directory.candidates(), asked, content)
        except RequestRefused as error:
            raise _in_place(error) from error
        stages: list[Stage] = []
        payloads: list[Payload] = []
        for stage in resolved.plan.stages:
            sub_tasks, own = sub_tasks_of(resolved.drafts.get(stage.name, ()), stage, self.run_times)
            # Once the sub-tasks are known, each holds its agents itself.
            known = replace(stage, sub_tasks=sub_tasks, agents=(), stand_ins=()) if sub_tasks else stage
            stages.append(known)
            payloads += own
        return replace(resolved.plan, stages=tuple(stages)), tuple(payloads)

    async def accept(self, request: a2a.SendMessageRequest, caller: Caller) -> Acceptance:
        """Journal the request as a new task, or return the one it repeats. Raises `RequestRefused`."""
        _check_content(request)
        parameters = parameters_of(request)
        plan = self.choose(parameters.plan, caller.scope.tenant, request.message)
        validate_input_modes(request.message, plan_card(self.settings, plan))
        message, payloads = message_in(request.message)
        came = arrival(request.message, caller.headers, here=self.settings.url, max_hops=self.settings.max_hops)
        resolved, made = await self.resolve(plan, parameters.asked(came.remaining_s), request.message)
        accepted = TaskAccepted(
            at=await self.journal.now(),
            task_id=str(uuid.uuid4()),
            context_id=request.message.context_id or str(uuid.uuid4()),
            message=message,
            plan=resolved,
            accepted_output_modes=tuple(request.configuration.accepted_output_modes),
            journey=came.journey,
            rejection=came.rejection,
            knows_us=caller.knows_us,
            partials=parameters.partials,
        )
        if resolved.passes_through:
            accepted = await self.contexts.translated(accepted, caller.scope)
            at_once = request.configuration.return_immediately
            patience_s = DIRECT_AT_ONCE_S if at_once else DIRECT_S
            # What waits for its turn has to be a task: nobody could read or cancel it otherwise.
            accepted = replace(accepted, patience_s=0.0 if caller.has_to_wait else patience_s)
        push = caller.push and replace(caller.push, config_id=caller.push.config_id or accepted.task_id)
        acceptance = await self.journal.accept(
            _new_task(accepted, caller),
            encode(accepted),
            payloads=(*payloads, *made),
            key=_key(request, caller),
            window_s=self.settings.deduplication_window,
            push=push,
        )
        if caller.idempotency_key and not acceptance.created:
            await self._check_repeats(acceptance.task_id, accepted)
        return acceptance

    async def receive(self, request: a2a.SendMessageRequest, caller: Caller, head: Head) -> str:
        """Put a message for a task that is there and return its receipt; a repeated one has the same again.

        Raises `RequestRefused`, `TaskClosed`.
        """
        _check_content(request)
        check_credentials(request.message, self.settings.credentials)
        if head.state == TaskState.AUTH_REQUIRED:
            refuse_secrets(request.message)
        message, payloads = message_in(request.message)
        said = replies_in(request.message)
        key = _key(request, caller)
        receipt = key or str(uuid.uuid4())
        received = MessageReceived(
            at=await self.journal.now(), receipt=receipt, message=message, replies=said.replies, whole=said.whole
        )
        most = self.settings.max_pushes
        try:
            await self.journal.put(
                head.task_id,
                encode(received),
                payloads=(*payloads, *said.payloads),
                key=key,
                push=caller.push,
                most_pushes=most,
            )
        except TooManyPushes as error:
            raise RequestRefused(f"{FIELD}.id", too_many(most)) from error
        return receipt

    async def _check_repeats(self, task_id: str, again: TaskAccepted) -> None:
        """An `Idempotency-Key` stands for one message. Raises `RequestRefused` when it comes with another."""
        first = next(iter(decode_all(await self.journal.read(task_id, limit=1))), None)
        if isinstance(first, TaskAccepted) and (first.message, first.plan.name) != (again.message, again.plan.name):
            raise RequestRefused("Idempotency-Key", "it came before, with another message")


def _in_place(error: RequestRefused) -> RequestRefused:
    """Name a parameter of ours by the place it has in the request."""
    is_ours = error.field.partition(".")[0] in {"parameters", "tasks"}
    return RequestRefused(f"metadata.{URI}.{error.field}", str(error)) if is_ours else error


def _new_task(accepted: TaskAccepted, caller: Caller) -> NewTask:
    plan = accepted.plan
    return NewTask(
        task_id=accepted.task_id,
        context_id=accepted.context_id,
        scope=caller.scope,
        plan=plan.name,
        state=HIDDEN if plan.passes_through and not caller.has_to_wait else TaskState.SUBMITTED,
        at=accepted.at,
    )


def _check_content(request: a2a.SendMessageRequest) -> None:
    """Raise `RequestRefused` for a part that holds nothing (spec 4.1.6), or for what could not be read again."""
    message = request.message
    if "\0" in message.context_id:
        raise RequestRefused("message.context_id", "it holds a NUL, which cannot be kept; choose another one")
    for number, part in enumerate(message.parts):
        if part.WhichOneof("content") is None:
            raise RequestRefused(f"message.parts[{number}]", "give exactly one of text, raw, url, data")
        for value in (part.data, part.metadata):
            _check_value(value, f"message.parts[{number}]")
    _check_value(message.metadata, "message.metadata")
    _check_value(request.metadata, "metadata")


def _check_value(value: Struct | Value, field: str) -> None:
    if flaw := flaw_of(value):
        raise RequestRefused(field, f"it {flaw}")


def _key(request: a2a.SendMessageRequest, caller: Caller) -> str:
    """Return what makes a repetition recognisable, or an empty string.

    An `Idempotency-Key` is enough by itself. Without one the message is known by its id and content: another
    content is another message. Anonymous callers are one owner, so of theirs a messageId says nothing.
    """
    message, scope = request.message, caller.scope
    told = [scope.owner, scope.tenant, message.task_id, message.context_id]
    content = b""
    if caller.idempotency_key:
        told += ["key", caller.idempotency_key]
    elif caller.is_authenticated:
        told += ["message", message.message_id]
        said = a2a.SendMessageRequest(message=message, metadata=request.metadata)
        content = said.SerializeToString(deterministic=True)
    else:
        return ""
    return hashlib.sha256(json.dumps(told).encode() + content).hexdigest()

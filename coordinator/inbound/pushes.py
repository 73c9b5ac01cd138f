"""Where clients want to be told of their tasks: the operations on push configurations (spec 3.1.7 to 3.1.10).

What is pushed, and when, is decided elsewhere; here a configuration is checked, kept with its task, and shown to
nobody but the task's owner.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.request_handler import validate_request_params
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import TaskNotFoundError
from a2a.utils.proto_utils import validate_proto_required_fields
from typing_extensions import override

from coordinator.errors import TooManyPushes, UnknownTask
from coordinator.inbound.refusals import NotOffered, invalid
from coordinator.inbound.versions import is_old_version
from coordinator.journal import Head, Journal, PushConfig
from coordinator.notifying import PushTargets, TargetRefused

FIELD = "configuration.task_push_notification_config"
MOST_ID = 200
MOST_SECRET = 8192


@dataclass(frozen=True, slots=True)
class PushConfigs:
    """The configurations of all tasks; a task has at most *most*."""

    journal: Journal
    targets: PushTargets
    most: int

    async def sent_with(self, request: a2a.SendMessageRequest, context: ServerCallContext) -> PushConfig | None:
        """Return the configuration inside a SendMessage, checked, if there is one. Raises `InvalidParamsError`."""
        if not request.configuration.HasField("task_push_notification_config"):
            return None
        given = request.configuration.task_push_notification_config
        return await self.checked(given, context, f"{FIELD}.", request.message.task_id)

    async def checked(
        self, given: a2a.TaskPushNotificationConfig, context: ServerCallContext, where: str, task_id: str
    ) -> PushConfig:
        """Return *given* as it is kept. Raises `InvalidParamsError` that names the field below *where*.

        One without an id has the task's, as in the SDK: sent again, it replaces itself.
        """
        _check_text(given.id, f"{where}id", MOST_ID)
        _check_text(given.token, f"{where}token", MOST_SECRET)
        _check_text(given.authentication.scheme, f"{where}authentication.scheme", MOST_ID)
        _check_text(given.authentication.credentials, f"{where}authentication.credentials", MOST_SECRET)
        try:
            await self.targets.check(given.url)
        except TargetRefused as error:
            raise invalid(f"{where}url", str(error)) from error
        return PushConfig(
            config_id=given.id or task_id,
            url=given.url,
            version="0.3" if is_old_version(context) else "1.0",
            token=given.token,
            scheme=given.authentication.scheme,
            credentials=given.authentication.credentials,
        )

    async def keep(self, task_id: str, config: PushConfig) -> None:
        """Keep *config* with its task. Raises `InvalidParamsError` when there are too many."""
        try:
            await self.journal.set_push(task_id, config, most=self.most)
        except TooManyPushes as error:
            raise invalid("id", too_many(self.most)) from error
        except UnknownTask as error:
            raise TaskNotFoundError from error

    async def of_task(self, task_id: str) -> list[a2a.TaskPushNotificationConfig]:
        """Return the configurations of a task as its owner gave them."""
        return [_shown(task_id, config) for config in await self.journal.pushes(task_id)]


class PushOperations(NotOffered):
    """The four operations, each on tasks of the caller only."""

    configs: PushConfigs

    @abstractmethod
    async def _head(self, task_id: str, params: object, context: ServerCallContext) -> Head:
        """Return the head of a task of this caller. Raises `TaskNotFoundError`."""

    @override
    @validate_request_params
    async def on_create_task_push_notification_config(
        self, params: a2a.TaskPushNotificationConfig, context: ServerCallContext
    ) -> a2a.TaskPushNotificationConfig:
        """Keep a configuration: the task's changes from now on are pushed (spec 3.1.7)."""
        head = await self._head(params.task_id, params, context)
        config = await self.configs.checked(params, context, "", head.task_id)
        await self.configs.keep(head.task_id, config)
        return _shown(head.task_id, config)

    @override
    async def on_get_task_push_notification_config(
        self, params: a2a.GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> a2a.TaskPushNotificationConfig:
        """Return a configuration (spec 3.1.8); in version 0.3, without an id the one that was made without."""
        if is_old_version(context) and not params.id:
            params.id = params.task_id
        validate_proto_required_fields(params)
        head = await self._head(params.task_id, params, context)
        found = [config for config in await self.configs.of_task(head.task_id) if config.id == params.id]
        if not found:
            raise TaskNotFoundError(f"task {head.task_id} has no push configuration {params.id}")
        return found[0]

    @override
    @validate_request_params
    async def on_list_task_push_notification_configs(
        self, params: a2a.ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> a2a.ListTaskPushNotificationConfigsResponse:
        """Return all configurations of a task, which are few: there is one page (spec 3.1.9)."""
        head = await self._head(params.task_id, params, context)
        return a2a.ListTaskPushNotificationConfigsResponse(configs=await self.configs.of_task(head.task_id))

    @override
    @validate_request_params
    async def on_delete_task_push_notification_config(
        self, params: a2a.DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        """Forget a configuration; a second time does nothing (spec 3.1.10)."""
        head = await self._head(params.task_id, params, context)
        await self.configs.journal.delete_push(head.task_id, params.id)


def too_many(most: int) -> str:
    """Return what a client is told that wants one configuration more than a task may have."""
    return f"the task has {most} push configurations already; replace or delete one of them"


def _check_text(text: str, field: str, most: int) -> None:
    # They become headers: nothing in them may end one and begin another.
    if len(text) > most or not (text.isascii() and text.isprintable()):
        raise invalid(field, f"it may have {most} printable ASCII characters")


def _shown(task_id: str, config: PushConfig) -> a2a.TaskPushNotificationConfig:
    shown = a2a.TaskPushNotificationConfig(task_id=task_id, id=config.config_id, url=config.url, token=config.token)
    if config.scheme or config.credentials:
        shown.authentication.CopyFrom(a2a.AuthenticationInfo(scheme=config.scheme, credentials=config.credentials))
    return shown

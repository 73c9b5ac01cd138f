"""What this server says no to: operations it does not offer, and parameters that are wrong.

An error about a parameter names its field, in the same way on every binding.
"""

from __future__ import annotations

from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.types import a2a_pb2 as a2a
from a2a.utils.constants import MAX_LIST_TASKS_PAGE_SIZE
from a2a.utils.errors import InvalidParamsError, UnsupportedOperationError
from typing_extensions import override

HistoryLength = a2a.SendMessageConfiguration | a2a.GetTaskRequest | a2a.ListTasksRequest
"""Whatever may carry a history length."""


def invalid(field: str, message: str) -> InvalidParamsError:
    """Return an error that every binding shows with the field's name (google.rpc.BadRequest)."""
    return InvalidParamsError(f"{field}: {message}", data={"errors": [{"field": field, "message": message}]})


def check_history_length(holder: HistoryLength, where: str = "") -> None:
    """Raise `InvalidParamsError` for a length that cannot be (spec 3.2.4)."""
    if holder.history_length < 0:
        raise invalid(f"{where}history_length", "it cannot be negative")


def check_page_size(params: a2a.ListTasksRequest) -> None:
    """Raise `InvalidParamsError` for a page size the protocol forbids (spec 3.1.4)."""
    if params.HasField("page_size") and not 1 <= params.page_size <= MAX_LIST_TASKS_PAGE_SIZE:
        raise invalid("page_size", f"a page has 1 to {MAX_LIST_TASKS_PAGE_SIZE} tasks")


def status_after(params: a2a.ListTasksRequest) -> float | None:
    """Return the earliest status timestamp a client asks for, in seconds. Raises `InvalidParamsError`.

    gRPC takes any number for one; over JSON it has been parsed as a date before.
    """
    if not params.HasField("status_timestamp_after"):
        return None
    try:
        return params.status_timestamp_after.ToMicroseconds() / 1e6
    except ValueError as error:
        raise invalid("status_timestamp_after", "it is no time of this calendar") from error


class NotOffered(RequestHandler):
    """The operations behind capabilities our card denies (spec 3.3.4)."""

    @override
    async def on_get_extended_agent_card(
        self, params: a2a.GetExtendedAgentCardRequest, context: ServerCallContext
    ) -> a2a.AgentCard:
        """Refuse: there is one card for everybody."""
        raise UnsupportedOperationError("there is one agent card, the same for everybody")

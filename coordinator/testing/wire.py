"""The JSON of A2A 1.0 over JSON-RPC, written by hand: what should be wrong could not be said in typed messages."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.testing.behaviour import Json

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream"

TASK_NOT_FOUND = -32001
NOT_CANCELABLE = -32002
NO_PUSH = -32003
UNSUPPORTED = -32004
NO_EXTENDED_CARD = -32007
NO_METHOD = -32601
BAD_PARAMS = -32602
BAD_JSON = -32700

REFUSED_METHODS: Mapping[str, tuple[int, str]] = {
    "CreateTaskPushNotificationConfig": (NO_PUSH, "push notifications are not supported"),
    "GetTaskPushNotificationConfig": (NO_PUSH, "push notifications are not supported"),
    "ListTaskPushNotificationConfigs": (NO_PUSH, "push notifications are not supported"),
    "DeleteTaskPushNotificationConfig": (NO_PUSH, "push notifications are not supported"),
    "GetExtendedAgentCard": (NO_EXTENDED_CARD, "there is no extended card"),
}
"""Methods every agent of a fleet knows and refuses."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete HTTP answer."""

    body: bytes
    status: int = 200
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Gush:
    """An answer of so many bytes, made while it is read."""

    size: int


class RpcError(Exception):
    """A JSON-RPC error is the answer."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data

    def reply(self, rpc_id: Any) -> Reply:
        """Return the HTTP answer."""
        error = {"code": self.code, "message": str(self), **({} if self.data is None else {"data": self.data})}
        return Reply(dumped({"jsonrpc": "2.0", "id": rpc_id, "error": error}))


def dumped(document: Any) -> bytes:
    """Return compact JSON."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def result(rpc_id: Any, document: Json) -> bytes:
    """Return a JSON-RPC answer."""
    return dumped({"jsonrpc": "2.0", "id": rpc_id, "result": document})


def sse(document: bytes) -> bytes:
    """Return one server-sent event."""
    return b"data: " + document + b"\n\n"


def now() -> str:
    """Return the time as spec 5.6.1 wants it."""
    instant = dt.datetime.now(dt.UTC)  # noqa: TID251 - a remote clock, which nobody here should control
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def status(state: str, words: str, *, task_id: str, context_id: str) -> Json:
    """Return a status, with a message where there are words."""
    told: Json = {"state": f"TASK_STATE_{state.upper()}", "timestamp": now()}
    if words:
        told["message"] = {
            "messageId": f"{task_id}-{state}",
            "taskId": task_id,
            "contextId": context_id,
            "role": "ROLE_AGENT",
            "parts": [{"text": words}],
        }
    return told


def write_cards(cards: Iterable[Json], folder: Path) -> Path:
    """Write each card as a file, the way a coordinator reads them, and return *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in cards:
        (folder / f"{each['name']}.json").write_text(json.dumps(each), encoding="utf-8")
    return folder


def card(url: str, name: str, skills: Iterable[str], tags: Iterable[str], *, streaming: bool, pushing: bool) -> Json:
    """Return an Agent Card."""
    return {
        "name": name,
        "description": f"{name}, which behaves to order",
        "version": "1",
        "supportedInterfaces": [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        "capabilities": {"streaming": streaming, "pushNotifications": pushing},
        "defaultInputModes": ["text/plain", "text/x-python", JSON_TYPE],
        "defaultOutputModes": ["text/plain", JSON_TYPE],
        "skills": [
            {"id": skill, "name": skill, "description": f"It can do {skill}.", "tags": list(tags)} for skill in skills
        ],
    }

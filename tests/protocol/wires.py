"""Requests as bytes on the wire, in every binding and version, for what SDK clients would not send or show."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

V1 = {"A2A-Version": "1.0"}
WIRES = ("JSONRPC 1.0", "HTTP+JSON 1.0", "JSONRPC 0.3", "HTTP+JSON 0.3")
_METHODS = {
    ("JSONRPC 1.0", False): "SendMessage",
    ("JSONRPC 1.0", True): "SendStreamingMessage",
    ("JSONRPC 0.3", False): "message/send",
    ("JSONRPC 0.3", True): "message/stream",
}
_PATHS = {
    ("HTTP+JSON 1.0", False): "/message:send",
    ("HTTP+JSON 1.0", True): "/message:stream",
    ("HTTP+JSON 0.3", False): "/v1/message:send",
    ("HTTP+JSON 0.3", True): "/v1/message:stream",
}


def said(wire: str = "JSONRPC 1.0", **fields: Any) -> dict[str, Any]:
    """Return a message as *wire* writes it."""
    known: dict[str, Any] = {"messageId": str(uuid4())} | fields
    match wire:
        case "JSONRPC 0.3":
            return {"kind": "message", "role": "user", "parts": [{"kind": "text", "text": "hello"}]} | known
        case "HTTP+JSON 0.3":
            return {"role": "ROLE_USER", "content": [{"text": "hello"}]} | known
        case _:
            return {"role": "ROLE_USER", "parts": [{"text": "hello"}]} | known


def rpc(method: str, params: Any) -> dict[str, Any]:
    """Return a JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


async def call(
    http: httpx.AsyncClient, method: str, params: Any, *, path: str = "/", headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Make a JSON-RPC call of version 1.0."""
    return await http.post(path, json=rpc(method, params), headers=V1 | dict(headers or {}))


async def send(
    http: httpx.AsyncClient,
    wire: str = "JSONRPC 1.0",
    request: Mapping[str, Any] | None = None,
    *,
    streaming: bool = False,
    headers: Mapping[str, str] | None = None,
    prefix: str = "",
) -> httpx.Response:
    """Send a message on *wire*; *request* holds its params, a plain message when there are none."""
    params = dict(request or {"message": said(wire)})
    known = (V1 if wire.endswith("1.0") else {}) | dict(headers or {})
    if wire.startswith("JSONRPC"):
        body = rpc(_METHODS[wire, streaming], params)
        return await http.post(prefix or "/", json=body, headers=known)
    return await http.post(prefix + _PATHS[wire, streaming], json=params, headers=known)


@dataclass(frozen=True)
class Refusal:
    """What an error says, whatever the binding."""

    status: int
    code: int
    message: str
    reason: str = ""
    fields: tuple[str, ...] = ()


def refusal_in(response: httpx.Response) -> Refusal:
    """Return the error *response* carries; in a stream it is the first event."""
    text = response.text
    if response.headers["content-type"].startswith("text/event-stream"):
        text = next(line for line in text.splitlines() if line.startswith("data:")).removeprefix("data:")
    error = json.loads(text)["error"]
    details = error.get("details") or error.get("data") or []
    if isinstance(details, dict):  # version 0.3 has the bare data of the error
        fields = [problem["field"] for problem in details.get("errors", [])]
        return Refusal(response.status_code, error["code"], error["message"], fields=tuple(fields))
    by_type = {detail["@type"].rpartition(".")[2]: detail for detail in details}
    violations = by_type.get("BadRequest", {}).get("fieldViolations", [])
    return Refusal(
        response.status_code,
        error["code"],
        error["message"],
        reason=by_type.get("ErrorInfo", {}).get("reason", ""),
        fields=tuple(violation["field"] for violation in violations),
    )


def result_of(response: httpx.Response) -> dict[str, Any]:
    """Return the result of a JSON-RPC call, or the body of a REST answer."""
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    assert "error" not in body, body
    return dict(body.get("result", body))


def events_in(response: httpx.Response) -> list[dict[str, Any]]:
    """Return the events of a stream that has ended."""
    lines = [line for line in response.text.splitlines() if line.startswith("data:")]
    events = [json.loads(line.removeprefix("data:")) for line in lines]
    return [event.get("result", event) for event in events]

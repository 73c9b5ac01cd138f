"""A client that does not give up: it repeats what was not answered, with the same Idempotency-Key."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Sequence
from typing import Any

import httpx

from coordinator.core.extension import URI

AGAIN_S = 0.05
NOT_CANCELABLE = -32002
OVER = frozenset(f"TASK_STATE_{state}" for state in ("COMPLETED", "FAILED", "CANCELED", "REJECTED"))


class Refused(Exception):
    """The coordinator has answered with an error; the arguments are its code and message."""


class TryAgain(Exception):
    """The coordinator cannot do it now, its database is away for example."""


class Client:
    """Speaks A2A over JSON-RPC, by hand; with several URLs, each request goes to any of them."""

    def __init__(self, url: str | Sequence[str], http: httpx.AsyncClient) -> None:
        self._urls = [url] if isinstance(url, str) else list(url)
        self._http = http
        self.repeated = 0  #: requests that had to be sent again

    async def send(self, plan: str, **configuration: Any) -> dict[str, Any]:
        """Send a message for *plan* until it is answered, and return the task."""
        params = {"message": message_for(plan), "configuration": {"returnImmediately": True, **configuration}}
        result = await self._patiently("SendMessage", params, key=str(uuid.uuid4()))
        task: dict[str, Any] = result["task"]
        return task

    async def task(self, task_id: str) -> dict[str, Any]:
        """Read the task."""
        return await self._patiently("GetTask", {"id": task_id})

    async def over(self, task_id: str) -> dict[str, Any]:
        """Return the task once it is terminal."""
        while True:
            task = await self.task(task_id)
            if task["status"]["state"] in OVER:
                return task
            await asyncio.sleep(AGAIN_S)

    async def answer(self, task_id: str, words: str) -> None:
        """Wait until the task asks something, and answer it."""
        while True:
            task = await self.task(task_id)
            if task["status"]["state"] == "TASK_STATE_INPUT_REQUIRED":
                break
            await asyncio.sleep(AGAIN_S)
        own = {"messageId": str(uuid.uuid4()), "role": "ROLE_USER", "taskId": task_id, "parts": [{"text": words}]}
        params = {"message": own, "configuration": {"returnImmediately": True}}
        await self._patiently("SendMessage", params, key=str(uuid.uuid4()))

    async def cancel(self, task_id: str) -> None:
        """Cancel the task; a repeated cancel may find it canceled already."""
        try:
            await self._patiently("CancelTask", {"id": task_id})
        except Refused as refused:
            if refused.args[0] != NOT_CANCELABLE:
                raise

    async def _patiently(self, method: str, params: dict[str, Any], key: str = "") -> dict[str, Any]:
        while True:
            try:
                return await self.call(method, params, key)
            except (httpx.TransportError, TryAgain):
                self.repeated += 1
                await asyncio.sleep(AGAIN_S)

    async def call(self, method: str, params: dict[str, Any], key: str = "") -> dict[str, Any]:
        """Send one request. Raises `Refused` or `TryAgain`, or what httpx raises when nobody answers."""
        headers = {"A2A-Version": "1.0"} | ({"Idempotency-Key": key} if key else {})
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        url = random.choice(self._urls)
        answer = (await self._http.post(url, json=body, headers=headers)).json()
        if "error" in answer and "RetryInfo" in str(answer["error"].get("data")):
            raise TryAgain
        if "error" in answer:
            raise Refused(answer["error"]["code"], answer["error"]["message"])
        result: dict[str, Any] = answer["result"]
        return result


def message_for(plan: str) -> dict[str, Any]:
    """Return a message that names its plan."""
    return {
        "messageId": str(uuid.uuid4()),
        "role": "ROLE_USER",
        "parts": [{"text": f"please: {plan}"}],
        "metadata": {URI: {"plan": plan}},
    }

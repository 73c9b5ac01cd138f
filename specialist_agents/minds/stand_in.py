"""A stand-in for a language model's endpoint: it speaks chat completions and Anthropic's messages.

For tests, and for trying minds without a key: it understands nothing; what it says is made by rule and
says so. It can be late, overloaded and broken to order.
"""

import argparse
import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

Write = Callable[[str, str], str]
"""From instructions and material to what the model says."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one request meets instead of an answer."""

    status: int = 200  #: of the refusal; 200: the answer begins
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = "trouble"
    breaks_after: int | None = None  #: pieces of the answer before the connection ends without a word
    silent: bool = False  #: says nothing at all until the other side is gone
    junk: str = ""  #: said instead of events


@dataclass(slots=True)
class Heard:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def instructions(self) -> str:
        """The text in the roles that instruct."""
        system = self.body.get("system", "")
        told = [_text(system)] if system else []
        told += [_text(m["content"]) for m in self.body["messages"] if m["role"] in {"system", "developer"}]
        return "\n".join(told)

    @property
    def material(self) -> str:
        """The text in the role of the user."""
        return "\n".join(_text(m["content"]) for m in self.body["messages"] if m["role"] == "user")


def _text(content: str | Sequence[Mapping[str, Any]]) -> str:
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)


def by_rule(instructions: str, material: str) -> str:
    """Say something that depends on both halves: a list of sub-tasks or a vote where it is asked for, else a text."""
    agents = re.findall(r"^- ([a-z]+-view): (.+)$", instructions, re.MULTILINE)
    documents = re.findall(
        r'^<(?:document|message)-\w+ part="(\d+)".*?>\n(.*?)\n</(?:document|message)-',
        material,
        re.MULTILINE | re.DOTALL,
    )
    if '{"tasks":' in instructions:
        numbers = [int(number) for number, _ in documents]
        tasks = [{"id": name, "text": f"Look for: {can}.", "parts": numbers, "agent": name} for name, can in agents[:3]]
        return f"Here is the plan.\n```json\n{json.dumps({'tasks': tasks})}\n```"
    if '{"choice":' in instructions:
        return _ballot(material)
    name = re.search(r"You are the agent ([\w-]+)", instructions)
    words = sum(len(text.split()) for _, text in documents)
    opening = re.sub(r"\s+", " ", documents[0][1])[:90] if documents else ""
    lines = [
        f"(stand-in) {name[1] if name else 'nobody'} was given {words} words, number of parts: {len(documents)}.",
        f"The first one begins: {opening}",
    ]
    return "\n\n".join(lines)


def _ballot(material: str) -> str:
    """Choose the shortest of the answers in *material*."""
    said = re.findall(
        r'^<document-\w+ part="\d+".*? said-by="([\w-]+)">\n(.*?)\n</document-', material, re.MULTILINE | re.DOTALL
    )
    shortest = min(said, key=lambda answer: len(answer[1]), default=("nobody", ""))[0]
    return json.dumps({"choice": shortest, "why": "(stand-in) it is the shortest", "confidence": 50})


class StandIn:
    """The endpoint as a plain ASGI application; `troubles` are met in order, one a request, before any answer."""

    def __init__(
        self,
        write: Write = by_rule,
        *,
        delay_s: float = 0.0,
        pause_s: float = 0.0,
        key: str = "",
        troubles: Sequence[Trouble] = (),
    ) -> None:
        self.write = write
        self.delay_s = delay_s  #: before the first piece
        self.pause_s = pause_s  #: between pieces
        self.key = key  #: what it wants as a key; empty: anything
        self.troubles = list(troubles)
        self.heard: list[Heard] = []
        self.open = 0
        self.most_open = 0
        self.reached = asyncio.Event()  #: a request has met silence
        self.left = asyncio.Event()  #: and its sender has gone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await self._answer(scope, receive, send)
        finally:
            self.open -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        heard = Heard(scope["path"], headers, json.loads(await _body(receive) or b"{}"))
        self.heard.append(heard)
        trouble = self.troubles.pop(0) if self.troubles else Trouble()
        if self.key and self.key not in {
            headers.get("authorization", "").removeprefix("Bearer "),
            headers.get("x-api-key"),
        }:
            trouble = Trouble(401, code="invalid_api_key")
        if trouble.silent:
            self.reached.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left.set()
            return
        if trouble.status != 200:
            await _refuse(send, trouble)
            return
        await asyncio.sleep(self.delay_s)
        await self._stream(send, heard, trouble)

    async def _stream(self, send: Send, heard: Heard, trouble: Trouble) -> None:
        form = _anthropic if heard.path.endswith("/messages") else _openai
        said = self.write(heard.instructions, heard.material)
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
        await send(start)
        if trouble.junk:
            await send({"type": "http.response.body", "body": trouble.junk.encode()})
            return
        count = 0
        async with aclosing(form(heard, self._pieces(said))) as events:
            async for event in events:
                if trouble.breaks_after is not None and count > trouble.breaks_after:
                    raise ConnectionAbortedError("broken off to order")
                await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
                count += 1
        await send({"type": "http.response.body", "body": b""})

    async def _pieces(self, said: str) -> AsyncIterator[str]:
        for piece in re.findall(r"\s*\S+\s*$|\s*\S+", said):
            yield piece
            await asyncio.sleep(self.pause_s)


async def _openai(heard: Heard, pieces: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    count = 0

    def chunk(delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        document = {
            "id": "chatcmpl-stand-in",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": heard.body.get("model", "stand-in"),
            "choices": [choice],
        } | more
        return f"data: {json.dumps(document)}\n\n"

    yield chunk({"role": "assistant", "content": ""})
    async for piece in pieces:
        count += 1
        yield chunk({"content": piece})
    limit = heard.body.get("max_completion_tokens") or heard.body.get("max_tokens") or count
    yield chunk({}, "length" if count > limit else "stop")
    asked = len(f"{heard.instructions} {heard.material}".split())
    used = {"prompt_tokens": asked, "completion_tokens": count, "total_tokens": asked + count}
    yield chunk({}, choices=[], usage=used)
    yield "data: [DONE]\n\n"


async def _anthropic(heard: Heard, pieces: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    def event(kind: str, **fields: Any) -> str:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"

    asked = len(f"{heard.instructions} {heard.material}".split())
    message = {
        "id": "msg_stand_in",
        "type": "message",
        "role": "assistant",
        "model": heard.body.get("model", "stand-in"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": asked, "output_tokens": 1},
    }
    yield event("message_start", message=message)
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    count = 0
    async for piece in pieces:
        count += 1
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
    yield event("content_block_stop", index=0)
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    yield event("message_delta", delta=stop, usage={"output_tokens": count})
    yield event("message_stop")


async def _refuse(send: Send, trouble: Trouble) -> None:
    body = json.dumps({"error": {"message": "to order", "type": trouble.code, "code": trouble.code}}).encode()
    headers = [(name.lower().encode(), value.encode()) for name, value in trouble.headers.items()]
    headers += [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": trouble.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes:
    held = b""
    while True:
        message = await receive()
        held += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return held


def main() -> None:
    """Serve the stand-in until the process is told to stop."""
    made = argparse.ArgumentParser(prog="python -m specialist_agents.minds.stand_in", description=by_rule.__doc__)
    made.add_argument("--port", type=int, default=8499)
    made.add_argument("--delay", type=float, default=0.0, metavar="SECONDS", help="before an answer begins")
    made.add_argument("--pause", type=float, default=0.0, metavar="SECONDS", help="between its words")
    options = made.parse_args()
    stand_in = StandIn(delay_s=options.delay, pause_s=options.pause)
    uvicorn.run(stand_in, host="127.0.0.1", port=options.port, lifespan="off", log_level="warning")


if __name__ == "__main__":
    main()

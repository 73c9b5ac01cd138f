"""A coordinator that plays a script: an A2A server made of the SDK's own routes, without any agents.

What a stream brings is a list of steps; every call is kept, so a test can ask what the client did.
Run as a program, it serves one finished review on the port given.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import InvalidParamsError, TaskNotCancelableError, TaskNotFoundError, UnsupportedOperationError
from google.protobuf.json_format import ParseDict
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

URI = "https://w3id.org/a2a-coordinator/fan-out/v1"
TERMINAL = {
    a2a.TASK_STATE_COMPLETED,
    a2a.TASK_STATE_FAILED,
    a2a.TASK_STATE_CANCELED,
    a2a.TASK_STATE_REJECTED,
}

Step = Callable[["Coordinator", a2a.Task], Any]


def branch(agent: str, state: str, **more: Any) -> dict[str, Any]:
    return {"id": f"review/{agent}", "agent": agent, "state": state, "attempt": 1, "seconds": 0.5, **more}


def progress(*branches: Mapping[str, Any]) -> Step:
    """Tell how far the branches are."""
    settled = sum(b["state"] in {"succeeded", "failed", "timed_out", "canceled"} for b in branches)
    tally = {"total": len(branches), "succeeded": settled, "failed": 0, "open": len(branches) - settled}
    return status(a2a.TASK_STATE_WORKING, metadata={f"{URI}/progress": {"tally": tally, "branches": list(branches)}})


def status(state: int, words: str = "", metadata: Mapping[str, Any] | None = None) -> Step:
    """Move the task, with words and metadata."""

    def step(_: Coordinator, task: a2a.Task) -> a2a.TaskStatusUpdateEvent:
        task.status.state = state
        task.status.ClearField("message")
        if words:
            message = {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": words}]}
            task.status.message.CopyFrom(ParseDict(message, a2a.Message()))
        event = a2a.TaskStatusUpdateEvent(task_id=task.id, context_id=task.context_id, status=task.status)
        event.metadata.update(metadata or {})
        if f"{URI}/run" in (metadata or {}):
            task.metadata.update(metadata or {})
        return event

    return step


def question(number: str, agent: str = "style", text: str = "tabs or spaces?", **more: Any) -> dict[str, Any]:
    """A question as the coordinator tells it; `choices` are ids."""
    choices = [{"id": name, "text": f"to {name}"} for name in more.pop("choices", ())]
    asked = {"id": number, "kind": "input", "branch": f"review/{agent}", "agent": agent, "text": text}
    return {**asked, "parts": [{"text": text}], "choices": choices, **more}


def asking(
    *questions: Mapping[str, Any],
    state: int = a2a.TASK_STATE_INPUT_REQUIRED,
    words: str = "",
    problems: Sequence[str] = (),
) -> Step:
    """Wait for answers: one text for people, one document for programs."""
    told = words or "\n".join(f"{asked['id']}. {asked['agent']}: {asked['text']}" for asked in questions)
    document = {"schema": "questions/v1", "questions": list(questions)} | ({"problems": problems} if problems else {})
    data = {"data": document, "mediaType": "application/json", "metadata": {f"{URI}/questions": True}}
    message = {"messageId": "q", "role": "ROLE_AGENT", "parts": [{"text": told}, data], "extensions": [URI]}

    def step(_: Coordinator, task: a2a.Task) -> a2a.TaskStatusUpdateEvent:
        task.status.state = state
        task.status.message.CopyFrom(ParseDict(message, a2a.Message()))
        return a2a.TaskStatusUpdateEvent(task_id=task.id, context_id=task.context_id, status=task.status)

    return step


def refusal(words: str) -> Step:
    """Refuse a message: the question is not open any more."""

    def step(_: Coordinator, __: a2a.Task) -> Any:
        raise InvalidParamsError(words)

    return step


def ended(state: int, run: Mapping[str, Any], words: str = "") -> Step:
    """End the task with its run record."""
    return status(state, words, {f"{URI}/run": run})


def artifact(value: Mapping[str, Any], *, append: bool = False) -> Step:
    """Add an artifact, or parts to one."""

    def step(_: Coordinator, task: a2a.Task) -> a2a.TaskArtifactUpdateEvent:
        made = ParseDict(value, a2a.Artifact())
        known = next((a for a in task.artifacts if a.artifact_id == made.artifact_id), None)
        if append and known:
            known.parts.extend(made.parts)
        else:
            task.artifacts.append(made)
        return a2a.TaskArtifactUpdateEvent(task_id=task.id, context_id=task.context_id, artifact=made, append=append)

    return step


def quietly(step: Step) -> Step:
    """Let it happen without telling: the stream was not there."""

    def silent(coordinator: Coordinator, task: a2a.Task) -> None:
        step(coordinator, task)

    return silent


def end_of_stream(_: Coordinator, __: a2a.Task) -> Any:
    raise StopAsyncIteration


def failure(_: Coordinator, __: a2a.Task) -> Any:
    raise RuntimeError("a fault of the server")


def cut(_: Coordinator, __: a2a.Task) -> Any:
    raise asyncio.CancelledError  # ends the connection in the middle of the body


def until_canceled(coordinator: Coordinator, _: a2a.Task) -> Any:
    return coordinator.canceled.wait()


class Coordinator(RequestHandler):
    """The script, what became of it, and what was asked."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.steps: list[Step] = []
        self.later_steps: list[Step] = []  #: what a subscription brings
        self.answer_steps: list[list[Step]] = []  #: what each message on a task brings, the first before the Task
        self.reply: a2a.Message | None = None
        self.tasks: dict[str, a2a.Task] = {}
        self.calls: list[str] = []
        self.requests: list[a2a.SendMessageRequest] = []
        self.headers: list[Mapping[str, str]] = []
        self.cancel_hangs = False
        self.cancels: list[dict[str, Any]] | None = None  #: what became of them, None for a server that does not tell
        self.subscribes = True
        self.canceled = asyncio.Event()

    def new_task(self, task_id: str = "0badcafe-1111", state: int = a2a.TASK_STATE_SUBMITTED) -> a2a.Task:
        task = a2a.Task(id=task_id, context_id="context-1", status=a2a.TaskStatus(state=state))
        self.tasks[task_id] = task
        return task

    def _asked(self, name: str, context: Any) -> None:
        self.calls.append(name)
        self.headers.append(dict(context.state.get("headers", {})))

    def _known(self, task_id: str) -> a2a.Task:
        if task_id not in self.tasks:
            raise TaskNotFoundError
        return self.tasks[task_id]

    async def _play(self, steps: list[Step], task: a2a.Task) -> AsyncIterator[Any]:
        for step in steps:
            try:
                event = step(self, task)
            except StopAsyncIteration:
                return
            if asyncio.iscoroutine(event):
                await event
            elif event is not None:
                yield event

    async def on_message_send_stream(self, params, context) -> AsyncGenerator[Any]:
        self._asked("SendStreamingMessage", context)
        self.requests.append(params)
        if self.reply is not None:
            yield self.reply
            return
        if params.message.task_id:
            task, steps = await self._answered(params.message.task_id)
        else:
            task, steps = self.new_task(), self.steps
        yield task
        async for event in self._play(steps, task):
            yield event

    async def _answered(self, task_id: str) -> tuple[a2a.Task, list[Step]]:
        task = self._known(task_id)
        first, *others = self.answer_steps.pop(0)
        async for _ in self._play([first], task):
            pass
        return task, others

    async def on_message_send(self, params, context):
        self._asked("SendMessage", context)
        self.requests.append(params)
        if params.message.task_id:
            return (await self._answered(params.message.task_id))[0]
        return self.reply or self.new_task()

    async def on_subscribe_to_task(self, params, context) -> AsyncGenerator[Any]:
        self._asked("SubscribeToTask", context)
        task = self._known(params.id)
        if task.status.state in TERMINAL or not self.subscribes:
            raise UnsupportedOperationError("nothing to subscribe to")
        yield task
        async for event in self._play(self.later_steps, task):
            yield event

    async def on_get_task(self, params, context):
        self._asked("GetTask", context)
        task = self._known(params.id)
        if not self.subscribes:  # for a client that can only look, time passes with every look
            async for _ in self._play(self.later_steps[:1], task):
                pass
            del self.later_steps[:1]
        return task

    async def on_list_tasks(self, params, context):
        self._asked("ListTasks", context)
        found = [task for task in self.tasks.values() if params.status in (0, task.status.state)]
        start = int(params.page_token or 0)
        page = found[start : start + 2]  # small pages: a client has to turn them
        more = str(start + 2) if start + 2 < len(found) else ""
        return a2a.ListTasksResponse(tasks=page, next_page_token=more, page_size=2, total_size=len(found))

    async def on_cancel_task(self, params, context):
        self._asked("CancelTask", context)
        task = self._known(params.id)
        if self.cancel_hangs:
            await asyncio.Event().wait()
        if task.status.state in TERMINAL:
            raise TaskNotCancelableError
        task.status.state = a2a.TASK_STATE_CANCELED
        self.canceled.set()
        return task

    async def _refuse(self, params, context):
        raise UnsupportedOperationError

    on_create_task_push_notification_config = _refuse
    on_get_task_push_notification_config = _refuse
    on_list_task_push_notification_configs = _refuse
    on_delete_task_push_notification_config = _refuse
    on_get_extended_agent_card = _refuse


AGENTS = [
    {
        "name": "lint",
        "url": "http://127.0.0.1:8421/",
        "reachable": True,
        "error": None,
        "skills": [{"id": "python-review", "tags": ["python"]}],
        "branches": {"cap": 50, "most": 50, "inUse": 3, "waiting": 0},
        "circuit": {"state": "closed", "failures": 0, "retrySeconds": None},
        "streaming": True,
        "version": "1.0",
        "binding": "JSONRPC",
    },
    {"name": "types", "url": "http://127.0.0.1:8425/", "reachable": False, "error": "connection refused", "skills": []},
]
LOAD = {
    "branches": {"most": 1000, "inUse": 3, "waiting": 0},
    "coordinations": {"most": 200, "running": 1, "mostWaiting": 1000, "waiting": 0},
}
PLANS = [
    {
        "name": "code-review",
        "description": "Reviews.",
        "default": True,
        "stages": [{"name": "review", "to": {"skill": "python-review"}, "need": "0.6", "release": "settled"}],
    }
]


def application(coordinator: Coordinator, url: str, token: str | None = None) -> Starlette:
    card = a2a.AgentCard(
        name="stand-in",
        description="Plays a script.",
        version="1",
        supported_interfaces=[
            a2a.AgentInterface(url="grpc.example:443", protocol_binding="GRPC", protocol_version="1.0"),
            a2a.AgentInterface(url=f"{url}/", protocol_binding="JSONRPC", protocol_version="1.0"),
        ],
        capabilities=a2a.AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[a2a.AgentSkill(id="s", name="s", description="s", tags=["s"])],
    )

    async def agents(_: Request) -> JSONResponse:
        return JSONResponse({"agents": AGENTS, "load": LOAD})

    async def plans(_: Request) -> JSONResponse:
        return JSONResponse({"plans": PLANS})

    async def resolve(request: Request) -> JSONResponse:
        if request.path_params["name"] != "code-review":
            return JSONResponse({"error": {"code": 400, "message": "there is no such plan"}}, status_code=400)
        branches = [{"id": f"review/{a['name']}", "agent": a["name"], "url": a["url"]} for a in AGENTS]
        return JSONResponse({"plan": "code-review", "branches": branches})

    async def cancels(_: Request) -> JSONResponse:
        if coordinator.cancels is None:
            return JSONResponse({}, status_code=404)
        return JSONResponse({"cancels": coordinator.cancels})

    async def ready(_: Request) -> JSONResponse:
        return JSONResponse({})

    routes = [
        *create_agent_card_routes(card),
        *create_jsonrpc_routes(coordinator, "/"),
        Route("/agents", agents),
        Route("/plans", plans),
        Route("/plans/{name}:resolve", resolve, methods=["POST"]),
        Route("/readyz", ready),
        Route("/tasks/{name}/cancels", cancels),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, token=token)] if token else [])


class Guard:
    """Wants a token for everything but the card."""

    def __init__(self, app: Any, token: str) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        given = dict(scope.get("headers", [])).get(b"authorization", b"").decode()
        if given != f"Bearer {self.token}" and not scope.get("path", "").startswith("/.well-known"):
            await JSONResponse({"error": {"message": "who are you?"}}, status_code=401)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


@contextmanager
def serving(coordinator: Coordinator, token: str | None = None, card_url: str = "") -> Iterator[str]:
    """Serve it in a thread, on a port of its own, and yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = application(coordinator, card_url or url, token)
        config = uvicorn.Config(
            app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=0, loop="asyncio"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join()


REPORT = {
    "artifactId": "report",
    "name": "report",
    "parts": [
        {
            "data": {
                "schema": "merged-findings/v1",
                "summary": {
                    "received": 3,
                    "merged": 2,
                    "duplicates": 1,
                    "dropped": {"min_confidence": 0, "min_votes": 0},
                    "by_agent": {"lint": 2, "security": 1},
                },
                "items": [
                    {
                        "rank": 1,
                        "kind": "shell-injection",
                        "path": "a.py",
                        "statement": 3,
                        "range": {"startLine": 3, "startColumn": 1, "endLine": 3, "endColumn": 9},
                        "severity": "high",
                        "confidence": 90,
                        "votes": 2,
                        "message": "a shell is started",
                        "sources": [
                            {"agent": "lint", "rule": "S602", "tool": {"name": "ruff", "version": "0.14"}},
                            {"agent": "security", "rule": "B602", "tool": {"name": "bandit", "version": "1.9"}},
                        ],
                    },
                    {
                        "rank": 2,
                        "kind": "unused-import",
                        "path": "b.py",
                        "statement": 1,
                        "range": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 9},
                        "severity": "low",
                        "confidence": 80,
                        "votes": 1,
                        "message": "os is not used \x1b[2J\x1b]0;owned\x07",
                        "sources": [{"agent": "lint", "rule": "F401", "tool": {"name": "ruff", "version": "0.14"}}],
                    },
                ],
            }
        },
        {"text": "# Report", "mediaType": "text/markdown"},
    ],
}


def run(verdict: str = "complete", *missing: Mapping[str, Any]) -> dict[str, Any]:
    well = [
        {"id": f"review/{a}", "agent": a, "outcome": "succeeded", "attempts": 1, "queueSeconds": 0.0, "runSeconds": s}
        for a, s in (("lint", 1.0), ("security", 2.0))
    ]
    return {
        "plan": "code-review",
        "verdict": verdict,
        "reason": "" if verdict == "complete" else "not everybody answered",
        "tally": {"total": 2 + len(missing), "succeeded": 2, "failed": len(missing), "canceled": 0},
        "branches": [*well, *missing],
        "merge": {"strategy": "findings", "by_agent": {"lint": 2, "security": 1}},
        "wallSeconds": 2.0,
    }


TIMED_OUT = {
    "id": "review/types",
    "agent": "types",
    "outcome": "timed_out",
    "attempts": 2,
    "queueSeconds": 0.0,
    "runSeconds": 3.0,
    "error": {"kind": "timed_out", "message": "no answer within 3 s"},
}

COMPLETE: list[Step] = [
    progress(branch("lint", "working"), branch("security", "queued")),
    progress(branch("lint", "succeeded"), branch("security", "working", text="1 of 2 files")),
    artifact(REPORT),
    ended(a2a.TASK_STATE_COMPLETED, run()),
]
PARTIAL: list[Step] = [
    *COMPLETE[:-1],
    ended(a2a.TASK_STATE_COMPLETED, run("partial", TIMED_OUT), "partial: types is missing"),
]
FAILED: list[Step] = [ended(a2a.TASK_STATE_FAILED, {**run("failed", TIMED_OUT)}, "too few branches succeeded")]
ASKING: list[Step] = [status(a2a.TASK_STATE_INPUT_REQUIRED, "1. lint asks: which line length?")]


def main() -> None:
    coordinator = Coordinator()
    coordinator.steps = ASKING if "asking" in sys.argv else COMPLETE
    port = int(sys.argv[1])
    app = application(coordinator, f"http://127.0.0.1:{port}")
    uvicorn.run(app, port=port, log_level="critical", lifespan="off", ws="none")


if __name__ == "__main__":
    main()

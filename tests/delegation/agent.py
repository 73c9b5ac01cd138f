"""An agent made with the SDK that does whatever its message says: asks, streams, talks, waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import a2a_pb2 as a2a
from a2a.utils.constants import PROTOCOL_VERSION_1_0
from google.protobuf.struct_pb2 import Struct
from starlette.applications import Starlette

from coordinator.testing.server import listener, serving
from coordinator.wire import struct_out


@dataclass
class Worker(AgentExecutor):
    """The agent's mind; `messages` is what it was sent, in order."""

    messages: list[a2a.Message] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Do what the text says."""
        message = context.message or a2a.Message()
        self.messages.append(message)
        word = message.parts[0].text
        if word == "talk":
            await event_queue.enqueue_event(self._talk(context))
            return
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        if context.current_task is None:
            task = a2a.Task(id=context.task_id, context_id=context.context_id, history=[message])
            task.status.state = a2a.TASK_STATE_SUBMITTED
            await event_queue.enqueue_event(task)
        await getattr(self, f"_{word}", self._answer)(updater)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Stop."""
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        await updater.cancel(_say(updater, "stopped"))

    @staticmethod
    def _talk(context: RequestContext) -> a2a.Message:
        parts = [a2a.Part(text="just talking"), a2a.Part(url="https://example.test/x", media_type="text/html")]
        return a2a.Message(
            message_id="spoken-1",
            role=a2a.ROLE_AGENT,
            parts=parts,
            context_id=context.context_id,
            metadata=struct_out({"mood": "fine"}),
        )

    async def _ask(self, updater: TaskUpdater) -> None:
        await updater.start_work(_say(updater, "looking at it"))
        await updater.requires_input(_say(updater, "which one?", {"form": "f-1"}))

    async def _authorise(self, updater: TaskUpdater) -> None:
        await updater.requires_auth(_say(updater, "open https://example.test/approve"))

    async def _stream(self, updater: TaskUpdater) -> None:
        await updater.start_work()
        for number in range(4):
            await updater.add_artifact(
                [a2a.Part(text=f"piece {number}")],
                artifact_id="long",
                name="long one",
                append=number > 0,
                last_chunk=number == 3,
                metadata={"kind": "prose"},
            )
        data = a2a.Part(media_type="application/json")
        data.data.struct_value.update({"n": 1})
        await updater.add_artifact([data, a2a.Part(raw=b"\x00\x01", filename="x.bin")], artifact_id="other")
        await updater.complete(_say(updater, "all there"))

    async def _wait(self, updater: TaskUpdater) -> None:
        await updater.start_work(_say(updater, "waiting"))
        await self.go.wait()
        await updater.complete()

    async def _reject(self, updater: TaskUpdater) -> None:
        await updater.reject(_say(updater, "not my job"))

    async def _fail(self, updater: TaskUpdater) -> None:
        await updater.add_artifact([a2a.Part(text="half of it")], artifact_id="half")
        await updater.failed(_say(updater, "out of ideas"))

    async def _answer(self, updater: TaskUpdater) -> None:
        await updater.start_work(_say(updater, "thanks"))
        await updater.add_artifact([a2a.Part(text="the answer")], artifact_id="answer")
        await updater.complete(_say(updater, "done"))


def _say(updater: TaskUpdater, text: str, metadata: dict | None = None) -> a2a.Message:
    spoken = updater.new_agent_message([a2a.Part(text=text)], metadata=None)
    if metadata:
        kept = Struct()
        kept.update(metadata)
        spoken.metadata.CopyFrom(kept)
    return spoken


@asynccontextmanager
async def serving_agent(name: str = "worker") -> AsyncIterator[tuple[str, Worker]]:
    """Serve one; yield its URL and its mind."""
    worker = Worker()
    with listener() as opened:
        url = f"http://127.0.0.1:{opened.getsockname()[1]}"
        card = a2a.AgentCard(
            name=name,
            description="Does what it is told.",
            version="1",
            default_input_modes=["text/plain"],
            default_output_modes=["text/plain"],
            capabilities=a2a.AgentCapabilities(streaming=True),
            supported_interfaces=[
                a2a.AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version=PROTOCOL_VERSION_1_0)
            ],
            skills=[a2a.AgentSkill(id="anything", name="anything", description="Anything.", tags=["x"])],
        )
        handler = DefaultRequestHandler(agent_executor=worker, task_store=InMemoryTaskStore(), agent_card=card)
        routes = [*create_agent_card_routes(card), *create_jsonrpc_routes(handler, rpc_url="/")]
        async with serving(Starlette(routes=[*routes, *create_rest_routes(handler)]), opened):
            yield url, worker

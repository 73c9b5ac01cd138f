"""An agent made with FastA2A: its own implementation of the protocol, not the SDK's.

What it does is in the message: a line `fasta2a: fail` or `fasta2a: hang`; else it says what it heard.
"""

import argparse
import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import uvicorn
from fasta2a import FastA2A, Worker
from fasta2a.broker import InMemoryBroker
from fasta2a.schema import Artifact, Part, Skill
from fasta2a.storage import InMemoryStorage


class Storage(InMemoryStorage):
    """The library's, with times that say their zone: it writes them without one, which no reader of protobuf takes."""

    async def submit_task(self, context_id, message):
        """Begin a task."""
        return _with_a_zone(await super().submit_task(context_id, message))

    async def update_task(self, task_id, state, new_artifacts=None, new_messages=None):
        """Change a task."""
        return _with_a_zone(await super().update_task(task_id, state, new_artifacts, new_messages))


def _with_a_zone(task):
    local = datetime.fromisoformat(task["status"]["timestamp"])
    task["status"]["timestamp"] = local.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return task


class Echo(Worker):
    """Says what it heard."""

    async def run_task(self, params):
        """Do what the message says."""
        said = "\n".join(part.get("text", "") for part in params["message"]["parts"])
        await self.storage.update_task(params["id"], state="working")
        if "fasta2a: fail" in said:
            raise RuntimeError("out of order")
        while "fasta2a: hang" in said:
            await asyncio.sleep(0.05)
            task = await self.storage.load_task(params["id"])
            if task["status"]["state"] == "canceled":
                return
        artifacts = self.build_artifacts(f"FastA2A heard: {said.splitlines()[0]}")
        await self.storage.update_task(params["id"], state="completed", new_artifacts=artifacts)

    async def cancel_task(self, params):
        """End a task."""
        await self.storage.update_task(params["id"], state="canceled")

    def build_message_history(self, history):
        """Return the messages as they are."""
        return history

    def build_artifacts(self, result):
        """Return the answer as an artifact."""
        return [Artifact(artifact_id="answer", name="answer", parts=[Part(text=result, media_type="text/plain")])]


def application(port, storage):
    """Return the server."""
    broker = InMemoryBroker()
    worker = Echo(storage=storage, broker=broker)

    @asynccontextmanager
    async def lifespan(app):
        async with app.task_manager, worker.run():
            yield

    skill = Skill(id="echo", name="Echo", description="Says what it heard.", tags=["echo"])
    return FastA2A(
        storage=storage,
        broker=broker,
        lifespan=lifespan,
        name="FastA2A",
        url=f"http://127.0.0.1:{port}",
        skills=[skill],
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--as-it-comes", action="store_true", help="with the library's own storage")
    options = parser.parse_args()
    storage = InMemoryStorage() if options.as_it_comes else Storage()
    uvicorn.run(application(options.port, storage), host="127.0.0.1", port=options.port, log_level="warning")

"""An agent made with FastA2A: its own implementation of the protocol, not the SDK's.

What it does is in the message: a line `fasta2a: fail` or `fasta2a: hang`; else it says what it heard.
"""

import argparse
import asyncio
from contextlib import asynccontextmanager

import uvicorn
from fasta2a import FastA2A, Worker
from fasta2a.broker import InMemoryBroker
from fasta2a.schema import Artifact, Part, Skill
from fasta2a.storage import InMemoryStorage


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


def application(port):
    """Return the server."""
    storage, broker = InMemoryStorage(), InMemoryBroker()
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
    options = parser.parse_args()
    uvicorn.run(application(options.port), host="127.0.0.1", port=options.port, log_level="warning")

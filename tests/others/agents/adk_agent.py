"""An agent made with Google's Agent Development Kit, served by its `to_a2a`; its model is a script, so it needs no key.

What it does is in the message: a line `adk: fail` or `adk: hang`; else it says what it heard.
"""

import argparse
import asyncio

import uvicorn
from google.adk.a2a.utils.agent_to_a2a import to_a2a
from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmResponse
from google.genai import types


class Script(BaseLlm):
    """Says what the last message wants to hear."""

    async def generate_content_async(self, llm_request, stream=False):
        """Yield the answer."""
        said = "\n".join(part.text or "" for part in llm_request.contents[-1].parts)
        if "adk: fail" in said:
            raise RuntimeError("the model is out of order")
        if "adk: hang" in said:
            await asyncio.Event().wait()
        answer = types.Part(text=f"ADK heard: {said.splitlines()[0]}")
        yield LlmResponse(content=types.Content(role="model", parts=[answer]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    agent = LlmAgent(name="adk", description="Says what it heard.", model=Script(model="script"))
    application = to_a2a(agent, host="127.0.0.1", port=options.port)
    uvicorn.run(application, host="127.0.0.1", port=options.port, log_level="warning")

"""An agent made with Strands Agents and served by its A2AServer; its model is a script, so it needs no key.

What it does is in the message: a line `strands: fail`, `strands: hang` or `strands: ask`; else it says what it heard,
word by word.
"""

import argparse
import asyncio

from strands import Agent, tool
from strands.models import Model
from strands.multiagent.a2a import A2AServer


@tool(context=True)
def ask(tool_context):
    """Ask the client."""
    return tool_context.interrupt("language", reason="In which language?")


class Script(Model):
    """Says what the last message wants to hear."""

    def update_config(self, **_):
        """Keep nothing: there is nothing to configure."""

    def get_config(self):
        """Return what there is to configure."""
        return {}

    def structured_output(self, *_, **__):
        """Refuse: nobody asks for it here."""
        raise NotImplementedError

    async def stream(self, messages, *_, cancel_signal=None, **__):
        """Yield the answer as a model's events."""
        said = "\n".join(block.get("text", "") for block in messages[0]["content"])
        results = [block["toolResult"] for block in messages[-1]["content"] if "toolResult" in block]
        if "strands: fail" in said:
            raise RuntimeError("the model is out of order")
        yield {"messageStart": {"role": "assistant"}}
        if "strands: ask" in said and not results:
            yield {"contentBlockStart": {"start": {"toolUse": {"name": "ask", "toolUseId": "one"}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": "{}"}}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "tool_use"}}
            return
        yield {"contentBlockStart": {"start": {}}}
        last = results[0]["content"][0]["text"] if results else said.splitlines()[0]
        for word in ("Strands ", "heard: ", last):
            yield {"contentBlockDelta": {"delta": {"text": word}}}
        while "strands: hang" in said and not (cancel_signal and cancel_signal.is_set()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # a flag of threads is all it is given
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn"}}


def agent(_context_id):
    """Return an agent for one conversation."""
    return Agent(model=Script(), name="Strands", description="Says what it heard.", tools=[ask], callback_handler=None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--compliant", action="store_true", help="stream the answer as chunks of an artifact")
    options = parser.parse_args()
    server = A2AServer(agent_factory=agent, port=options.port, enable_a2a_compliant_streaming=options.compliant)
    server.serve(log_level="warning")

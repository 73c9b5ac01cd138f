"""An agent made with Strands Agents and served by its A2AServer; its model is a script, so it needs no key.

What it does is in the message: a line `strands: fail` or `strands: hang`; else it answers in words, one by one.
"""

import argparse
import asyncio

from strands import Agent
from strands.models import Model
from strands.multiagent.a2a import A2AServer


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
        said = "\n".join(block.get("text", "") for block in messages[-1]["content"])
        if "strands: fail" in said:
            raise RuntimeError("the model is out of order")
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockStart": {"start": {}}}
        for word in ("Strands ", "heard: ", said.splitlines()[0]):
            yield {"contentBlockDelta": {"delta": {"text": word}}}
        while "strands: hang" in said and not (cancel_signal and cancel_signal.is_set()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # a flag of threads is all it is given
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn"}}


def agent(_context_id):
    """Return an agent for one conversation."""
    return Agent(model=Script(), name="Strands", description="Says what it heard.", tools=[], callback_handler=None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--streaming", choices=["compliant", "legacy"], default="compliant")
    options = parser.parse_args()
    A2AServer(
        agent_factory=agent,
        port=options.port,
        enable_a2a_compliant_streaming=options.streaming == "compliant",
    ).serve(log_level="warning")

"""A message as it goes out to a specialist: the first one of a task, or one for a task it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from a2a.types import a2a_pb2 as a2a

from coordinator.core.commands import Send
from coordinator.core.extension import ANSWER, ENVELOPE
from coordinator.core.model import AgentRef
from coordinator.outbound.envelope import Envelope
from coordinator.wire import struct_out


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What *command* sends, with its *parts* loaded."""

    command: Send
    parts: Sequence[a2a.Part]
    envelope: Envelope

    @property
    def message_id(self) -> str:
        """Return the id under which it is sent, the first time and again."""
        return self.command.message_id

    @property
    def accepted_output_modes(self) -> tuple[str, ...]:
        """Return what the client accepts, where the answer goes to it unchanged."""
        return self.command.unchanged.accepted_output_modes if self.command.unchanged else ()

    def headers(self) -> dict[str, str]:
        """Return the trace context."""
        return self.envelope.headers(self.message_id)

    def message(self, agent: AgentRef) -> a2a.Message:
        """Return the message; a task of the agent is named by both its ids (spec 3.4)."""
        command = self.command
        message = a2a.Message(message_id=command.message_id, role=a2a.ROLE_USER, parts=self._parts())
        metadata = dict(command.unchanged.metadata) if command.unchanged else {}
        if command.unchanged is not None:
            message.extensions.extend(command.unchanged.extensions)
            message.reference_task_ids.extend(command.unchanged.reference_task_ids)
            message.context_id = command.unchanged.context_id
        if command.remote is not None:
            message.task_id, message.context_id = command.remote.task_id, command.remote.context_id
        if agent.understands_us:
            metadata[ENVELOPE] = self.envelope.as_json()
        if metadata:
            message.metadata.CopyFrom(struct_out(metadata))
        return message

    def _parts(self) -> Iterator[a2a.Part]:
        """Yield the parts; those that answer a question of a coordinator behind us are tagged with its id."""
        keys = self.command.answers or ("",) * len(self.parts)
        for part, key in zip(self.parts, keys, strict=True):
            if not key:
                yield part
                continue
            tagged = a2a.Part()
            tagged.CopyFrom(part)
            tagged.metadata.update({ANSWER: key})
            yield tagged

"""Plain delegation: one agent behind the task, and everything goes through unchanged, ids aside.

Holds what the agent has said so far, as the client is to see it. It decides nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from coordinator.core import events as ev
from coordinator.core.commands import Unchanged
from coordinator.core.extension import URI
from coordinator.core.model import Artifact, Message, Metadata, TaskState


def first_message_id(accepted: ev.TaskAccepted, attempt: int) -> str:
    """Return the messageId the specialist gets: the client's, made unique for the task and the attempt."""
    return passed_id(accepted, accepted.message, f"{attempt}")


def passed_id(accepted: ev.TaskAccepted, message: Message, about: str) -> str:
    """Return the id *message* goes on under: two clients that both use "1" stay apart at the specialist."""
    if accepted.plan.stages[0].keep_message_id:
        return message.message_id
    mark = hashlib.sha256(f"{accepted.task_id}\n{about}".encode()).hexdigest()[:12]
    return f"{message.message_id}-{mark}"


def unchanged(accepted: ev.TaskAccepted, message: Message | None = None) -> Unchanged:
    """Return what goes on beside the parts of *message*, by default the first one."""
    passed = message or accepted.message
    return Unchanged(
        metadata={key: value for key, value in passed.metadata.items() if not key.startswith(URI)},
        extensions=tuple(name for name in passed.extensions if name != URI),
        context_id=accepted.remote_context,
        reference_task_ids=accepted.remote_references if message is None else (),
        accepted_output_modes=accepted.accepted_output_modes,
    )


MOST_HISTORY = 1000
"""Messages that are kept of what was said before; the newest."""


class Passing:
    """What the specialist of a plain delegation has said."""

    def __init__(self, accepted: ev.TaskAccepted) -> None:
        self.message: Message | None = None  #: of the latest status
        self.metadata: Metadata = {}
        self.history: tuple[Message, ...] = (accepted.message,)
        self.whole: frozenset[str] = frozenset()  #: ids of the artifacts whose last chunk has come
        self.direct: Message | None = None  #: the answer, where it was a Message and no task
        self._replied_to: Message | None = None  #: what the agent had said before the client's latest message
        self._artifacts: dict[str, Artifact] = {}
        self._last: Message | None = None  #: of a terminal status, which is told with the results

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Return the artifacts as far as they have come."""
        return tuple(self._artifacts.values())

    def take(self, event: ev.Relayed) -> None:
        """Add one event of the specialist; a status message that is replaced becomes history (spec 4.2.1)."""
        if event.state is not None and event.state.is_terminal:
            self._last = event.message
        elif event.state is not None:
            self._supersede()
            self.message = event.message
        if event.metadata:
            self.metadata = {**self.metadata, **event.metadata}
        if event.artifact is not None:
            self._take_artifact(event.artifact, event)

    def heard(self, message: Message) -> None:
        """Add a message of the client."""
        self._replied_to = self.message
        self._supersede()
        self.history += (message,)

    def unheard(self, message: Message) -> None:
        """Take back a message of the client that the agent has not taken; what the agent had said stands again."""
        taken_back = [message] if self.message is not None else [message, self._replied_to]
        self.history = tuple(said for said in self.history if not any(said is one for one in taken_back))
        self.message = self.message or self._replied_to

    def conclude(self, artifacts: tuple[Artifact, ...]) -> None:
        """Let the final artifacts replace what differs from them."""
        self._artifacts = {artifact.artifact_id: artifact for artifact in artifacts}
        self.whole = frozenset(self._artifacts)

    def end(self) -> None:
        """Let the last word be the agent's where it has ended the task itself, and none of its earlier ones."""
        if self.direct is None:
            self._supersede()
            self.message = self._last

    def _supersede(self) -> None:
        if self.message is not None:
            self.history = (*self.history[-MOST_HISTORY:], self.message)
        self.message = None

    def _take_artifact(self, chunk: Artifact, event: ev.Relayed) -> None:
        known = self._artifacts.get(chunk.artifact_id)
        if event.append and known is not None:
            chunk = replace(known, parts=known.parts + chunk.parts)
        self._artifacts[chunk.artifact_id] = chunk
        whole = self.whole - {chunk.artifact_id}
        self.whole = whole | {chunk.artifact_id} if event.last_chunk else whole


def is_to_be_passed(state: TaskState | None) -> bool:
    """Whether a state of the specialist's is the task's at once; a terminal one waits for the results."""
    return state is not None and not state.is_terminal

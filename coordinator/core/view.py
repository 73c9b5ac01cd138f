"""What a client may see of a coordination: the A2A Task as plain values.

A view is computed from a live coordination, stored once when it closes, and turned into
protobuf at the edge. Streams are made by comparing one view with the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from coordinator.core.coordination import Coordination
from coordinator.core.extension import RUN
from coordinator.core.model import Artifact, Message, Metadata, TaskState
from coordinator.core.record import long_record, progress, run_record


@dataclass(frozen=True, slots=True)
class TaskView:
    """One task at one moment; `text` is the status message, `progress` only set while it works."""

    task_id: str
    context_id: str
    state: TaskState
    state_at: float
    history: tuple[Message, ...]
    text: str = ""
    artifacts: tuple[Artifact, ...] = ()
    metadata: Metadata = field(default_factory=dict)
    progress: Metadata = field(default_factory=dict)
    accepted_output_modes: tuple[str, ...] = ()
    long_record: tuple[Metadata, ...] = ()  #: every branch, when they are too many for metadata


def view_of(coordination: Coordination, at: float) -> TaskView:
    """Return the view of *coordination* at the instant *at*."""
    accepted = coordination.accepted
    is_over = coordination.state.is_terminal
    return TaskView(
        task_id=accepted.task_id,
        context_id=accepted.context_id,
        state=coordination.state,
        state_at=coordination.state_at,
        history=(accepted.message,),
        text=coordination.reason,
        artifacts=coordination.artifacts,
        metadata={RUN: run_record(coordination)} if is_over else {},
        progress={} if is_over else progress(coordination, at),
        accepted_output_modes=accepted.accepted_output_modes,
        long_record=long_record(coordination) if is_over else (),
    )

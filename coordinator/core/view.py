"""What a client may see of a coordination: the A2A Task as plain values.

A view is computed from a live coordination, stored once when it closes, and turned into
protobuf at the edge. Streams are made by comparing one view with the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from coordinator.core.coordination import Coordination
from coordinator.core.extension import RUN
from coordinator.core.model import Artifact, Message, Metadata, TaskState
from coordinator.core.passing import Passing
from coordinator.core.questions import Question
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
    knows_us: bool = False  #: the client activated our extension
    asked: tuple[Question, ...] = ()  #: what the client is asked
    problems: tuple[str, ...] = ()  #: why the client's latest message has not answered what it meant to
    message: Message | None = None  #: the status message, where an agent's own is passed through
    passes_through: bool = False
    unfinished: tuple[str, ...] = ()  #: ids of the artifacts of which more may come
    is_shown: bool = True  #: there is a task for the client; False while a direct Message may still be all there is
    direct: Message | None = None  #: the answer, where there is no task


def view_of(coordination: Coordination, at: float) -> TaskView:
    """Return the view of *coordination* at the instant *at*."""
    accepted = coordination.accepted
    is_over = coordination.state.is_terminal
    view = TaskView(
        task_id=accepted.task_id,
        context_id=accepted.context_id,
        state=coordination.state,
        state_at=coordination.state_at,
        history=coordination.messages,
        text=coordination.reason,
        artifacts=coordination.artifacts,
        metadata={RUN: run_record(coordination)} if is_over else {},
        progress={} if is_over else progress(coordination, at),
        accepted_output_modes=accepted.accepted_output_modes,
        long_record=long_record(coordination) if is_over else (),
        knows_us=accepted.knows_us,
        asked=tuple(question.frozen() for question in coordination.asked),
        problems=coordination.problems if coordination.asked else (),
        unfinished=coordination.unfinished,
    )
    return view if coordination.passing is None else _passed_through(view, coordination, coordination.passing)


def _passed_through(view: TaskView, coordination: Coordination, passing: Passing) -> TaskView:
    """Return the view as the agent's own; of ours it shows what a client that knows our extension reads."""
    return replace(
        view,
        history=passing.history,
        text="" if passing.message else view.text,
        message=passing.message,
        metadata={**passing.metadata, **(view.metadata if view.knows_us else {})},
        progress=view.progress if view.knows_us else {},
        asked=(),
        problems=(),
        passes_through=True,
        is_shown=coordination.is_shown,
        direct=coordination.direct,
    )

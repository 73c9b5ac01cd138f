"""The journal of one task told as a story: a line for each fact, in words.

Pure: events in, words out. A fact this module has no words for is told by its name, so that a new one
is never left out of the story.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from functools import singledispatch
from typing import Any

from coordinator.cli.terminal import duration, plural
from coordinator.core import events as ev

_BETWEEN_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")

_CANCELS: Mapping[str, str] = {
    "confirmed": "the agent confirmed the cancel",
    "finished": "the cancel came too late, the agent had finished",
    "refused": "the agent refused the cancel",
    "not_sent": "nothing to cancel, it was never sent",
    "not_found": "the agent knows nothing to cancel",
    "unreachable": "the agent could not be reached to cancel",
}


@singledispatch
def told(event: ev.Event) -> str:
    """Return what happened, in words."""
    words = _BETWEEN_WORDS.sub(" ", type(event).__name__).lower()
    known = {item.name: getattr(event, item.name) for item in dataclasses.fields(event)}
    details = [f"{name} {value}" for name, value in known.items() if _is_telling(name, value)]
    return f"{words}: {', '.join(details)}" if details else words


def _is_telling(name: str, value: Any) -> bool:
    return name not in {"at", "branch", "attempt"} and isinstance(value, str | int | float) and value != ""


def where(event: ev.Event) -> str:
    """Return the branch, or the stage, a fact is about; empty for the whole task."""
    return str(getattr(event, "branch", "") or getattr(event, "stage", ""))


@told.register
def _(event: ev.TaskAccepted) -> str:
    stages = ", ".join(stage.name for stage in event.plan.stages)
    parts = plural(len(event.message.parts), "part")
    text = f"accepted a message of {parts} for plan {event.plan.name} (stages: {stages})"
    return f"{text}, to be rejected: {event.rejection}" if event.rejection else text


@told.register
def _(event: ev.TurnStarted) -> str:
    return "a driver took it on" if event.epoch == 1 else f"a driver took it on again (claim {event.epoch})"


@told.register
def _(_: ev.TimePassed) -> str:
    return "a timer went off"


@told.register
def _(_: ev.CancelRequested) -> str:
    return "the client canceled the task"


@told.register
def _(event: ev.MessageReceived) -> str:
    named = [reply.question for reply in event.replies if reply.question]
    what = "with numbers in its text" if event.whole else f"for {plural(len(named), 'question')}"
    about = f", {what}: {', '.join(named)}" if named else ""
    return f"the client sent a message of {plural(len(event.message.parts), 'part')}{about}"


@told.register
def _(event: ev.CoordinationFailed) -> str:
    return f"given up: {event.reason}"


@told.register
def _(event: ev.AttemptStarted) -> str:
    return f"attempt {event.attempt} begins"


@told.register
def _(event: ev.TaskOpened) -> str:
    return f"the agent took it as task {event.remote.task_id}"


@told.register
def _(event: ev.Progressed) -> str:
    state = _state_words(event.state)
    return f'{state}: "{event.text}"' if event.text else state


def _state_words(state: str) -> str:
    return state.removeprefix("TASK_STATE_").lower().replace("_", " ")


@told.register
def _(event: ev.Relayed) -> str:
    state = f"passed on: {_state_words(event.state)}" if event.state else "passed on"
    return f"{state}, a piece of artifact {event.artifact.artifact_id}" if event.artifact else state


@told.register
def _(event: ev.Asked) -> str:
    asked = "; ".join(f'"{inquiry.text}"' for inquiry in event.inquiries)
    return f"the agent asks ({', '.join(dict.fromkeys(inquiry.kind for inquiry in event.inquiries))}): {asked}"


@told.register
def _(event: ev.Looked) -> str:
    return f"looked at, but not read: {event.detail}" if event.detail else "looked at: it still waits"


@told.register
def _(_: ev.Resumed) -> str:
    return "it goes on without an answer of ours"


@told.register
def _(_: ev.AnswerTaken) -> str:
    return "the agent took the answer"


@told.register
def _(event: ev.AnswerRefused) -> str:
    return f"the agent did not take the answer ({event.failure.kind}): {event.failure.message}"


@told.register
def _(event: ev.AttemptSucceeded) -> str:
    brought = plural(len(event.artifacts), "artifact") if event.artifacts else "a message"
    return f"attempt {event.attempt} succeeded with {brought}"


@told.register
def _(event: ev.AttemptFailed) -> str:
    left = "; its task may still run" if event.is_open else ""
    return f"attempt {event.attempt} failed ({event.failure.kind}): {event.failure.message}{left}"


@told.register
def _(event: ev.CancelSettled) -> str:
    return _CANCELS[event.result] + (f": {event.detail}" if event.detail else "")


@told.register
def _(event: ev.StageExpanded) -> str:
    return f"{plural(len(event.sub_tasks), 'sub-task')} made"


@told.register
def _(event: ev.ExpansionFailed) -> str:
    return f"no sub-tasks could be made: {event.reason}"


@told.register
def _(event: ev.Merged) -> str:
    late = "what came late was merged" if event.is_late else "merged"
    return f"{late} into {plural(len(event.artifacts), 'artifact')}"


@told.register
def _(event: ev.MergeDelegated) -> str:
    return f"merging goes on with the work of {event.sub_task.agent.name}"


@told.register
def _(event: ev.MergeQuestioned) -> str:
    return f'merging asks the client: "{event.inquiry.text}"'


@told.register
def _(event: ev.MergeFailed) -> str:
    return f"merging failed: {event.reason}"


def offset(event: ev.Event, start: float) -> str:
    """Return how long after *start* it happened."""
    seconds = max(0.0, event.at - start)
    return f"+{seconds:.3f} s" if seconds < 60 else f"+{duration(seconds)}"

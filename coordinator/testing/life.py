"""The life of a well-behaved task, as a sequence of beats; `faults.py` bends it.

A beat is what happens at one moment: a delay, perhaps a gate, and one thing told. Sequences are
lazy, so a life may be endless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from coordinator.testing import answers
from coordinator.testing.behaviour import Behaviour, Json, Point


@dataclass(frozen=True, slots=True)
class Status:
    """The task's state changes, or it says something."""

    state: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some parts of an artifact."""

    artifact: Json
    append: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class Speech:
    """A direct Message, the only thing that is told."""

    words: str


@dataclass(frozen=True, slots=True)
class Restart:
    """The agent forgets everything."""


Told = Status | Chunk | Speech | Restart


@dataclass(frozen=True, slots=True)
class Beat:
    """One moment; `after_s` None means that it never comes."""

    told: Told
    after_s: float | None = 0.0
    gate: Point | None = None
    is_told: bool = True  #: else streams do not hear of it
    is_kept: bool = True  #: else GetTask does not show it
    of_another: bool = False  #: told under the id of another task


def life(behaviour: Behaviour, work_s: float) -> Iterator[Beat]:
    """Yield what happens when everything goes well."""
    if behaviour.message:
        yield Beat(Speech(behaviour.message), work_s, "end")
        return
    pause = work_s / (len(behaviour.steps) + 1)
    yield Beat(Status("working"), gate="start")
    for step in behaviour.steps:
        yield Beat(Status("working", step), pause)
    rest: list[Told] = [*chunks(behaviour), Status(behaviour.end, behaviour.end_text)]
    yield Beat(rest[0], pause, "end")
    for told in rest[1:]:
        yield Beat(told)


def chunks(behaviour: Behaviour) -> Iterator[Chunk]:
    """Yield the artifacts in pieces."""
    artifacts: Iterable[Json] = behaviour.artifacts or ()
    if behaviour.artifacts is None and behaviour.end == "completed":
        artifacts = (answers.text("done"),)
    for artifact in artifacts:
        yield from _pieces(artifact, behaviour.chunk)


def _pieces(artifact: Json, size: int) -> Iterator[Chunk]:
    parts: list[Any] = artifact["parts"]
    size = size or len(parts) or 1
    for start in range(0, max(1, len(parts)), size):
        piece = {**artifact, "parts": parts[start : start + size]}
        yield Chunk(piece, append=start > 0, is_last=start + size >= len(parts))

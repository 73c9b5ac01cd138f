"""What goes into a merge and what comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, replace
from typing import Any, ClassVar, Protocol

from coordinator.core.extension import SOURCE
from coordinator.core.model import Part


@dataclass(frozen=True, slots=True)
class Source:
    """Where a piece of a merged artifact came from."""

    agent: str
    branch: str
    task_id: str
    artifact_id: str  #: empty when the agent answered with a direct Message

    def as_json(self) -> dict[str, str]:
        """Return the shape used in metadata and in merged documents."""
        return {
            "agent": self.agent,
            "branch": self.branch,
            "taskId": self.task_id,
            "artifactId": self.artifact_id,
        }


@dataclass(frozen=True, slots=True)
class Contribution:
    """One artifact, or direct Message, of one branch that succeeded."""

    source: Source
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class MergedArtifact:
    """An artifact as a strategy made it; ids are given by the caller."""

    name: str
    parts: tuple[Part, ...]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Merging:
    """The result of a strategy: the artifact, and numbers for the run record."""

    artifact: MergedArtifact
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """Another agent has to be asked before there is a result; what it answers goes to `Asking.resume`."""

    agent: str
    parts: tuple[Part, ...]  #: of the sub-task


@dataclass(frozen=True, slots=True)
class Question:
    """The client has to be asked before there is a result; what it answers goes to `Asking.resume`."""

    text: str
    choices: tuple[str, ...]
    parts: tuple[Part, ...] = ()  #: what it is about, for machines


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an `Ask` or a `Question`."""

    parts: tuple[Part, ...] = ()
    failure: str = ""  #: why nobody answered; empty: somebody did


Decision = Merging | Ask | Question
"""What a strategy returns."""


class Strategy(Protocol):
    """A dataclass that joins contributions, given in plan order. Raises `ValueError` when they cannot be joined."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __call__(self, contributions: Sequence[Contribution]) -> Decision:
        """Return the merged artifact, or who has to be asked first."""
        ...


class Asking(Strategy, Protocol):
    """A strategy that may return an `Ask` or a `Question`."""

    def resume(self, contributions: Sequence[Contribution], answer: Answer) -> Merging:
        """Return the merged artifact; the contributions are those of the call before."""
        ...


def with_source(part: Part, source: Source) -> Part:
    """Return *part* unchanged but for a note in its metadata that says where it came from."""
    return replace(part, metadata={**part.metadata, SOURCE: source.as_json()})


def parts_of(contributions: Sequence[Contribution]) -> Iterator[tuple[Source, Part]]:
    """Yield every part with its source, in plan order."""
    for contribution in contributions:
        for part in contribution.parts:
            yield contribution.source, part


def answers_of(contributions: Sequence[Contribution]) -> list[list[tuple[Source, Part]]]:
    """Return the parts branch by branch, in plan order; branches that brought no part are left out."""
    branches: dict[str, list[tuple[Source, Part]]] = {}
    for source, part in parts_of(contributions):
        branches.setdefault(source.branch, []).append((source, part))
    return list(branches.values())

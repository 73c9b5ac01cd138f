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


class Strategy(Protocol):
    """A dataclass that joins contributions, given in plan order. Raises `ValueError` when they cannot be joined."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __call__(self, contributions: Sequence[Contribution]) -> Merging:
        """Return the merged artifact."""
        ...


def with_source(part: Part, source: Source) -> Part:
    """Return *part* unchanged but for a note in its metadata that says where it came from."""
    return replace(part, metadata={**part.metadata, SOURCE: source.as_json()})


def parts_of(contributions: Sequence[Contribution]) -> Iterator[tuple[Source, Part]]:
    """Yield every part with its source, in plan order."""
    for contribution in contributions:
        for part in contribution.parts:
            yield contribution.source, part

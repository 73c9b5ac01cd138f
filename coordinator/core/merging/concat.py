"""`concat`: every part of every answer, one after the other, in plan order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coordinator.core.merging.contribution import Contribution, MergedArtifact, Merging, parts_of, with_source
from coordinator.core.model import Part


@dataclass(frozen=True, slots=True)
class Concat:
    """Keeps all parts as they are; whoever finished first makes no difference.

    What it makes of some branches is how what it makes of all begins, so it can be told piece by piece.
    """

    name: str = "result"  #: name of the merged artifact
    progressive: bool = False  #: results are told as soon as all before them are there; the stage sees to that

    def __call__(self, contributions: Sequence[Contribution]) -> Merging:
        """Return one artifact; an artifact needs a part, so nothing at all becomes an empty text."""
        parts = tuple(with_source(part, source) for source, part in parts_of(contributions))
        artifact = MergedArtifact(name=self.name, parts=parts or (Part("text", "", "text/plain"),))
        return Merging(artifact, {"parts": len(parts)})

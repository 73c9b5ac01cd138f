"""`synthesize`: a further agent writes one answer from all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from coordinator.core.merging.concat import Concat
from coordinator.core.merging.contribution import (
    Answer,
    Ask,
    Contribution,
    MergedArtifact,
    Merging,
    Source,
    with_source,
)
from coordinator.core.merging.fields import one_line
from coordinator.core.model import Part

INSTRUCTION = "Write one answer from what follows. It was said by several agents about the same task."


@dataclass(frozen=True, slots=True)
class Synthesize:
    """The material is what `concat` makes; it is also the result when nobody writes."""

    agent: str  #: who writes
    instruction: str = INSTRUCTION
    name: str = "result"  #: name of the merged artifact

    def __post_init__(self) -> None:
        """Raise `ValueError` for options that mean nothing."""
        if not self.agent:
            raise ValueError("agent names who writes")

    def __call__(self, contributions: Sequence[Contribution]) -> Merging | Ask:
        """Ask the writer; of nothing at all there is nothing to write."""
        material = Concat(self.name)(contributions)
        if not material.summary["parts"]:
            return material
        return Ask(self.agent, (Part("text", self.instruction, "text/plain"), *material.artifact.parts))

    def resume(self, contributions: Sequence[Contribution], answer: Answer) -> Merging:
        """Return what was written, or the material when the writer failed or wrote nothing."""
        if answer.parts and not answer.failure:
            source = Source(self.agent, "", "", "")
            parts = tuple(with_source(part, source) for part in answer.parts)
            told = f"Written by {self.agent} from the answers of {_agents(contributions)} agents."
            return Merging(MergedArtifact(self.name, parts, told), {"written_by": self.agent})
        reason = one_line(answer.failure or "it answered with nothing")
        told = f"{self.agent} has not written an answer ({reason}); this is what it would have written from."
        material = Concat(self.name)(contributions)
        artifact = replace(material.artifact, description=told)
        return Merging(artifact, {**material.summary, "written_by": "", "not_written": reason})


def _agents(contributions: Sequence[Contribution]) -> int:
    return len({contribution.source.agent for contribution in contributions})

"""`by_agent`: one document that holds each agent's answer under the agent's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.core.merging.contribution import Contribution, MergedArtifact, Merging, parts_of, with_source
from coordinator.core.model import Part


@dataclass(frozen=True, slots=True)
class ByAgent:
    """Text and data go into the document; files and links follow it as parts, untouched."""

    name: str = "result"  #: name of the merged artifact

    def __call__(self, contributions: Sequence[Contribution]) -> Merging:
        """Return the document first; a file is named there by the number of its part, counted from 0."""
        answers: dict[str, list[dict[str, Any]]] = {c.source.agent: [] for c in contributions}
        files: list[Part] = []
        for source, part in parts_of(contributions):
            if part.kind in {"text", "data"}:
                content: dict[str, Any] = {part.kind: part.content}
            else:
                files.append(with_source(part, source))
                content = {"part": len(files), "filename": part.filename, "mediaType": part.media_type}
            answers[source.agent].append({**source.as_json(), **content})
        document = Part("data", {"schema": "by-agent/v1", "answers": answers}, "application/json")
        return Merging(MergedArtifact(self.name, (document, *files)), {"agents": len(answers)})

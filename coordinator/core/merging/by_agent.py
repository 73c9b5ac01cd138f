"""`by_agent`: one document that holds each agent's answer under the agent's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coordinator.core.merging.contribution import Contribution, MergedArtifact, Merging, parts_of, with_source
from coordinator.core.model import Json, Part


@dataclass(frozen=True, slots=True)
class ByAgent:
    """Text and data go into the document; files and links follow it as parts, untouched."""

    name: str = "result"  #: name of the merged artifact
    output_keys: Mapping[str, str] = field(default_factory=dict)  #: by agent: the key its answer has in `state`

    def __post_init__(self) -> None:
        """Raise `ValueError` for keys that would hide each other."""
        keys = list(self.output_keys.values())
        if not all(keys):
            raise ValueError("output_keys gives an agent an empty key")
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"output_keys gives {twice[0]!r} to two agents; each needs a key of its own")

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
        state = {"state": self._state(answers)} if self.output_keys else {}
        document = Part("data", {"schema": "by-agent/v1", "answers": answers, **state}, "application/json")
        return Merging(MergedArtifact(self.name, (document, *files)), {"agents": len(answers)})

    def _state(self, answers: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Json]:
        """Return what each key stands for: the text or data itself, a list of them where an agent sent several."""
        contents = {agent: [_content(answer) for answer in answers.get(agent, ())] for agent in self.output_keys}
        brought = {agent: held for agent, held in contents.items() if held}
        return {self.output_keys[agent]: held[0] if len(held) == 1 else held for agent, held in brought.items()}


def _content(answer: Mapping[str, Any]) -> Json:
    kind = next((kind for kind in ("text", "data") if kind in answer), "")
    return answer[kind] if kind else {name: answer[name] for name in ("part", "filename", "mediaType")}

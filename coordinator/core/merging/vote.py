"""`vote`: what most branches say, in one field or as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from coordinator.core.merging.best import confidence_of
from coordinator.core.merging.contribution import Contribution, MergedArtifact, Merging, answers_of, with_source
from coordinator.core.merging.fields import at, canonical, check_path, label
from coordinator.core.merging.first import Answered
from coordinator.core.model import Json, Part

MOST_SHOWN = 20
"""Options in the summary and in the text; the document names them all."""


@dataclass(slots=True)
class _Option:
    value: Json
    ballots: list[Answered] = field(default_factory=list)
    confidence: float | None = None

    @property
    def agents(self) -> list[str]:
        return [ballot[0][0].agent for ballot in self.ballots]

    @property
    def standing(self) -> tuple[int, bool, float]:
        return len(self.ballots), self.confidence is not None, self.confidence or 0.0

    def as_json(self) -> dict[str, Json]:
        sources = [ballot[0][0].as_json() for ballot in self.ballots]
        stated = {} if self.confidence is None else {"confidence": self.confidence}
        return {"value": self.value, "votes": len(self.ballots), **stated, "sources": sources}


@dataclass(frozen=True, slots=True)
class Vote:
    """Each branch has one vote; ties go to the highest confidence stated, then to the first in plan order."""

    field: str = ""  #: dotted path in a data part; empty: the whole answer
    confidence: str = "confidence"  #: dotted path of a number in a data part
    name: str = "result"  #: name of the merged artifact

    def __post_init__(self) -> None:
        """Raise `ValueError` for options that mean nothing."""
        check_path("confidence", self.confidence)
        if self.field:
            check_path("field", self.field)

    def __call__(self, contributions: Sequence[Contribution]) -> Merging:
        """Return the tally as a data part and as text; a whole answer that won follows them untouched."""
        answers = answers_of(contributions)
        options = self._counted(answers)
        abstained = len(answers) - sum(len(option.ballots) for option in options)
        won = options[0] if options else _Option(None)
        tally = {
            "schema": "vote/v1",
            "field": self.field,
            "winner": won.value,
            "votes": len(won.ballots),
            "abstained": abstained,
            "options": [option.as_json() for option in options],
        }
        whole = () if self.field or not won.ballots else tuple(with_source(part, source) for source, part in _best(won))
        parts = (Part("data", tally, "application/json"), _text(options, len(answers), abstained), *whole)
        shown = [{"value": label(option.value), "votes": len(option.ballots)} for option in options[:MOST_SHOWN]]
        summary = {"votes": shown, "options": len(options), "abstained": abstained}
        return Merging(MergedArtifact(self.name, parts, _headline(options, len(answers))), summary)

    def _counted(self, answers: Sequence[Answered]) -> list[_Option]:
        """Return the options, most votes first."""
        options: dict[str, _Option] = {}
        for answer in answers:
            key, value = self._ballot(answer)
            if key:
                option = options.setdefault(key, _Option(value))
                option.ballots.append(answer)
                stated = confidence_of(answer, self.confidence)
                if stated is not None and (option.confidence is None or stated > option.confidence):
                    option.confidence = stated
        return sorted(options.values(), key=lambda option: option.standing, reverse=True)

    def _ballot(self, answer: Answered) -> tuple[str, Json]:
        """Return what identifies the option a branch is for, and the option; an empty text when it abstains."""
        if not self.field:
            contents = [_content(part) for _, part in answer]
            return canonical(contents), contents[0] if len(contents) == 1 else contents
        values = [at(part.content, self.field) for _, part in answer if part.kind == "data"]
        value = next((value for value in values if value is not None), None)
        return ("", None) if value is None else (canonical(value), value)


def _best(option: _Option) -> Answered:
    return option.ballots[0]


def _content(part: Part) -> Json:
    """Return a part as it is compared: white space at its ends is no difference, files are told by their bytes."""
    if part.kind == "text":
        return part.content.strip()
    if part.kind == "raw":
        return {"sha256": hashlib.sha256(part.content).hexdigest()}
    return part.content if part.kind == "data" else {"url": part.content}


def _headline(options: Sequence[_Option], count: int) -> str:
    if not options:
        return f"None of {count} branches voted."
    return f"{label(options[0].value)}: {len(options[0].ballots)} of {count} votes."


def _text(options: Sequence[_Option], count: int, abstained: int) -> Part:
    lines = [f"# Vote\n\n{_headline(options, count)}\n"]
    lines += [
        f"- **{label(option.value)}**: {len(option.ballots)} votes ({label(', '.join(option.agents))})"
        for option in options[:MOST_SHOWN]
    ]
    if len(options) > MOST_SHOWN:
        lines.append(f"\n… and {len(options) - MOST_SHOWN} more options in the data part.")
    if abstained:
        lines.append(f"\n{abstained} branches said nothing about it.")
    return Part("text", "\n".join(lines), "text/markdown")

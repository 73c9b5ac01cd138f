"""Writing up by rule: an overview, what several say, where they differ, and every source in its own words.

Two statements are the same when their words nearly are. Similar statements differ when their numbers
differ, or when one denies what the other says. Nobody's words are changed, and nothing is left out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from rapidfuzz import fuzz, utils

from specialist_agents.minds.material import Material, Piece

SAME = 85.0
SIMILAR = 70.0
MOST_STATEMENTS = 600
MOST_LINES = 30
_SHORTEST = 20
_LONGEST = 300

_STATEMENT = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])|\n+")
_MARKS = re.compile(r"^(?:[-*+>]|\d+[.)]|#{1,6})\s+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_DENIAL = re.compile(r"\b(?:not|no|never|none|cannot|without|nor)\b|n't\b", re.IGNORECASE)
_HEADING = re.compile(r"^(#{1,4})(?=\s)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Source:
    """What one agent, or one document, says."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence, or one line of a list."""

    source: str
    text: str
    words: str  #: for comparing


def synthesis(material: Material) -> str:
    """Return the Markdown document."""
    sources = _sources(material.documents)
    statements = [statement for source in sources for statement in _statements(source)][:MOST_STATEMENTS]
    agreed, differing = _compared(statements)
    lines = ["# Synthesis", "", "## Overview", ""]
    lines += [f"{len(sources)} source{'s' if len(sources) > 1 else ''}:", ""]
    lines += [f"- **{source.name}**: {_opening(source)}" for source in sources]
    lines += _listed("What several say", agreed)
    lines += _listed("Where they differ", differing)
    for source in sources:
        # Headings of a source come below the source's own.
        lines += ["", f"## {source.name}", "", _HEADING.sub(r"##\1", source.text.strip())]
    return "\n".join(lines) + "\n"


def _sources(documents: Sequence[Piece]) -> list[Source]:
    told: dict[str, list[str]] = {}
    for piece in documents:
        for name, text in _said(piece):
            told.setdefault(" ".join(name.split()), []).append(text)
    return [Source(name, "\n\n".join(texts)) for name, texts in told.items()]


def _said(piece: Piece) -> Iterator[tuple[str, str]]:
    """Yield who says what: in a document of answers by agent several do."""
    answers = piece.data.get("answers") if isinstance(piece.data, Mapping) else None
    if isinstance(answers, Mapping):
        for agent, parts in answers.items():
            for part in parts if isinstance(parts, list) else []:
                if isinstance(part, Mapping) and isinstance(part.get("text"), str):
                    yield str(agent), part["text"]
    elif piece.data is not None:
        yield _name(piece), f"```json\n{piece.text}\n```"
    else:
        yield _name(piece), piece.text


def _name(piece: Piece) -> str:
    return piece.agent or piece.name or f"part {piece.number}"


def _statements(source: Source) -> Iterator[Statement]:
    for line in _STATEMENT.split(source.text):
        text = _MARKS.sub("", line.strip())
        if _SHORTEST <= len(text) <= _LONGEST and not line.lstrip().startswith("#"):
            yield Statement(source.name, text, utils.default_process(text))


def _opening(source: Source) -> str:
    first = next((statement.text for statement in _statements(source)), "")
    return first or f"{len(source.text.split())} words"


def _compared(statements: Sequence[Statement]) -> tuple[list[str], list[str]]:
    """Return the lines about what is the same and about what differs, in the order of the sources."""
    agreed: dict[str, list[str]] = {}
    spoken_for: set[Statement] = set()
    differing = []
    for one, other in combinations(statements, 2):
        if one.source == other.source or other in spoken_for:
            continue
        likeness = fuzz.token_sort_ratio(one.words, other.words, score_cutoff=SIMILAR)
        if likeness and (reason := _difference(one, other)):
            differing.append(f"{reason}: {one.source} says “{one.text}”, {other.source} says “{other.text}”")
        elif likeness >= SAME and one not in spoken_for:
            agreed.setdefault(one.text, [one.source]).append(other.source)
            spoken_for.add(other)
    return [f"{text} ({', '.join(dict.fromkeys(who))})" for text, who in agreed.items()], differing


def _difference(one: Statement, other: Statement) -> str:
    if sorted(_NUMBER.findall(one.text)) != sorted(_NUMBER.findall(other.text)):
        return "Other numbers"
    return "One denies it" if bool(_DENIAL.search(one.text)) != bool(_DENIAL.search(other.text)) else ""


def _listed(heading: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    more = [f"- … and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return ["", f"## {heading}", "", *(f"- {line}" for line in lines[:MOST_LINES]), *more]

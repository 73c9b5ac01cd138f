"""What a research found, as lines for people and in Markdown: ranked, each with where to look it up.

Pure like `report.py`: JSON in, rich renderables and lines out. No word of a repository is trusted to be printable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from coordinator.cli.terminal import plural, printable, printable_lines

Json = Mapping[str, Any]
MERGED = "merged-items/v1"
_OF_A_PASSAGE = frozenset({"citation", "excerpt"})


@dataclass(frozen=True, slots=True)
class Research:
    """The passages by rank."""

    passages: Sequence[Json]

    def as_json(self) -> dict[str, Any]:
        """Return them as one document."""
        return {"schema": "research/v1", "passages": self.passages}


def research_of(artifacts: Iterable[Json]) -> Research | None:
    """Return what was found, if *artifacts* hold passages (several data parts are one list)."""
    items = [
        _flat(one)
        for artifact in artifacts
        for part in artifact.get("parts", [])
        if isinstance(part.get("data"), Mapping) and part["data"].get("schema") == MERGED
        for one in part["data"].get("items", [])
        if one.get("item", {}).keys() >= _OF_A_PASSAGE
    ]
    return Research(items) if items else None


def is_of_research(artifact: Json) -> bool:
    """Whether an artifact is what `research_of` reads."""
    return artifact.get("name") == "passages"


def _flat(ranked: Json) -> dict[str, Any]:
    agents = list(dict.fromkeys(source.get("agent", "") for source in ranked.get("sources", [])))
    told = {"rank": ranked.get("rank"), "score": ranked.get("score"), "votes": ranked.get("votes", len(agents))}
    return {**told, **ranked["item"], "foundBy": agents}


def research_lines(research: Research, top: int | None = None) -> Group:
    """Return the passages, the best first; *top* bounds how many."""
    shown = research.passages if top is None else research.passages[:top]
    lines: list[RenderableType] = [Text(_headline(research), style="bold"), Text()]
    for passage in shown:
        lines += _lines(passage)
    if left := len(research.passages) - len(shown):
        lines.append(Text(f"… {left} more; --all shows them", style="dim"))
    return Group(*lines)


def _headline(research: Research) -> str:
    kinds = [printable(passage.get("kind", "")) for passage in research.passages]
    told = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    return f"{plural(len(research.passages), 'passage')}: {told}"


def _lines(passage: Json) -> Iterator[RenderableType]:
    yield Text.assemble(
        f"{passage.get('rank', ''):>4}  ",
        (printable(passage.get("citation", "")), "bold"),
        f"  {printable(passage.get('title', ''))}  ",
        (_sure(passage), "dim"),
    )
    yield Padding(Text(printable_lines(passage.get("excerpt", "")), style="dim"), (0, 0, 1, 6), expand=False)


def _sure(passage: Json) -> str:
    by = ", ".join(map(printable, passage.get("foundBy", ())))
    return f"{printable(passage.get('kind', ''))}, match {passage.get('confidence', '?')} %, by {by}"


def markdown_lines(research: Research, missing: str) -> Iterator[str]:
    """Yield everything found in Markdown."""
    yield f"# Research\n\n{_headline(research)}."
    if missing:
        yield f"\n**Not complete:** {missing}."
    for passage in research.passages:
        place = printable(passage.get("citation", "")).replace("`", "'")
        yield f"\n{passage.get('rank', 1)}. `{place}` {printable(passage.get('title', ''))} ({_sure(passage)})\n"
        yield from (f"       {line}" for line in printable_lines(passage.get("excerpt", "")).splitlines())

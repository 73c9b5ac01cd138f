"""A ranked list as parts: data for programs, in documents of bounded length, and text for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from coordinator.core.merging.conflicts import Conflicts
from coordinator.core.merging.joining import Ranked, Sorted
from coordinator.core.model import Part

ITEMS_PER_PART = 1000
ITEMS_IN_TEXT = 50

Numbered = Mapping[str, Any]


def documents(schema: str, items: Sequence[Numbered], head: Mapping[str, Any]) -> Iterator[Part]:
    """Yield whole documents; *head* stands in the first one."""
    yield Part("data", {"schema": schema, **head, "items": items[:ITEMS_PER_PART]}, "application/json")
    for start in range(ITEMS_PER_PART, len(items), ITEMS_PER_PART):
        more = {"schema": schema, "items": items[start : start + ITEMS_PER_PART]}
        yield Part("data", more, "application/json")


def text(headline: str, items: Sequence[Numbered], line: Callable[[Numbered], str]) -> Part:
    """Return the first items in Markdown, one line each."""
    lines = [f"# Report\n\n{headline}\n"]
    lines += [f"{item['rank']}. {line(item)}" for item in items[:ITEMS_IN_TEXT]]
    if len(items) > ITEMS_IN_TEXT:
        lines.append(f"\n… and {len(items) - ITEMS_IN_TEXT} more in the data parts.")
    return Part("text", "\n".join(lines), "text/markdown")


def numbered(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return ranked items with their ranks, counted from 1."""
    return [{"rank": rank, **item} for rank, item in enumerate(items, start=1)]


def summarised(
    result: Sorted, groups: int, by_agent: Mapping[str, int], conflicts: Conflicts = "flag"
) -> dict[str, Any]:
    """Return the numbers of a merge; contradictions are told where the plan has a rule for them."""
    received = sum(by_agent.values())
    summary = {
        "received": received,
        "merged": len(result.kept),
        "duplicates": received - groups,
        "dropped": {option: len(dropped) for option, dropped in result.dropped.items()},
        "by_agent": dict(by_agent),
        **result.judged,
    }
    return summary if conflicts == "worst" else {**summary, "conflicts": dict(result.contradictions)}


def reasons(one: Ranked) -> dict[str, Any]:
    """Return whose words an item uses, what is contradicted, and why it ranks where it ranks."""
    score = {} if one.score is None else {"score": one.score}
    conflicts = {"conflicts": one.conflicts} if one.conflicts else {}
    return {"words": one.words(), "because": one.because, **score, **conflicts}


def agents_of(item: Numbered) -> str:
    """Return who is for an item, each agent once."""
    return ", ".join(dict.fromkeys(source["agent"] for source in item["sources"]))


def seen_by(item: Numbered) -> str:
    """Return votes and confidence, in brackets."""
    return f"({item['votes']} votes: {agents_of(item)}; confidence {item['confidence']:g})"

"""The merged report and the account of the run, as lines for people.

Pure: JSON in, rich renderables out. Tolerant where a field is missing, because a report may
have been written by another version, and no word of it is trusted to be printable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from coordinator.cli.live import MARKS, words
from coordinator.cli.terminal import duration, plural, printable
from coordinator.core.merging.findings import MERGED_SCHEMA

Json = Mapping[str, Any]

SEVERITY_STYLES: Mapping[str, str] = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "yellow",
    "low": "cyan",
    "info": "dim",
}

JUSTIFIED: Sequence[JustifyMethod] = ("left", "left", "right", "left")


@dataclass(frozen=True)
class Report:
    """A merged report, its data parts joined."""

    items: list[Json] = field(default_factory=list)
    summary: Json = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the report as one document."""
        return {"schema": MERGED_SCHEMA, "summary": self.summary, "items": self.items}


def report_of(artifacts: Iterable[Json]) -> Report | None:
    """Return the merged findings among *artifacts*, if there are any (several data parts are one report)."""
    documents = [
        part["data"]
        for artifact in artifacts
        for part in artifact.get("parts", [])
        if isinstance(part.get("data"), Mapping) and part["data"].get("schema") == MERGED_SCHEMA
    ]
    if not documents:
        return None
    items = [item for document in documents for item in document.get("items", [])]
    return Report(items, next((d["summary"] for d in documents if "summary" in d), {}))


def report_lines(report: Report, top: int | None = None) -> Group:
    """Return the ranked findings; *top* bounds how many."""
    shown = report.items if top is None else report.items[:top]
    lines: list[RenderableType] = [_headline(report), Text()]
    for item in shown:
        lines += _item_lines(item)
    if left := len(report.items) - len(shown):
        lines.append(Text(f"… {left} more; --all shows them", style="dim"))
    return Group(*lines)


def _headline(report: Report) -> Text:
    return Text.assemble((plural(len(report.items), "finding"), "bold"), f" ({summary_words(report)})")


def summary_words(report: Report) -> str:
    """Return what became of the findings as they came in: `43 received, 10 joined with another`."""
    summary, dropped = report.summary, report.summary.get("dropped", {})
    notes = [f"{summary.get('received', len(report.items))} received"]
    if joined := summary.get("duplicates"):
        notes.append(f"{joined} joined with another")
    if low := dropped.get("min_confidence"):
        notes.append(f"{low} left out for low confidence")
    if few := dropped.get("min_votes"):
        notes.append(f"{few} left out for too few votes")
    return ", ".join(notes)


def _item_lines(item: Json) -> Iterator[RenderableType]:
    severity = printable(item.get("severity", ""))
    place = f"{printable(item.get('path', ''))}:{item.get('range', {}).get('startLine', item.get('statement', ''))}"
    yield Text.assemble(
        f"{item.get('rank', ''):>4}  ",
        (severity.ljust(8), SEVERITY_STYLES.get(severity, "")),
        "  ",
        (place, "bold"),
        f"  {printable(item.get('kind', ''))}  ",
        (f"{plural(item.get('votes', 0), 'vote')}, confidence {item.get('confidence', '?')}", "dim"),
    )
    yield Padding(Text(printable(item.get("message", ""))), (0, 0, 0, 6), expand=False)
    yield Padding(Text(provenance(item), style="dim"), (0, 0, 0, 6), expand=False)


def provenance(item: Json) -> str:
    """Return who said it, by which rule of which tool."""
    return " · ".join(dict.fromkeys(_source(source) for source in item.get("sources", [])))


def _source(source: Json) -> str:
    tool = source.get("tool", {})
    by = f" ({printable(tool.get('name', ''))} {printable(tool.get('version', ''))})" if tool else ""
    return f"{printable(source.get('agent', ''))} {printable(source.get('rule', ''))}{by}"


def run_lines(run: Json) -> Group:
    """Return the account of a run: the tally, every branch, the times, and who is missing."""
    lines: list[RenderableType] = [_verdict_line(run), branch_table(run)]
    if times := time_line(run):
        lines.append(Text(times))
    if counts := by_agent_words(run.get("merge", {})):
        lines.append(Text(f"findings: {counts}"))
    lines += [Text(line, style="yellow") for line in missing_lines(run)]
    return Group(*lines)


def _verdict_line(run: Json) -> Text:
    verdict = printable(run.get("verdict", ""))
    style = {"complete": "bold green", "partial": "bold yellow"}.get(verdict, "bold red")
    line = Text.assemble(f"plan {printable(run.get('plan', ''))}: ", (verdict, style), f", {tally_words(run)}")
    if verdict != "complete" and (reason := run.get("reason")) and not missing_lines(run):
        line.append(f" ({printable(reason)})")
    return line


def tally_words(run: Json) -> str:
    """Return the tally as a phrase: `4 of 5 branches succeeded, 1 failed`."""
    tally = run.get("tally", {})
    phrase = f"{tally.get('succeeded', 0)} of {plural(tally.get('total', 0), 'branch')} succeeded"
    return phrase + "".join(f", {tally[name]} {name}" for name in ("failed", "canceled") if tally.get(name))


def branch_table(run: Json) -> Table:
    """Return what became of each branch."""
    table = Table.grid(padding=(0, 2))
    table.add_column()  # empty: it sets the others off
    for justify in JUSTIFIED:
        table.add_column(justify=justify, no_wrap=True)
    for branch in run.get("branches", []):
        mark, style = MARKS.get(branch.get("outcome", ""), ("?", "dim"))
        table.add_row(
            Text(),
            Text(printable(branch.get("agent", ""))),
            Text(f"{mark} {words(branch.get('outcome', ''))}", style=style),
            Text(duration(branch.get("runSeconds", 0.0))),
            Text(_branch_notes(branch), style="dim"),
        )
    return table


def _branch_notes(branch: Json) -> str:
    notes = [f"{branch['attempts']} attempts"] if branch.get("attempts", 1) > 1 else []
    if branch.get("queueSeconds", 0.0) >= 0.1:
        notes.append(f"queued {duration(branch['queueSeconds'])}")
    return ", ".join(notes)


def time_line(run: Json) -> str:
    """Return how the branches' own times relate to the time on the wall."""
    wall = run.get("wallSeconds", 0.0)
    spent = sum(branch.get("runSeconds", 0.0) for branch in run.get("branches", []))
    if not wall or not spent:
        return ""
    line = f"the branches took {duration(spent)} together, the wall clock {duration(wall)}"
    return f"{line}: {spent / wall:.1f} at a time on average"


def missing_lines(run: Json) -> list[str]:
    """Return a line for each branch that brought nothing, with the reason."""
    return [
        f"missing: {printable(branch.get('agent', ''))}: {_why(branch)}"
        for branch in run.get("branches", [])
        if branch.get("outcome") != "succeeded"
    ]


def _why(branch: Json) -> str:
    error = branch.get("error")
    outcome = words(branch.get("outcome", ""))
    return f"{outcome}, {printable(error.get('message', ''))}" if error else outcome


def by_agent_words(summary: Json) -> str:
    """Return how many findings each agent sent: `lint 12, types 3`."""
    counts: Mapping[str, int] = summary.get("by_agent", {})
    return ", ".join(f"{printable(agent)} {count}" for agent, count in counts.items())


def without_report(artifacts: Sequence[Json]) -> list[Json]:
    """Return the artifacts that hold no merged findings."""
    return [artifact for artifact in artifacts if report_of([artifact]) is None]


STOPPED = frozenset({"confirmed", "finished", "not_sent"})
"""Results of a cancel that need no word: nothing works on it any more."""


def cancel_lines(cancels: Sequence[Json]) -> list[str]:
    """Return a line for each agent that may still be at work though it was told to stop."""
    open_ones = [cancel for cancel in cancels if cancel.get("result") not in STOPPED]
    return [
        f"cancel: {printable(cancel.get('agent', ''))}: {words(cancel.get('result', ''))}"
        + (f", {printable(cancel['detail'])}" if cancel.get("detail") else "")
        for cancel in open_ones
    ]

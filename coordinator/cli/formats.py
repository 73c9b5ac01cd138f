"""A result as a document other programs take: SARIF, Markdown or JSON.

Pure but for the file it is written to. A report comes as data whatever its form is to be, so a finished task can be
written in each of them.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coordinator.cli.exits import ExitCode, Stop
from coordinator.cli.options import Format
from coordinator.cli.passages import markdown_lines as passages_lines
from coordinator.cli.passages import research_of
from coordinator.cli.queue import markdown_lines, queue_of
from coordinator.cli.report import Report, missing_lines, provenance, report_of, summary_words, tally_words
from coordinator.cli.tables import state_words
from coordinator.cli.terminal import plural, printable, printable_lines
from coordinator.cli.view import TaskView
from coordinator.core.sarif import MEDIA_TYPE, sarif_log

Json = Mapping[str, Any]


def document(view: TaskView, form: Format, code: ExitCode = ExitCode.USAGE) -> str:
    """Return what came out of a task as text. Raises `Stop` with *code* where there is nothing that has this form."""
    makers = {Format.SARIF: _sarif, Format.MARKDOWN: _markdown, Format.JSON: _json}
    if text := makers[form](view):
        return text
    told = f"task {view.task.id} is {state_words(view.state)} and" if view.task.id else "the answer"
    raise Stop(f"{told} has nothing that could be written as {form}; --format json writes whatever there is", code)


def deliver(text: str, output: Path | None) -> None:
    """Write *text* to the file, or to standard output. Raises `Stop` when the file cannot be written."""
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(f"{output} cannot be written: {error.strerror}") from error


def check_place(path: Path | None) -> None:
    """Raise `Stop` before anything is sent if the result could not be kept."""
    if path and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise Stop(f"{path} cannot be written: it is a folder, or its folder does not exist")


def missing_words(run: Json | None) -> str:
    """Return why a result is not whole, nothing when it is."""
    lines = missing_lines(run) if run else []
    return f"{tally_words(run)}; {'; '.join(lines)}" if run and lines else ""


def _json(view: TaskView) -> str:
    report = report_of(view.artifacts)
    told = report or queue_of(view.artifacts) or research_of(view.artifacts)
    # ASCII, so no terminal can be steered by it.
    return json.dumps(told.as_json() if told else {"artifacts": view.artifacts}, indent=2) + "\n"


def _sarif(view: TaskView) -> str:
    report = report_of(view.artifacts)
    if report is None:
        return next(_sent(view.artifacts), "")
    return json.dumps(sarif_log(report.items, report.summary, missing=missing_words(view.run)), indent=2) + "\n"


def _sent(artifacts: Iterable[Json]) -> Iterator[str]:
    """Yield the SARIF files of a task whose client had asked for nothing else."""
    for part in _parts(artifacts):
        if part.get("mediaType") == MEDIA_TYPE and "raw" in part:
            yield json.dumps(json.loads(base64.b64decode(part["raw"])), indent=2) + "\n"


def _markdown(view: TaskView) -> str:
    if report := report_of(view.artifacts):
        return "\n".join(_markdown_lines(report, missing_words(view.run))) + "\n"
    if queue := queue_of(view.artifacts):
        return "\n".join(markdown_lines(queue, missing_words(view.run))) + "\n"
    if research := research_of(view.artifacts):
        return "\n".join(passages_lines(research, missing_words(view.run))) + "\n"
    texts = [part["text"] for part in _parts(view.artifacts) if part.get("text")]
    texts += [view.words] if view.reply is not None and view.words else []
    return "\n\n".join(map(printable_lines, texts)) + "\n" if texts else ""


def _parts(artifacts: Iterable[Json]) -> Iterator[Json]:
    return (part for artifact in artifacts for part in artifact.get("parts", ()))


def _markdown_lines(report: Report, missing: str) -> Iterator[str]:
    yield "# Report\n"
    yield f"{plural(len(report.items), 'finding')} ({summary_words(report)})."
    if missing:
        yield f"\n**Not complete:** {missing}."
    yield ""
    for item in report.items:
        yield from _markdown_item(item)


def _markdown_item(item: Json) -> Sequence[str]:
    line = item.get("range", {}).get("startLine", item.get("statement", ""))
    place = f"{printable(item.get('path', ''))}:{line}".replace("`", "'")
    said = f"{printable(item.get('kind', ''))}: {printable(item.get('message', ''))}"
    sure = f"{plural(item.get('votes', 0), 'vote')}, confidence {item.get('confidence', '?')}"
    return (
        f"{item.get('rank', 1)}. **{printable(item.get('severity', ''))}** `{place}` {said}",
        f"   ({sure}; {provenance(item)})",
    )

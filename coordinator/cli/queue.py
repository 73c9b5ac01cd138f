"""A queue of mails, as a table for people and in Markdown.

Pure like `report.py`: JSON in, rich renderables and lines out. No word of a mail is trusted to be printable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from coordinator.cli.report import SEVERITY_STYLES
from coordinator.cli.terminal import plural, printable

Json = Mapping[str, Any]
MERGED = "merged-items/v1"
_OF_A_MAIL = frozenset({"mail", "urgency", "owner"})
_OF_AN_ATTACHMENT = frozenset({"mail", "filename", "number"})
_COLUMNS = ("", "urgency", "owner", "kind", "sent to", "sender is", "from", "subject")
_GIVE_WAY = frozenset({"from", "subject"})
_SENDER = {"pass": "authentic", "fail": "NOT AUTHENTIC", "mixed": "unclear", "none": "unknown"}
_AUDIENCE = {"personal": "one", "bulk": "many", "automatic": "(a program)"}


@dataclass(frozen=True, slots=True)
class Queue:
    """The mails by rank, and the attachments they came with."""

    mails: Sequence[Json]
    attachments: Sequence[Json]

    def as_json(self) -> dict[str, Any]:
        """Return the queue as one document."""
        return {"schema": "mail-queue/v1", "mails": self.mails, "attachments": self.attachments}


def queue_of(artifacts: Iterable[Json]) -> Queue | None:
    """Return the queue among *artifacts*, if there is one (several data parts are one queue)."""
    items = [
        ranked
        for artifact in artifacts
        for part in artifact.get("parts", [])
        if isinstance(part.get("data"), Mapping) and part["data"].get("schema") == MERGED
        for ranked in part["data"].get("items", [])
    ]
    mails = [_flat(one) for one in items if one.get("item", {}).keys() >= _OF_A_MAIL]
    attachments = [one["item"] for one in items if one.get("item", {}).keys() >= _OF_AN_ATTACHMENT]
    return Queue(mails, attachments) if mails else None


def is_of_queue(artifact: Json) -> bool:
    """Whether an artifact is the queue, or the feed of attachments beside it."""
    return artifact.get("name") in {"queue", "attachments"}


def _flat(ranked: Json) -> dict[str, Any]:
    agents = [source.get("agent", "") for source in ranked.get("sources", [])]
    return {"rank": ranked.get("rank"), **ranked["item"], "triagedBy": agents}


def queue_lines(queue: Queue, top: int | None = None) -> Group:
    """Return the queue as a table; *top* bounds how many mails."""
    shown = queue.mails if top is None else queue.mails[:top]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in _COLUMNS:
        # In a narrow window the columns that may wrap give way first; their cells are cut instead.
        table.add_column(column, no_wrap=column not in _GIVE_WAY, justify="left" if column else "right")
    for mail in shown:
        table.add_row(*_row(mail))
    lines: list[RenderableType] = [Text(_headline(queue), style="bold"), Text(), table]
    if left := len(queue.mails) - len(shown):
        lines.append(Text(f"… {left} more; --all shows them", style="dim"))
    return Group(*lines)


def markdown_lines(queue: Queue, missing: str) -> Iterator[str]:
    """Yield the whole queue in Markdown, and what the attachments hold in a word."""
    yield f"# Mail queue\n\n{_headline(queue)}."
    if missing:
        yield f"\n**Not complete:** {missing}."
    yield f"\n| # | {' | '.join(_COLUMNS[1:])} |\n|--:|{'---|' * (len(_COLUMNS) - 1)}"
    for mail in queue.mails:
        yield f"| {' | '.join(cell.plain.replace('|', chr(92) + '|') for cell in _row(mail))} |"
    if queue.attachments:
        yield "\n## Attachments\n"
    for attachment in queue.attachments:
        yield f"- {_told(attachment)}"


def _headline(queue: Queue) -> str:
    levels = [_value(mail, "urgency") for mail in queue.mails]
    told = ", ".join(f"{levels.count(level)} {level}" for level in dict.fromkeys(levels))
    files = f"; {plural(len(queue.attachments), 'attachment')}" if queue.attachments else ""
    return f"{plural(len(queue.mails), 'mail')}: {told}{files}"


def _row(mail: Json) -> tuple[Text, ...]:
    urgency = _value(mail, "urgency")
    sender = _SENDER.get(_value(mail, "authentication"), "?")
    flag = _value(mail, "injection")
    subject = _cut(printable(mail.get("subject") or "(no subject)"))
    if flag in {"likely", "suspected"}:
        subject = Text.assemble((f"[injection {flag}] ", "bold red"), subject, no_wrap=True, overflow="ellipsis")
    return (
        Text(str(mail.get("rank", ""))),
        Text(urgency, style=SEVERITY_STYLES.get(urgency, "")),
        Text(_value(mail, "owner")),
        Text(_value(mail, "kind")),
        Text(_AUDIENCE.get(_value(mail, "audience"), "?")),
        Text(sender, style="red" if sender == "NOT AUTHENTIC" else ""),
        _cut(printable(mail.get("from", ""))),
        subject,
    )


def _cut(words: str) -> Text:
    return Text(words, no_wrap=True, overflow="ellipsis")


def _value(mail: Json, field: str) -> str:
    judged = mail.get(field)
    return printable(judged.get("value", "")) if isinstance(judged, Mapping) else ""


def _told(attachment: Json) -> str:
    """Say what one attachment is: its mail, its name, and how much of what it holds."""
    where = f"{printable(attachment.get('mail', ''))}: {printable(attachment.get('filename') or '(no name)')}"
    for field, word in (("rows", "row"), ("pages", "page")):
        if isinstance(attachment.get(field), list):
            return f"{where}: {plural(len(attachment[field]), word)}"
    if "text" in attachment:
        return f"{where}: {plural(len(str(attachment['text'])), 'character')}"
    return f"{where}: not read, {printable(attachment.get('problem', ''))}"

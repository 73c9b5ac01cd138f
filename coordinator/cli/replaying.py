"""What `replay` and `export` do: read a task's facts from the database or an export, and tell them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection

from coordinator.cli import story
from coordinator.cli.exits import ExitCode, Stop
from coordinator.cli.export import Export, lines_of, load
from coordinator.cli.stored import told
from coordinator.cli.tables import STATE_STYLES, state_words
from coordinator.cli.terminal import note, plural, printable, say, say_json
from coordinator.core.coordination import Coordination
from coordinator.core.events import Event
from coordinator.core.record import progress
from coordinator.journal import Entry, sql_reads
from coordinator.journal.codec import decode
from coordinator.journal.places import shown
from coordinator.journal.stored import reading


@dataclass(frozen=True, slots=True)
class Fact:
    """An event at its place in the journal."""

    seq: int
    event: Event


def replay(source: str, database: Callable[[], Path | str], until: int | None, *, as_json: bool) -> ExitCode:
    """Tell the story of a task, or the state it had after fact *until*."""
    path = Path(source)
    export_ = load(path) if path.is_file() else _exported(source, database(), with_payloads=False)
    with told():
        facts = [_fact(entry) for entry in export_.entries]
        if until is None:
            _tell(export_.task_id, facts, as_json=as_json)
        else:
            _show(facts, until, as_json=as_json)
    return ExitCode.OK


def _fact(entry: Entry) -> Fact:
    try:
        return Fact(entry.seq, decode(entry.record))
    except ValueError as error:
        raise Stop(f"fact {entry.seq} cannot be read: it is no {entry.record.type} of this program") from error


def export(task_id: str, database: Path | str, output: Path | None, *, with_payloads: bool) -> ExitCode:
    """Write what is known of a task to *output*, or to standard output."""
    export_ = _exported(task_id, database, with_payloads=with_payloads)
    text = "".join(lines_of(export_))
    if output is None:
        sys.stdout.write(text)
        return ExitCode.OK
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(f"{output} cannot be written: {error.strerror}") from error
    payloads = plural(len(export_.payloads), "payload") if with_payloads else "no payloads"
    note(Text(f"{printable(output)}: {plural(len(export_.entries), 'fact')}, {payloads}"))
    return ExitCode.OK


def _exported(prefix: str, database: Path | str, *, with_payloads: bool) -> Export:
    with told(), reading(database) as connection:
        task_id = _found(connection, prefix, database)
        digests = sql_reads.digests_of(connection, task_id) if with_payloads else ()
        return Export(
            task_id=task_id,
            entries=sql_reads.entries(connection, task_id),
            head=sql_reads.head_of(connection, task_id),
            inbox=sql_reads.inbox_of(connection, task_id),
            payloads=sql_reads.payload_bodies(connection, digests),
        )


def _found(connection: Connection, prefix: str, database: Path | str) -> str:
    found = sql_reads.find_any(connection, prefix, limit=2)
    if not found:
        raise Stop(f"{shown(database)} has no task {prefix!r}, and there is no file of that name")
    if len(found) > 1 and found[0] != prefix:
        raise Stop(f"several tasks begin with {prefix!r}: {found[0]}, {found[1]}, …; give more of the id")
    return found[0]


def _tell(task_id: str, facts: Sequence[Fact], *, as_json: bool) -> None:
    start = facts[0].event.at
    if as_json:
        say_json({"taskId": task_id, "facts": [_fact_json(fact, start) for fact in facts]})
        return
    grid = Table.grid(padding=(0, 2))
    for is_number in (True, True, False, False):
        grid.add_column(justify="right" if is_number else "left", no_wrap=is_number)
    for fact in facts:
        event = fact.event
        place, words = printable(story.where(event)), printable(story.told(event))
        grid.add_row(Text(str(fact.seq), style="dim"), story.offset(event, start), Text(place), Text(words))
    coordination = Coordination.replay(fact.event for fact in facts)
    state = state_words(coordination.state)
    reason = f": {printable(coordination.reason)}" if coordination.reason else ""
    now = Text.assemble("now ", (state, STATE_STYLES.get(state, "")), reason)
    say(Group(Text(f"task {printable(task_id)}"), grid, now))


def _fact_json(fact: Fact, start: float) -> dict[str, Any]:
    event = fact.event
    return {
        "seq": fact.seq,
        "at": event.at,
        "offsetSeconds": round(event.at - start, 6),
        "type": type(event).__name__,
        "where": story.where(event) or None,
        "text": story.told(event),
    }


def _show(facts: Sequence[Fact], until: int, *, as_json: bool) -> None:
    """Show the state after fact *until*."""
    if until > facts[-1].seq:
        raise Stop(f"the journal has {plural(facts[-1].seq, 'fact')}: --until must be 1 to {facts[-1].seq}")
    known = [fact.event for fact in facts if fact.seq <= until]
    coordination = Coordination.replay(known)
    value = {"taskId": coordination.accepted.task_id, "until": until, **_state(coordination, known[-1].at)}
    if as_json:
        say_json(value)
        return
    say(_lines(value, story.offset(known[-1], known[0].at)))


def _state(coordination: Coordination, at: float) -> dict[str, Any]:
    return {
        "state": str(coordination.state),
        "verdict": coordination.verdict and str(coordination.verdict),
        "reason": coordination.reason,
        **progress(coordination, at),
        "openCommands": [command.id for command in coordination.outstanding()],
        "wakeAt": coordination.wake_at(),
        "artifacts": [artifact.artifact_id for artifact in coordination.artifacts],
    }


def _lines(value: dict[str, Any], after: str) -> Group:
    state = state_words(value["state"])
    grid = Table.grid(padding=(0, 2))
    grid.add_row("task", Text(value["taskId"]))
    grid.add_row("after", Text(f"fact {value['until']}, {after}"))
    reason = f": {printable(value['reason'])}" if value["reason"] else ""
    grid.add_row("state", Text.assemble((state, STATE_STYLES.get(state, "")), reason))
    branches = Table.grid(padding=(0, 2))
    for branch in value["branches"]:
        words = printable(branch.get("error") or branch.get("text") or "")
        branches.add_row("", *(Text(printable(branch[name])) for name in ("id", "agent", "state")), Text(words))
    grid.add_row("to be done", Text(", ".join(map(printable, value["openCommands"])) or "nothing"))
    if value["artifacts"]:
        grid.add_row("artifacts", Text(", ".join(map(printable, value["artifacts"]))))
    return Group(grid, branches)

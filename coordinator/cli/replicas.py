"""What `replicas` does: show who shares a database, what each drives, and what nobody drives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection

from coordinator.cli.exits import ExitCode
from coordinator.cli.tables import plain_table, state_words
from coordinator.cli.terminal import plural, printable, say, say_json
from coordinator.drivers.dbos.roster import Driven, Member, Roster, roster


def show(connection: Connection, *, as_json: bool) -> ExitCode:
    """Show who shares the database behind *connection*."""
    found = roster(connection)
    if as_json:
        say_json(_document(found))
        return ExitCode.OK
    say(_members(found.members) if found.members else Text("no replica is there"))
    if found.waiting or any(member.drives for member in found.members):
        say(Text(""))
        say(_tasks(found))
    say(Text(f"\n{plural(len(found.waiting), 'task')} due that nobody drives"))
    return ExitCode.OK


def _document(found: Roster) -> dict[str, Any]:
    return {
        "replicas": [
            {
                "executor": member.executor,
                "name": member.name,
                "pid": member.pid,
                "address": member.address,
                "version": member.version,
                "since": member.since.isoformat(),
                "drives": _listed(member.drives),
            }
            for member in found.members
        ],
        "waiting": _listed(found.waiting),
    }


def _listed(tasks: Iterable[Driven]) -> list[dict[str, str]]:
    return [{"taskId": task.task_id, "plan": task.plan, "state": task.state} for task in tasks]


def _members(members: Iterable[Member]) -> Table:
    rows = plain_table("replica", "pid", "address", "version", "since", "drives")
    for member in members:
        since = f"{member.since.astimezone():%Y-%m-%d %H:%M:%S}"
        address = member.address or "this machine"
        values = (member.name, member.pid, address, member.version, since, plural(len(member.drives), "task"))
        rows.add_row(*(Text(printable(value)) for value in values))
    return rows


def _tasks(found: Roster) -> Table:
    rows = plain_table("task", "plan", "state", "driven by")
    for driver, tasks in (*((f"{each.name} {each.pid}", each.drives) for each in found.members), ("", found.waiting)):
        for task in tasks:
            words = Text(printable(driver)) if driver else Text("nobody", style="red")
            rows.add_row(Text(task.task_id), Text(printable(task.plan)), Text(state_words(task.state)), words)
    return rows

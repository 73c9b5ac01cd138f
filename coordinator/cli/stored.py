"""What the `db` commands do, once their options are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from coordinator.cli.exits import ExitCode, Stop
from coordinator.cli.terminal import plural, printable, say, say_json, size
from coordinator.config import Settings, load_settings
from coordinator.core.durations import seconds
from coordinator.errors import CoordinatorError, JournalLocked
from coordinator.journal import SqlJournal, system_time
from coordinator.journal.places import is_postgres, postgres, shown
from coordinator.journal.sql_prune import prunable
from coordinator.journal.sql_schema import SCHEMA_VERSION
from coordinator.journal.stored import Stored, reading, stored
from coordinator.journal.stored import upgrade as bring_up
from coordinator.journal.upkeep import prune_all


def settings_of(config: Path | None, db: str | None) -> Settings:
    """Return the settings as `serve` finds them. Raises `Stop`."""
    with told():
        return load_settings(config, {"db": db})


def place_of(settings: Settings) -> Path | str:
    """Return the file or the URL of the database of these settings. Raises `Stop` for one in memory."""
    if settings.database is None:
        raise Stop("this configuration keeps its tasks in memory; name a database with --db")
    return settings.database


def database(config: Path | None, db: str | None) -> Path | str:
    """Return the file or the URL of the database of a configuration. Raises `Stop`."""
    return place_of(settings_of(config, db))


def age_of(text: str) -> float:
    """Return a duration in seconds. Raises `Stop`."""
    try:
        return seconds(text)
    except ValueError as error:
        raise Stop(f"--older-than: {error}") from error


@contextmanager
def told() -> Iterator[None]:
    """Turn an error of ours into the line the user gets."""
    try:
        yield
    except CoordinatorError as error:
        raise Stop(str(error)) from error


def look(where: Path | str) -> Stored:
    """Return what a database says about itself. Raises `Stop`."""
    with told(), reading(where, of_any_age=True) as connection:
        return stored(connection, where)


def status(where: Path | str, *, as_json: bool) -> ExitCode:
    """Show what a database is and holds."""
    found = look(where)
    if as_json:
        counts = {"owed": found.pushes.owed, "givenUp": found.pushes.given_up}
        about = {"newestSchema": SCHEMA_VERSION, "isCurrent": found.is_current}
        say_json({"path": shown(where), **asdict(found), "pushes": counts, **about})
        return ExitCode.OK
    version = "up to date" if found.is_current else "older than this program; see: coordinator db upgrade"
    grid = Table.grid(padding=(0, 2))
    unused = "" if found.unused is None else f", of which {size(found.unused)} unused"
    grid.add_row("database", Text(printable(shown(where))))
    grid.add_row("schema", Text(f"{found.schema}, {version}"))
    grid.add_row("size", Text(f"{size(found.size)}{unused}"))
    grid.add_row("tasks", Text(", ".join(f"{count} {name}" for name, count in found.tasks.items())))
    pushes = found.pushes
    grid.add_row("webhooks", Text(f"{pushes.owed} still to be told something, {pushes.given_up} given up"))
    say(grid)
    return ExitCode.OK


def upgrade(where: Path | str) -> ExitCode:
    """Bring a database up to date."""
    before = _schema_on_server(str(where)) if is_postgres(where) else look(where).schema
    with told():
        bring_up(where)
    after = look(where).schema
    name = printable(shown(where))
    if before == after:
        say(Text(f"{name} is up to date: schema {after}"))
    elif not before:
        say(Text(f"{name} has its tables now: schema {after}"))
    else:
        say(Text(f"{name} is up to date now: schema {before} became {after}"))
    return ExitCode.OK


def _schema_on_server(where: str) -> int:
    """Return the version of the tables, 0 for none: a file that is not there is a mistake, an empty database none."""
    with told(), postgres().reading(where) as (_, version, _):
        return int(version)


def replicas(where: Path | str, *, as_json: bool) -> ExitCode:
    """Show who shares the database *where*. Raises `Stop` for one that is not shared."""
    if not is_postgres(where):
        raise Stop(f"{shown(where)} is not shared: replicas need PostgreSQL; name it with --db postgresql://…")
    with told():
        postgres()  # says what to install where the extra is missing
    from coordinator.cli.replicas import show  # noqa: PLC0415 - needs the extra, and longer than a transaction may rest

    with told(), reading(where) as connection:
        return show(connection, as_json=as_json)


def prune_nothing(where: Path | str, age_s: float, *, as_json: bool) -> ExitCode:
    """Show what pruning would take away."""
    with told(), reading(where) as connection:
        found = prunable(connection, system_time() - age_s)
    told_ = {"tasks": found.coordinations, "payloads": found.payloads, "payloadBytes": found.size, "dryRun": True}
    words = f"{plural(found.coordinations, 'task')} and {plural(found.payloads, 'payload')} of {size(found.size)}"
    _say(told_, f"would forget {words}; nothing was changed", as_json=as_json)
    return ExitCode.OK


async def prune(settings: Settings, age_s: float, *, as_json: bool) -> ExitCode:
    """Forget what is old, and give its space back."""
    where = place_of(settings)
    before = look(where)
    with told():
        journal = await _opened(where)
        try:
            pruned = await prune_all(journal, retention_s=age_s, window_s=settings.deduplication_window)
            await journal.compact()
        finally:
            await journal.close()
    after = look(where)
    told_ = {
        "tasks": pruned.coordinations,
        "payloads": pruned.payloads,
        "keys": pruned.keys,
        "bytesBefore": before.size,
        "bytesAfter": after.size,
        "dryRun": False,
    }
    words = f"{plural(pruned.coordinations, 'task')} and {plural(pruned.payloads, 'payload')}"
    _say(told_, f"forgot {words}; the database has {size(after.size)}, it had {size(before.size)}", as_json=as_json)
    return ExitCode.OK


async def _opened(where: Path | str) -> SqlJournal:
    try:
        return await SqlJournal.open(where)
    except JournalLocked as error:
        raise Stop(f"{error}; or set `retention` in its configuration, then it prunes by itself") from error


def _say(value: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        say_json(value)
    else:
        say(Text(words))

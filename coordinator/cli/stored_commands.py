"""The commands that look into the database itself: their options and help, nothing else.

What they do is in `stored.py` and `replaying.py`, imported when a command runs.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.options import ConfigOption, IdArgument, JsonOption, StoredOption, examples

SourceArgument = Annotated[
    str, typer.Argument(metavar="ID|FILE", help="The task's id, or its beginning; or a file of `export`.")
]


def database_commands() -> typer.Typer:
    """Return the commands below `coordinator db`."""
    app = typer.Typer(no_args_is_help=True, help="Look after the database: its version, its size, what it keeps.")
    app.command(epilog=examples("coordinator db status", "coordinator db status --json"))(status)
    app.command(epilog=examples("coordinator db upgrade", "coordinator db upgrade --db ./coordinator.db"))(upgrade)
    app.command(
        epilog=examples("coordinator db prune --older-than 30d --dry-run", "coordinator db prune --older-than 30d")
    )(prune)
    return app


def status(config: ConfigOption = None, db: StoredOption = None, as_json: JsonOption = False) -> None:
    """Show the database's version, size and tasks. Works while the coordinator runs."""
    from coordinator.cli import stored

    raise typer.Exit(stored.status(stored.database(config, db), as_json=as_json))


def upgrade(config: ConfigOption = None, db: StoredOption = None) -> None:
    """Bring a database of an older version up to date; there is no way back, so keep a copy.

    `serve` does that as well for a SQLite file, and for PostgreSQL where older coordinators can work on meanwhile.
    Otherwise every coordinator must be stopped.
    """
    from coordinator.cli import stored

    raise typer.Exit(stored.upgrade(stored.database(config, db)))


def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="How long ago a task ended, at least: 30d, 12h.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show how much that would be; change nothing.")] = False,
    config: ConfigOption = None,
    db: StoredOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget tasks that ended long ago, with everything that is only theirs, and make a file smaller.

    A task under way is never forgotten. For a SQLite file the coordinator must be stopped, but for --dry-run; one
    that runs does it by itself when `retention` is set.
    """
    from coordinator.cli import stored
    from coordinator.cli.running import run

    age_s = stored.age_of(older_than)
    settings = stored.settings_of(config, db)
    if dry_run:
        raise typer.Exit(stored.prune_nothing(stored.place_of(settings), age_s, as_json=as_json))
    run(stored.prune(settings, age_s, as_json=as_json))


def replicas(config: ConfigOption = None, db: StoredOption = None, as_json: JsonOption = False) -> None:
    """Show the replicas that share a PostgreSQL database, what each drives, and what is due that nobody drives.

    Reads the database itself and asks no replica, so that it tells as much when they do not answer.
    """
    from coordinator.cli import stored

    raise typer.Exit(stored.replicas(stored.database(config, db), as_json=as_json))


def replay(
    source: SourceArgument,
    until: Annotated[
        int | None, typer.Option("--until", min=1, metavar="N", help="Show the state after fact N instead.")
    ] = None,
    config: ConfigOption = None,
    db: StoredOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the journal of a task as a story: one line a fact, with its number, time, branch and what happened.

    Reads the database itself, while the coordinator runs or not, or a file written by `export`.
    """
    from coordinator.cli import replaying, stored

    raise typer.Exit(replaying.replay(source, lambda: stored.database(config, db), until, as_json=as_json))


def export(
    task_id: IdArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; else standard output.")
    ] = None,
    payloads: Annotated[
        bool, typer.Option("--payloads", help="With what was sent and answered, not only the facts about it.")
    ] = False,
    config: ConfigOption = None,
    db: StoredOption = None,
) -> None:
    """Write the journal of a task as JSON lines, for a bug report.

    Leaves out what was sent and answered unless asked, whose task it is, and what looks like a secret in the
    facts; what --payloads adds is as it was sent. `coordinator replay FILE` tells it.
    """
    from coordinator.cli import replaying, stored

    raise typer.Exit(replaying.export(task_id, stored.database(config, db), output, with_payloads=payloads))

"""The commands below `coordinator agents`: their options and help, nothing else.

What they do is in `asking.py` and `listing.py`, imported when a command runs.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.options import JsonOption, ServerOption, TokenOption, examples, target

FileOption = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="The configuration, a YAML file; else ./coordinator.yaml.")
]
FILE = Path("coordinator.yaml")


def agent_commands() -> typer.Typer:
    """Return `coordinator agents` with the commands below it."""
    app = typer.Typer()
    app.callback(
        invoke_without_command=True,
        epilog=examples(
            "coordinator agents", "coordinator agents --json", "coordinator agents add https://specialist.example"
        ),
    )(agents)
    app.command(
        epilog=examples(
            "coordinator agents add https://specialist.example",
            "coordinator agents add http://127.0.0.1:9000 --name translator --config coordinator.yaml",
            "coordinator agents add https://specialist.example --token-env SPECIALIST_TOKEN --dry-run",
        )
    )(add)
    app.command(
        epilog=examples("coordinator agents remove translator", "coordinator agents remove https://specialist.example")
    )(remove)
    app.command(
        name="list", epilog=examples("coordinator agents list", "coordinator agents list --config coordinator.yaml")
    )(show)
    return app


def agents(
    context: typer.Context, as_json: JsonOption = False, server: ServerOption = None, token: TokenOption = None
) -> None:
    """Show the specialists the coordinator knows, and whether they answer; or change who is in its configuration."""
    if context.invoked_subcommand:
        return
    from coordinator.cli import asking
    from coordinator.cli.carry import Form
    from coordinator.cli.running import run

    run(asking.agents(target(context, server, token), Form(as_json)))


def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where the agent is, or its Agent Card.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="How plans call it; else the name on its card.")
    ] = None,
    token_env: Annotated[
        str | None,
        typer.Option("--token-env", metavar="VARIABLE", help="The environment variable with the bearer token for it."),
    ] = None,
    config: FileOption = FILE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what was found; write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Read an agent's card, check that this coordinator can work with it, and write it into the configuration.

    The file is made if it is not there; its comments and the order in it stay. The agent is asked for its card and
    for a task it cannot know; no work is sent. Ends with 2 when it cannot be used or is there already.
    """
    from coordinator.cli import listing
    from coordinator.cli.running import run

    run(listing.add(listing.Wish(url, name, token_env, dry_run), config, as_json=as_json))


def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The agent's name, or the card or URL of its entry.")],
    config: FileOption = FILE,
    as_json: JsonOption = False,
) -> None:
    """Take an agent out of the configuration; everything else in the file stays as it is."""
    from coordinator.cli import listing

    raise typer.Exit(listing.remove(name, config, as_json=as_json))


def show(config: FileOption = FILE, as_json: JsonOption = False) -> None:
    """Show the agents of the configuration, without asking them or a coordinator."""
    from coordinator.cli import listing

    raise typer.Exit(listing.show(config, as_json=as_json))

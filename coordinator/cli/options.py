"""The options several commands share, declared once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.exits import Stop

if TYPE_CHECKING:  # the client is imported when a command runs, see `client_commands.py`
    from coordinator.cli.carry import Form
    from coordinator.cli.client import Target

SERVER = "COORDINATOR_URL"
TOKEN = "COORDINATOR_TOKEN"  # noqa: S105 - the name of a variable, not a secret
DEFAULT_SERVER = "http://127.0.0.1:8420"


class Format(StrEnum):
    """The forms of document a result can be written in."""

    SARIF = "sarif"
    MARKDOWN = "markdown"
    JSON = "json"


ServerOption = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help=f"The coordinator to ask; else ${SERVER}, else {DEFAULT_SERVER}."),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token", metavar="TOKEN", help=f"The bearer token; better given as ${TOKEN}, which no process list shows."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object.")]
TopOption = Annotated[
    int, typer.Option("--top", min=0, metavar="N", help="How many findings to print, or lines of other data.")
]
AllOption = Annotated[bool, typer.Option("--all", help="Print every finding, and all of other data.")]
NoInputOption = Annotated[
    bool, typer.Option("--no-input", help="Never ask in the terminal: print the questions and end with 5.")
]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="Print the result as a document of this form, and everything else to stderr."),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="Write the document of --format there; print as without it."),
]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The task's id, or its beginning.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The configuration, a YAML file.")]
DbOption = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="PATH|URL",
        help="The database, a SQLite file or postgresql://user@host/name; `memory` keeps nothing.",
    ),
]

StoredOption = Annotated[
    str | None, typer.Option("--db", metavar="PATH|URL", help="The database; else the one of the configuration.")
]


def form(
    *,
    as_json: bool,
    top: int | None,
    written_as: Format | None,
    output: Path | None,
    leaves: str | None = None,
    no_input: bool = True,
) -> Form:
    """Return how a result is printed; *leaves* names an option that waits for none.

    Raises `Stop` for options that contradict each other.
    """
    from coordinator.cli.carry import Form  # noqa: PLC0415 - see above
    from coordinator.cli.prompt import can_ask  # noqa: PLC0415 - see above

    if output and not written_as:
        raise Stop(f"--output needs --format: {', '.join(Format)}")
    if written_as and leaves:
        raise Stop(f"--format needs a result, and {leaves} waits for none")
    if written_as and as_json and not output:
        raise Stop("--format and --json both write to standard output: leave one out, or give --output FILE")
    return Form(as_json, top, written_as, output, asks=can_ask(no_input=no_input))


def examples(*lines: str) -> str:
    """Return the end of a help text; the empty lines keep each example on a line of its own."""
    return "\n\n".join(["Examples:", *(f"  {line}" for line in lines)])


def target(context: typer.Context, server: str | None, token: str | None) -> Target:
    """Return the coordinator to talk to: an option after the command, before it, or the environment."""
    from coordinator.cli.client import Target  # noqa: PLC0415 - see above

    given: dict[str, str | None] = context.obj
    return Target.of(server or given["server"] or DEFAULT_SERVER, token or given["token"])

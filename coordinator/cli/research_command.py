"""The command `research`: its options and help; what it does is in `requesting.py`, imported when it runs."""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.exits import Stop
from coordinator.cli.options import (
    Format,
    FormatOption,
    JsonOption,
    OutputOption,
    ServerOption,
    TokenOption,
    form,
    target,
)


def research(
    context: typer.Context,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know, in words.")],
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH", help="The repository, or folders and files of it; else here.")
    ] = None,
    plan: Annotated[str, typer.Option("--plan", metavar="NAME", help="The plan; see: coordinator plans.")] = "research",
    deadline: Annotated[
        str | None,
        typer.Option("--deadline", metavar="TIME", help="For everything: 60s, 10m. Only narrows the plan's."),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", min=1, metavar="N", help="How many agents search at a time.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent to whom; send nothing.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Print the task's id and leave it to the coordinator.")
    ] = False,
    top: Annotated[int, typer.Option("--top", min=0, metavar="N", help="How many passages to print.")] = 10,
    show_all: Annotated[bool, typer.Option("--all", help="Print every passage.")] = False,
    written_as: FormatOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Ask a question about a repository of several sources at once.

    Sends the text files below each PATH and, where git knows them, the commits (no hidden folders, caches,
    environments, build output or symlinks; large files are left out and named). Prints passages, the best match
    first, each with its path and line or its commit. The coordinator needs the plan and the agents for it:
    coordinator network --research.

    Ends like `review`: 3 when some sources are missing, 4 when too few of them answered.
    """
    from coordinator.cli import requesting
    from coordinator.cli.message import Parameters, checked_duration
    from coordinator.cli.running import run

    if not question.strip():
        raise Stop("there is no question: give it in quotes")
    if written_as is Format.SARIF:
        raise Stop("--format sarif is for findings in code; passages are written as markdown or json")
    parameters = Parameters(plan, checked_duration(deadline), None, concurrency)
    leaves = "--dry-run" if dry_run else "--detach" if detach else None
    shape = form(as_json=as_json, top=None if show_all else top, written_as=written_as, output=output, leaves=leaves)
    order = requesting.Order((), parameters, shape, detach)
    asking = requesting.research(target(context, server, token), question, paths or [Path()], order, dry_run=dry_run)
    run(asking)

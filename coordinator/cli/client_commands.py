"""The commands that talk to a running coordinator: their options and help, nothing else.

What they do is in `requesting.py`, `asking.py` and `replying.py`. Those are imported when a command runs,
because a2a and httpx cost half a second, and `--help`, completion and `serve` do without them.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.exits import Stop
from coordinator.cli.options import (
    AllOption,
    Format,
    FormatOption,
    IdArgument,
    JsonOption,
    NoInputOption,
    OutputOption,
    ServerOption,
    TokenOption,
    TopOption,
    form,
    target,
)

PlanOption = Annotated[str | None, typer.Option("--plan", metavar="NAME", help="The plan; see: coordinator plans.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="Print the task's id and leave it to the coordinator.")]


def review(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files or folders with Python code.")],
    plan: Annotated[
        str, typer.Option("--plan", metavar="NAME", help="The plan; see: coordinator plans.")
    ] = "code-review",
    deadline: Annotated[
        str | None,
        typer.Option("--deadline", metavar="TIME", help="For everything: 60s, 10m. Only narrows the plan's."),
    ] = None,
    branch_timeout: Annotated[
        str | None, typer.Option("--branch-timeout", metavar="TIME", help="For each reviewer. Only narrows the plan's.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", min=1, metavar="N", help="How many reviewers work at a time.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent to whom; send nothing.")] = False,
    detach: DetachOption = False,
    top: TopOption = 20,
    show_all: AllOption = False,
    save: Annotated[Path | None, typer.Option("--save", metavar="FILE", help="Write the report there as JSON.")] = None,
    no_input: NoInputOption = False,
    written_as: FormatOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Have Python code reviewed by every reviewer at once.

    Sends the files *.py and *.pyi below each PATH (no hidden folders, caches, environments, build
    output or symlinks), and what else the plan takes of a repository, shows the branches while they
    work, and prints the merged report: ranked, with votes, and with the source of every finding.
    Ctrl-C cancels the task; with --detach it goes on.

    What the reviewers need to know is asked in the terminal. Ctrl-C there leaves the task waiting: see
    `coordinator answer`. Without a terminal the questions are printed, and it ends with 5.

    Ends with 0 when complete, 3 when some reviewers are missing, 4 when it failed or was canceled,
    5 when it waits for an answer, 2 for wrong usage or when no coordinator answers, 130 after Ctrl-C;
    the same with --format, which writes the report for other programs.
    """
    from coordinator.cli import requesting
    from coordinator.cli.message import Parameters, checked_duration
    from coordinator.cli.running import run

    parameters = Parameters(plan, checked_duration(deadline), checked_duration(branch_timeout), concurrency)
    leaves = "--dry-run" if dry_run else "--detach" if detach else None
    shape = form(
        as_json=as_json,
        top=None if show_all else top,
        written_as=written_as,
        output=output,
        leaves=leaves,
        no_input=no_input,
    )
    order = requesting.Order((), parameters, shape, detach, save)
    run(requesting.review(target(context, server, token), paths, order, dry_run=dry_run))


def triage(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="An mbox, a folder with .eml files, or one of them.")],
    plan: Annotated[
        str, typer.Option("--plan", metavar="NAME", help="The plan; see: coordinator plans.")
    ] = "mail-triage",
    first: Annotated[int | None, typer.Option("--first", min=1, metavar="N", help="Only the first N mails.")] = None,
    deadline: Annotated[
        str | None,
        typer.Option("--deadline", metavar="TIME", help="For everything: 60s, 10m. Only narrows the plan's."),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", min=1, metavar="N", help="How many batches are out at a time.")
    ] = None,
    detach: DetachOption = False,
    top: Annotated[int, typer.Option("--top", min=0, metavar="N", help="How many mails to print.")] = 20,
    show_all: Annotated[bool, typer.Option("--all", help="Print every mail.")] = False,
    written_as: FormatOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Have mails sorted into one queue: how urgent, whose, what about, from whom.

    Sends each mail of FILE as it is, shows the batches while agents work on them, and prints the queue:
    the most urgent first, equally urgent ones in their order. What the attachments hold is in --format
    json and markdown. The coordinator needs the plan and the agents for it: coordinator network --mail.

    Ends like `review`.
    """
    from coordinator.cli import requesting
    from coordinator.cli.message import Parameters, checked_duration
    from coordinator.cli.running import run

    if written_as is Format.SARIF:
        raise Stop("--format sarif is for findings in code; a queue is written as markdown or json")
    parameters = Parameters(plan, checked_duration(deadline), None, concurrency)
    leaves = "--detach" if detach else None
    shape = form(as_json=as_json, top=None if show_all else top, written_as=written_as, output=output, leaves=leaves)
    order = requesting.Order((), parameters, shape, detach)
    run(requesting.triage(target(context, server, token), path, first, order))


def send(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text; `-` reads it from standard input.")],
    file: Annotated[
        list[Path] | None, typer.Option("--file", metavar="FILE", help="A file to send; repeatable.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", metavar="JSON", help="A JSON value to send.")] = None,
    plan: PlanOption = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", metavar="NAME=VALUE", help="A parameter of the plan; repeatable."),
    ] = None,
    detach: DetachOption = False,
    top: TopOption = 20,
    show_all: AllOption = False,
    no_input: NoInputOption = False,
    written_as: FormatOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Send a message and print what comes back.

    Asks in the terminal and ends like `review`.
    """
    from coordinator.cli import requesting
    from coordinator.cli.message import Parameters, message_parts, parameter_values
    from coordinator.cli.running import run

    leaves = "--detach" if detach else None
    shape = form(
        as_json=as_json,
        top=None if show_all else top,
        written_as=written_as,
        output=output,
        leaves=leaves,
        no_input=no_input,
    )
    words = sys.stdin.read() if text == "-" else text
    parts = message_parts(words, file or [], data)
    parameters = Parameters(plan, values=parameter_values(parameter or []))
    order = requesting.Order(parts, parameters, shape, detach)
    run(requesting.carry(target(context, server, token), order))


def plans(
    context: typer.Context, as_json: JsonOption = False, server: ServerOption = None, token: TokenOption = None
) -> None:
    """Show the plans the coordinator offers."""
    from coordinator.cli import asking
    from coordinator.cli.carry import Form
    from coordinator.cli.running import run

    run(asking.plans(target(context, server, token), Form(as_json)))


def tasks(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="How many, the newest first.")] = 20,
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help="Only these: working, completed, failed, canceled, …")
    ] = None,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="What waits for an answer: every open question, and for whom.")
    ] = False,
    as_json: JsonOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Show the newest tasks."""
    from coordinator.cli import asking, replying
    from coordinator.cli.carry import Form
    from coordinator.cli.exits import Stop
    from coordinator.cli.running import run

    if waiting and state:
        raise Stop("--waiting is about two states, so --state does not go with it")
    if waiting:
        run(replying.waiting(target(context, server, token), Form(as_json), limit))
    run(asking.tasks(target(context, server, token), Form(as_json), state, limit))


def show(
    context: typer.Context,
    task: IdArgument,
    report: Annotated[bool, typer.Option("--report", help="Print the report instead.")] = False,
    top: TopOption = 20,
    show_all: AllOption = False,
    written_as: FormatOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Show one task: its state, its branches, what it cost, its artifacts.

    Ends with 0 whatever the task's state is; `watch` tells it by the exit code.
    """
    from coordinator.cli import asking
    from coordinator.cli.running import run

    shape = form(as_json=as_json, top=None if show_all else top, written_as=written_as, output=output)
    run(asking.show(target(context, server, token), task, shape, report=report))


def watch(
    context: typer.Context,
    task: IdArgument,
    top: TopOption = 20,
    show_all: AllOption = False,
    no_input: NoInputOption = False,
    written_as: FormatOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Follow a task until it ends, and print what came out. Ctrl-C leaves it running.

    Asks in the terminal and ends like `review`.
    """
    from coordinator.cli import asking
    from coordinator.cli.running import run

    shape = form(
        as_json=as_json, top=None if show_all else top, written_as=written_as, output=output, no_input=no_input
    )
    run(asking.watch(target(context, server, token), task, shape))


def answer(
    context: typer.Context,
    task: IdArgument,
    answers: Annotated[
        list[str] | None,
        typer.Argument(metavar="N=TEXT", help="Answer TEXT to question N. With one open question TEXT is enough."),
    ] = None,
    question: Annotated[
        str | None, typer.Option("--question", metavar="N", help="All that is given is for this question.")
    ] = None,
    file: Annotated[
        list[Path] | None, typer.Option("--file", metavar="FILE", help="A file as answer; repeatable.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", metavar="JSON", help="A JSON value as answer.")] = None,
    no_input: NoInputOption = False,
    as_json: JsonOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Answer what a task asks; without an answer it asks in the terminal.

    A TEXT is a choice's id where choices are offered, and `credential:NAME` where the coordinator's
    configuration has a credential for an authorisation. Not all questions need be answered at once;
    those answered go on. A TEXT that begins like `1=` is taken as it is after --question. `-` reads
    standard input.

    Ends with 0 when the task goes on, 5 when it waits for a further answer, else like `review`.
    """
    from coordinator.cli import replying
    from coordinator.cli.answers import Given
    from coordinator.cli.carry import Form
    from coordinator.cli.message import other_parts
    from coordinator.cli.prompt import can_ask
    from coordinator.cli.running import run

    texts = [sys.stdin.read() if text == "-" else text for text in answers or []]
    given = Given(texts, other_parts(file or [], data), question)
    shape = Form(as_json, asks=can_ask(no_input=no_input))
    run(replying.answer(target(context, server, token), task, given, shape))


def cancel(
    context: typer.Context,
    task: IdArgument,
    as_json: JsonOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Cancel a task."""
    from coordinator.cli import asking
    from coordinator.cli.carry import Form
    from coordinator.cli.running import run

    run(asking.cancel(target(context, server, token), task, Form(as_json)))

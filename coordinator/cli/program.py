"""The program `coordinator`: which commands there are, and how each of them may end.

Every command ends here: a `Stop` becomes its line and its exit code, Ctrl-C becomes 130.
Any other exception is a bug; `main` shows its name, and its traceback only when asked to.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from types import TracebackType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from coordinator import __version__
from coordinator.cli import agent_commands, client_commands, server_commands, stored_commands
from coordinator.cli.exits import ExitCode, Stop
from coordinator.cli.options import SERVER, TOKEN, ServerOption, TokenOption, examples
from coordinator.cli.research_command import research

DEBUG = "COORDINATOR_DEBUG"


class Commands(TyperGroup):
    """The commands, with one way to end for all of them."""

    @override
    def invoke(self, ctx: Any) -> Any:
        """Run a command; what it could not do is told in one line."""
        try:
            return super().invoke(ctx)
        except Stop as stop:
            _complain(str(stop))
            raise typer.Exit(stop.code) from stop
        except KeyboardInterrupt as interrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from interrupt


def _complain(message: str) -> None:
    # Only now: rich and protobuf are no business of `--help`.
    from coordinator.cli.terminal import complain  # noqa: PLC0415

    complain(message)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"coordinator {__version__}")
        raise typer.Exit


def everything(
    context: typer.Context,
    server: ServerOption = None,
    token: TokenOption = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Send one task to many A2A agents at once, and get one answer back.

    `demo` shows it with nothing prepared; `serve` runs a coordinator; `review` and `send` use one.
    """
    context.obj = {
        "server": server or os.environ.get(SERVER),
        "token": token or os.environ.get(TOKEN),
    }


def program() -> typer.Typer:
    """Return the program with all its commands."""
    app = typer.Typer(
        name="coordinator",
        cls=Commands,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(epilog=examples("coordinator demo", "coordinator serve", "coordinator review src"))(everything)
    _add_servers(app)
    _add_requests(app)
    _add_questions(app)
    _add_stored(app)
    return app


def _add_servers(app: typer.Typer) -> None:
    panel = "Run one"
    app.command(
        rich_help_panel=panel,
        epilog=examples("coordinator demo", "coordinator demo src --all", "coordinator demo src --with style"),
    )(server_commands.demo)
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            "coordinator serve",
            "coordinator serve --config coordinator.yaml",
            "coordinator serve --port 9000 --db memory --agents ./agent_cards --agents https://specialist.example",
        ),
    )(server_commands.serve)
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            "coordinator network",
            "coordinator network --with style,licences",
            "coordinator network --mail",
            "coordinator network --research",
            "coordinator network --office",
        ),
    )(server_commands.network)
    app.command(
        rich_help_panel=panel,
        epilog=examples("coordinator check --config coordinator.yaml", "coordinator check --diagram"),
    )(server_commands.check)
    app.command(rich_help_panel=panel, epilog=examples("coordinator init", "coordinator init /etc/coordinator.yaml"))(
        server_commands.init
    )


def _add_requests(app: typer.Typer) -> None:
    panel = "Use one"
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            "coordinator review src",
            "coordinator review src tests/test_one.py --deadline 60s --top 5",
            "coordinator review . --dry-run",
            "coordinator review . --json --save report.json",
            "coordinator review . --format sarif --output report.sarif",
            "coordinator review . --detach",
        ),
    )(client_commands.review)
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            "coordinator triage inbox.mbox",
            "coordinator triage ~/mail/archive --first 50 --all",
            "coordinator triage inbox.mbox --format markdown --output queue.md",
        ),
    )(client_commands.triage)
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            'coordinator research "How are duplicate findings joined?"',
            'coordinator research "When did `by_type` come in?" ~/src/project --top 5',
            'coordinator research "Which library reads PDF files?" --format markdown --output answer.md',
        ),
    )(research)
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            'coordinator send "What can you do?"',
            'coordinator send "Compare these" --file a.csv --file b.csv --plan compare',
            'coordinator send "" --data \'{"limit": 3}\' --json',
        ),
    )(client_commands.send)


def _add_questions(app: typer.Typer) -> None:
    panel = "Look at one"
    app.add_typer(agent_commands.agent_commands(), name="agents", rich_help_panel=panel)
    app.command(rich_help_panel=panel, epilog=examples("coordinator plans"))(client_commands.plans)
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            "coordinator tasks", "coordinator tasks --state failed --limit 5", "coordinator tasks --waiting"
        ),
    )(client_commands.tasks)
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            "coordinator show 3f2a", "coordinator show 3f2a --report", "coordinator show 3f2a --format markdown"
        ),
    )(client_commands.show)
    app.command(rich_help_panel=panel, epilog=examples("coordinator watch 3f2a"))(client_commands.watch)
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            "coordinator answer 3f2a tabs",
            "coordinator answer 3f2a 1=tabs 3=retry",
            "coordinator answer 3f2a --question 2 --file contract.pdf",
            "coordinator answer 3f2a 2=credential:registry",
        ),
    )(client_commands.answer)
    app.command(rich_help_panel=panel, epilog=examples("coordinator cancel 3f2a"))(client_commands.cancel)


def _add_stored(app: typer.Typer) -> None:
    panel = "Look into the database"
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            "coordinator replay 3f2a", "coordinator replay 3f2a --until 12", "coordinator replay report.jsonl --json"
        ),
    )(stored_commands.replay)
    app.command(
        rich_help_panel=panel,
        epilog=examples("coordinator export 3f2a --output report.jsonl", "coordinator export 3f2a --payloads"),
    )(stored_commands.export)
    app.command(
        rich_help_panel=panel,
        epilog=examples("coordinator replicas", "coordinator replicas --db postgresql://coordinator@db/tasks --json"),
    )(stored_commands.replicas)
    app.add_typer(stored_commands.database_commands(), name="db", rich_help_panel=panel)


def run_program() -> None:
    """Run the program as a process of its own."""
    sys.excepthook = _tell_bug
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character is no reason to fail
    # The libraries below the client log what the user is told anyway.
    logging.getLogger("a2a").addHandler(logging.NullHandler())
    # Not `program()()`, which would put typer's own exception hook over ours.
    typer.main.get_command(program())(prog_name="coordinator")


def _tell_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Name a bug in one line; the traceback is for those who ask."""
    if os.environ.get(DEBUG):
        sys.__excepthook__(kind, error, trace)
        return
    _complain(f"this is a bug of the program: {kind.__name__}: {error}; {DEBUG}=1 shows where")

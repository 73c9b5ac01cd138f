"""The commands that run or prepare a coordinator: their options and help, nothing else.

What they do is in `serving.py` and `performing.py`, imported when a command runs: `--help`
should not wait for a server and a database to be loaded.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.exits import Stop
from coordinator.cli.options import AllOption, ConfigOption, DbOption, JsonOption, NoInputOption, TopOption

WithOption = Annotated[
    str | None,
    typer.Option(
        "--with",
        metavar="NAMES",
        help="Specialists to start beside the five: style, licences, history, documentation, coverage, dependencies.",
    ),
]


class Auth(StrEnum):
    """Who may use the coordinator."""

    NONE = "none"
    TOKENS = "tokens"


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """For people or for programs."""

    TEXT = "text"
    JSON = "json"


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option("--host", help="Where to listen; else 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Where to listen; else 8420.")] = None,
    db: DbOption = None,
    replica: Annotated[
        str | None,
        typer.Option("--replica", metavar="NAME", help="On PostgreSQL: what this replica is called; else as its host."),
    ] = None,
    agents: Annotated[
        list[str] | None,
        typer.Option("--agents", metavar="DIR_OR_URL", help="Agent cards: a folder, a file, or a URL; repeatable."),
    ] = None,
    plans: Annotated[list[str] | None, typer.Option("--plans", metavar="DIR", help="Plan files; repeatable.")] = None,
    default_plan: Annotated[
        str | None, typer.Option("--default-plan", metavar="NAME", help="The plan of messages that name none.")
    ] = None,
    public_url: Annotated[
        str | None, typer.Option("--public-url", metavar="URL", help="How clients reach it, if not by host and port.")
    ] = None,
    grpc_port: Annotated[
        int | None, typer.Option("--grpc-port", min=0, max=65535, help="Where to serve gRPC too; else nowhere.")
    ] = None,
    auth: Annotated[
        Auth | None, typer.Option("--auth", help="Who may use it; tokens are in the configuration.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Serve other addresses than loopback without authentication.")
    ] = False,
    log_level: Annotated[LogLevel | None, typer.Option("--log-level", help="How much to log; else info.")] = None,
    log_format: Annotated[LogFormat | None, typer.Option("--log-format", help="How to log; else text.")] = None,
) -> None:
    """Run the coordinator until Ctrl-C or SIGTERM. Options override the configuration file."""
    from coordinator.cli import serving

    options = {
        "host": host,
        "port": port,
        "db": db,
        "replica": replica,
        "agents": agents,
        "plans": plans,
        "default_plan": default_plan,
        "public_url": public_url,
        "grpc_port": grpc_port,
        "auth": auth and auth.value,
        "insecure": insecure,
        "log_level": log_level and log_level.value,
        "log_format": log_format and log_format.value,
    }
    raise typer.Exit(serving.serve(config, options))


def demo(
    path: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="What to review; else a sample with flaws.")
    ] = None,
    extra: WithOption = None,
    top: TopOption = 20,
    show_all: AllOption = False,
    no_input: NoInputOption = False,
    as_json: JsonOption = False,
) -> None:
    """See it work: start five specialists and a coordinator, review PATH with them, stop everything.

    Uses free ports and a database of its own, and leaves no process behind, also after Ctrl-C.
    With `--with style,licences` two more take part, which ask in the terminal. Ends like `review`.
    """
    from coordinator.cli import performing
    from coordinator.cli.carry import Form
    from coordinator.cli.prompt import can_ask

    form = Form(as_json, None if show_all else top, asks=can_ask(no_input=no_input))
    raise typer.Exit(performing.demo(path, form, _names(extra)))


def network(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The coordinator's port.")] = 8420,
    db: DbOption = None,
    cards: Annotated[
        Path | None, typer.Option("--cards", metavar="DIR", help="The agent cards; else the shipped ones.")
    ] = None,
    extra: WithOption = None,
    mail: Annotated[
        bool, typer.Option("--mail", help="The mail agents and their plan instead of the reviewers; see: triage.")
    ] = False,
    research: Annotated[
        bool, typer.Option("--research", help="The agents that search repositories, and their plan; see: research.")
    ] = False,
    office: Annotated[
        bool, typer.Option("--office", help="The agents for texts, letters and invoices, and their plans, instead.")
    ] = False,
) -> None:
    """Keep the specialists and a coordinator running until Ctrl-C, on the ports of the agent cards."""
    from coordinator.cli import members, performing

    networks = {"--mail": mail, "--research": research, "--office": office}
    chosen = [option for option, is_given in networks.items() if is_given]
    if len(chosen) > 1:
        raise Stop(f"{' and '.join(chosen)} are {len(chosen)} networks: start each on a --port of its own")
    casts = {"--mail": members.MAIL, "--research": members.RESEARCH, "--office": members.OFFICE}
    cast = casts[chosen[0]] if chosen else members.REVIEWERS
    raise typer.Exit(performing.keep_running(port, db, cards, cast, _names(extra)))


def _names(listed: str | None) -> list[str]:
    """Return what a list with commas names, each once."""
    return list(dict.fromkeys(name.strip() for name in (listed or "").split(",") if name.strip()))


def check(
    config: ConfigOption = None,
    diagram: Annotated[
        bool, typer.Option("--diagram", help="Print the lifecycle of a branch as a Mermaid diagram instead.")
    ] = False,
) -> None:
    """Check configuration, plans and agent cards without starting anything."""
    from coordinator.cli import serving
    from coordinator.cli.terminal import say
    from coordinator.core import states

    if diagram:
        say(states.diagram())
        return
    raise typer.Exit(serving.check(config))


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")] = Path("coordinator.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
) -> None:
    """Write a commented configuration file to start from."""
    from coordinator.cli import serving

    raise typer.Exit(serving.init(file, force=force))

"""The command line: `python -m specialist_agents NAME`, and `… mind`, which has options of its own.

Prints nothing but its help; what it has to say goes to standard error, one line each.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from typing_extensions import override

from specialist_agents.cards import CARDS, card_names
from specialist_agents.logs import log_to_stderr
from specialist_agents.server import Address, CannotServe, serve
from specialist_agents.workshop import Limits

USAGE_ERROR = 2


class _OneLine(argparse.ArgumentParser):
    """Complains in one line."""

    @override
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"specialist_agents: {message}\n")


def parser() -> argparse.ArgumentParser:
    """Return the description of the command line."""
    names = ", ".join(card_names()) or "none found"
    standard = Limits()
    made = _OneLine(
        prog="python -m specialist_agents",
        description="Serve one specialist as an A2A agent.",
        epilog="Host, port and URL come from the agent's card unless given here. 'mind --help' tells of other agents.",
    )
    made.add_argument("name", metavar="NAME", help=f"which agent: {names}")
    made.add_argument("--host", help="listen at this address")
    made.add_argument("--port", type=int, help="listen at this port; 0 takes any free one")
    made.add_argument("--public-url", metavar="URL", help="the URL to state in the card, for example behind a proxy")
    made.add_argument("--cards", type=Path, default=CARDS, metavar="DIR", help=f"the folder of Agent Cards ({CARDS})")
    bounds = made.add_argument_group("limits of one review")
    bounds.add_argument("--time-limit", type=float, default=standard.wall_s, metavar="SECONDS", help="(%(default)g)")
    bounds.add_argument("--cpu-limit", type=int, default=standard.cpu_s, metavar="SECONDS", help="(%(default)s)")
    bounds.add_argument("--memory-limit", type=int, default=standard.memory_mb, metavar="MIB", help="(%(default)s)")
    bounds.add_argument("--findings-limit", type=int, default=standard.max_findings, metavar="N", help="(%(default)s)")
    bounds.add_argument(
        "--concurrency", type=int, default=standard.concurrent, metavar="N", help="reviews at once (%(default)s)"
    )
    made.add_argument(
        "--delay",
        type=float,
        default=standard.pause_s,
        metavar="SECONDS",
        help="wait so long with each answer, as an agent with a model does, to try things out (%(default)g)",
    )
    made.add_argument("--log-level", choices=["debug", "info", "warning", "error"], default="info")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the agent named on the command line; return the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["mind"]:
        # Reviewers do not wait for what minds need.
        from specialist_agents.minds.__main__ import main as serve_mind  # noqa: PLC0415

        return serve_mind(given[1:])
    options = parser().parse_args(given)
    log_to_stderr(options.log_level)
    limits = Limits(
        wall_s=options.time_limit,
        cpu_s=options.cpu_limit,
        memory_mb=options.memory_limit,
        concurrent=options.concurrency,
        max_findings=options.findings_limit,
        pause_s=options.delay,
    )
    address = Address(host=options.host, port=options.port, public_url=options.public_url)
    try:
        serve(options.name, address, limits, options.cards)
    except CannotServe as error:
        sys.stderr.write(f"specialist_agents: {error}\n")
        return USAGE_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main())

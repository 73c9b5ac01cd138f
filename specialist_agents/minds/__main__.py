"""The command line: `python -m specialist_agents mind --card FILE --config FILE`.

Prints nothing but its help; what it has to say goes to standard error, one line each.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from specialist_agents.cards import CARDS, UnknownAgent, address_of, at_address, base_url, read_card
from specialist_agents.logs import log_to_stderr
from specialist_agents.minds.app import create_app, place
from specialist_agents.minds.configuration import WrongConfiguration, read_configuration
from specialist_agents.server import GRACE_S, Address, CannotServe, bound, settings

MINDS = CARDS / "minds"
CONFIGURATION = MINDS / "minds.yaml"
USAGE_ERROR = 2

logger = logging.getLogger(__name__)


def parser() -> argparse.ArgumentParser:
    """Return the description of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m specialist_agents mind",
        description="Serve one agent that reads, plans or writes, by a language model or by rule, as an A2A agent.",
        epilog="Host, port and URL come from the card unless given here; the key comes from the environment.",
    )
    made.add_argument("--card", type=Path, required=True, metavar="FILE", help="its Agent Card")
    made.add_argument(
        "--config", type=Path, default=CONFIGURATION, metavar="FILE", help="endpoint and instructions (%(default)s)"
    )
    made.add_argument("--host", help="listen at this address")
    made.add_argument("--port", type=int, help="listen at this port; 0 takes any free one")
    made.add_argument("--public-url", metavar="URL", help="the URL to state in the card, for example behind a proxy")
    made.add_argument("--log-level", choices=["debug", "info", "warning", "error"], default="info")
    return made


def serve(card_file: Path, config: Path, address: Address) -> None:
    """Serve the agent of this card until the process is told to stop; raises CannotServe when it cannot."""
    try:
        card = read_card(card_file.stem, card_file.parent)
        configuration = read_configuration(config)
        host, port = address_of(card)
        host = host if address.host is None else address.host
        with bound(host, port if address.port is None else address.port) as listening:
            url = address.public_url or base_url(host, listening.getsockname()[1], card)
            made_from = place(at_address(card, url), configuration, config)
            app = create_app(made_from, configuration)
            logger.info("listening", extra={"agent": card.name, "url": url, "lacking": made_from.lacking})
            uvicorn.Server(settings(app, GRACE_S)).run(sockets=[listening])
    except (UnknownAgent, WrongConfiguration) as error:
        raise CannotServe(str(error)) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the agent named on the command line; return the exit status."""
    options = parser().parse_args(arguments)
    log_to_stderr(options.log_level)
    address = Address(host=options.host, port=options.port, public_url=options.public_url)
    try:
        serve(options.card, options.config, address)
    except CannotServe as error:
        sys.stderr.write(f"specialist_agents: {error}\n")
        return USAGE_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main())

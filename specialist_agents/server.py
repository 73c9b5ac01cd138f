"""One reviewer as a process: bind, say so in the log, serve until told to stop.

The socket is bound before anything else is made, so that a taken port is known at once and the
card can name the port that was really given.
"""

import logging
import socket
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from specialist_agents.app import create_app
from specialist_agents.cards import CARDS, UnknownAgent, address_of, at_address, base_url, read_card
from specialist_agents.trades import worker_names, worker_of
from specialist_agents.workshop import Limits

#: Longer than any client keeps an idle connection: who closes first must not be the server.
KEEP_ALIVE_S = 75
GRACE_S = 5

logger = logging.getLogger(__name__)


class CannotServe(Exception):
    """The agent cannot be started; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen and what to call it; nothing means: as the card says."""

    host: str | None = None
    port: int | None = None
    public_url: str | None = None


def serve(name: str, address: Address, limits: Limits, cards: Path = CARDS) -> None:
    """Serve one agent until the process is told to stop; raises CannotServe when it cannot."""
    try:
        card = read_card(name, cards)
    except UnknownAgent as error:
        raise CannotServe(str(error)) from error
    _require_tool(name)
    card_host, card_port = address_of(card)
    host = card_host if address.host is None else address.host
    listening = bound(host, card_port if address.port is None else address.port)
    with listening:
        url = address.public_url or base_url(host, listening.getsockname()[1], card)
        app = create_app(at_address(card, url), limits=limits)
        logger.info("listening", extra={"agent": name, "url": url})
        uvicorn.Server(settings(app, GRACE_S)).run(sockets=[listening])


def settings(app: ASGIApp, grace_s: int) -> uvicorn.Config:
    """Return uvicorn's configuration for an agent."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=grace_s,
    )


def bound(host: str, port: int) -> socket.socket:
    """Return a socket bound to this address; port 0 means any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise CannotServe(f"cannot listen at {host}:{port}: {error}") from error


def _require_tool(name: str) -> None:
    if name not in worker_names():
        raise CannotServe(f"no analyser belongs to the agent {name!r}; known are: {', '.join(worker_names())}")
    program = worker_of(name).program
    try:
        program.version()
    except PackageNotFoundError as error:
        needed = program.distribution
        raise CannotServe(f"{name} needs {needed}, which is not installed: pip install {needed}") from error

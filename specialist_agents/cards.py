"""The Agent Cards: where they lie, which there are, and how an address becomes part of one.

The JSON files in `agent_cards/` are the only place that knows names, skills and ports. A process
changes nothing of its card but the address, and only when it is told to listen elsewhere.
"""

from pathlib import Path
from urllib.parse import urlsplit

from a2a.types.a2a_pb2 import AgentCard
from google.protobuf.json_format import Parse, ParseError

import specialist_agents

CARDS = Path(specialist_agents.__file__).parent.parent / "agent_cards"
SCHEMA = Path("schemas") / "findings-v1.json"
GROUPS = ("asking", "mail", "office", "repository", "research")
"""The folders below for agents that are not started unless somebody asks for them."""


class UnknownAgent(Exception):
    """There is no usable Agent Card of that name."""


def card_names(folder: Path = CARDS) -> list[str]:
    """Return the names of all agents that have a card."""
    return sorted(_cards(folder))


def _cards(folder: Path) -> dict[str, Path]:
    grouped = [path for group in GROUPS for path in folder.glob(f"{group}/*.json")]
    return {path.stem: path for path in (*grouped, *folder.glob("*.json"))}


def read_card(name: str, folder: Path = CARDS) -> AgentCard:
    """Read one agent's card; raises UnknownAgent when there is none or it is not a card."""
    known = _cards(folder)
    if name not in known:
        choice = ", ".join(sorted(known)) or "none"
        raise UnknownAgent(f"unknown agent {name!r}; {folder} has: {choice}")
    try:
        card = Parse(known[name].read_text("utf-8"), AgentCard())
    except ParseError as error:
        raise UnknownAgent(f"{known[name]} is not an Agent Card: {error}") from error
    if not card.supported_interfaces:
        raise UnknownAgent(f"{known[name]} names no interface")
    return card


def address_of(card: AgentCard) -> tuple[str, int]:
    """Return the host and port the card says the agent listens at."""
    url = urlsplit(card.supported_interfaces[0].url)
    return url.hostname or "127.0.0.1", url.port or 80


def at_address(card: AgentCard, base: str) -> AgentCard:
    """Return the card with every interface below *base*, keeping the paths."""
    moved = AgentCard()
    moved.CopyFrom(card)
    for interface in moved.supported_interfaces:
        interface.url = base.rstrip("/") + urlsplit(interface.url).path
    return moved


def base_url(host: str, port: int, card: AgentCard) -> str:
    """Return the URL others reach us at; an address that means every interface is not one."""
    reachable = address_of(card)[0] if host in {"", "0.0.0.0", "::"} else host  # noqa: S104
    bracketed = f"[{reachable}]" if ":" in reachable else reachable
    return f"http://{bracketed}:{port}"

"""Which processes make the shipped network: the specialists of the cards, and the coordinator.

The agent cards are the single source of names and URLs. A demo gets a copy of them that
points to free ports, so it disturbs nothing that runs already.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import site
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from coordinator.cli.exits import Stop
from coordinator.cli.network import Member
from coordinator.config import CARDS, PACKAGE, PLANS

HOST = "127.0.0.1"
SAMPLE = PACKAGE / "sample"
PORTS = range(20_000, 32_000)
"""Below the range the kernel takes for outgoing connections, so a free port stays free until it is bound."""
EXTRA = ("asking", "repository")
"""The folders of the cards of specialists that a network has only when asked to."""
WELL_KNOWN = ".well-known/agent-card.json"


@dataclass(frozen=True, slots=True)
class Cast:
    """Specialists that ship, the plans they are for, and what to try with them."""

    cards: Path
    plans: Path
    default_plan: str
    sample: tuple[str, ...]  #: the arguments of a command


REVIEWERS = Cast(CARDS, PLANS, "code-review", ("review", str(SAMPLE)))
MAIL = Cast(CARDS / "mail", PLANS / "mail", "mail-triage", ("triage", str(SAMPLE / "mails.mbox")))
OFFICE = Cast(
    CARDS / "office",
    PLANS / "office",
    "validation",
    ("send", "''", "--file", str(SAMPLE / "office" / "draft.md"), "--file", str(SAMPLE / "office" / "source.md")),
)

RESEARCH = Cast(
    CARDS / "research",
    PLANS / "research",
    "research",
    ("research", '"How are duplicates joined?"'),
)


@dataclass(frozen=True, slots=True)
class Card:
    """What a network needs of an agent card: who it is for and where that agent listens."""

    name: str
    url: str

    @property
    def port(self) -> int:
        """Return the port of the agent."""
        return urlsplit(self.url).port or 80


def read_cards(folder: Path = CARDS) -> list[Card]:
    """Return the cards of *folder* by name. Raises `Stop` when there are none or one is unreadable."""
    cards = [_read(file) for file in sorted(folder.glob("*.json"))]
    if not cards:
        raise Stop(f"{folder}: there are no agent cards")
    return cards


def _read(file: Path) -> Card:
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
        return Card(card["name"], card["supportedInterfaces"][0]["url"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Stop(f"{file} is no agent card: {error}") from error


def chosen_cards(folder: Path, extra: Sequence[str], source: Path = CARDS) -> Path:
    """Return a folder with the cards of *source* and those of its further specialists that *extra* names.

    Without extra ones that is *source*, else a copy below *folder*. Raises `Stop` for unknown names.
    """
    known = {file.stem: file for place in EXTRA for file in sorted((source / place).glob("*.json"))}
    if unknown := [name for name in extra if name not in known]:
        raise Stop(f"--with: there is no {', '.join(unknown)} to add; there are: {', '.join(known) or 'none'}")
    if not extra:
        return source
    shutil.copytree(source, folder)
    for name in extra:
        shutil.copy(known[name], folder / f"{name}.json")
    for place in EXTRA:
        shutil.rmtree(folder / place, ignore_errors=True)
    return folder


def moved_cards(folder: Path, ports: Mapping[str, int], source: Path = CARDS) -> list[Card]:
    """Copy the cards to *folder*, each agent moved to its port, and return them."""
    shutil.copytree(source, folder)
    for file in folder.glob("*.json"):
        card = json.loads(file.read_text(encoding="utf-8"))
        for interface in card["supportedInterfaces"]:
            interface["url"] = _moved(interface["url"], ports[card["name"]])
        file.write_text(json.dumps(card, indent=2), encoding="utf-8")
    return read_cards(folder)


def _moved(url: str, port: int) -> str:
    return urlunsplit(urlsplit(url)._replace(netloc=f"{HOST}:{port}"))


def free_ports(count: int) -> list[int]:
    """Return so many ports nobody listens on now."""
    with ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            port = secrets.choice(PORTS)
            if port not in ports and (probe := _bound(port)):
                held.enter_context(probe)
                ports.append(port)
        return ports


def _bound(port: int) -> socket.socket | None:
    probe = socket.socket()
    try:
        # Without it a port whose last connection closed a moment ago counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
    except OSError:
        probe.close()
        return None
    return probe


def check_free(cards: Iterable[Card], port: int) -> None:
    """Raise `Stop` if anybody listens on a port the network needs."""
    wanted = {card.name: card.port for card in cards} | {"the coordinator": port}
    for name, number in wanted.items():
        if (probe := _bound(number)) is None:
            raise Stop(f"port {number}, of {name}, is taken: is the network running already?")
        probe.close()


def members(cards: Sequence[Card], folder: Path, port: int, db: str | None, cast: Cast = REVIEWERS) -> list[Member]:
    """Return the specialists of *cards* (files in *folder*) and then the coordinator on *port*."""
    specialists = [_specialist(card, folder) for card in cards]
    options = ["--host", HOST, "--port", str(port), "--agents", str(folder), *(["--db", db] if db else [])]
    options += ["--plans", str(cast.plans), "--default-plan", cast.default_plan]
    url = f"http://{HOST}:{port}/readyz"
    return [*specialists, Member("coordinator", _python("coordinator.cli", "serve", *options), url, _path())]


def _specialist(card: Card, folder: Path) -> Member:
    command = _python("specialist_agents", card.name, "--port", str(card.port), "--cards", str(folder))
    return Member(card.name, command, f"http://{HOST}:{card.port}/{WELL_KNOWN}", _path())


def _python(module: str, *arguments: str) -> list[str]:
    # -P: the folder the user happens to be in must not provide modules
    return [sys.executable, "-P", "-m", module, *arguments]


def _path() -> dict[str, str]:
    """Return the environment that lets children import what we are, also from a checkout that is not installed."""
    root = str(PACKAGE.parent)
    if root in site.getsitepackages():
        return {}  # there already; in front it could hide the standard library
    return {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}


def coordinator_url(port: int) -> str:
    """Return the base URL of the network's coordinator."""
    return f"http://{HOST}:{port}"

"""The known agents: their cards, by name, skill and tag.

Cards come from folders, files and URLs. A card behind a URL is read at the start and again
now and then; one that cannot be read keeps its last card and is told as unreachable. Nothing
here sends work to anyone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
from a2a.client import A2ACardResolver
from a2a.client.card_resolver import parse_agent_card
from a2a.client.errors import AgentCardResolutionError
from a2a.types import a2a_pb2 as a2a
from google.protobuf.json_format import ParseError

from coordinator.config import AgentEntry, secret
from coordinator.core.extension import URI
from coordinator.core.model import AgentRef
from coordinator.errors import ConfigurationError
from coordinator.extras import GRPC_EXTRA, speaks_grpc
from coordinator.planning import AgentCandidate

BINDINGS = ("JSONRPC", "HTTP+JSON")
"""Bindings this program always speaks; among interfaces of the same version the card's order decides."""

GRPC = "GRPC"
"""The binding it speaks with an extra installed."""

VERSIONS = ("1.0", "0.3")

NOT_READY = "not-ready"
"""The tag of a skill whose agent lacks something, such as a key; the first line of the card's description says what."""

MOST_WORDS = 300

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """One agent as the directory knows it; `card` is None as long as its URL has not answered."""

    name: str
    entry: AgentEntry
    card: a2a.AgentCard | None = None
    ref: AgentRef | None = None
    error: str = ""
    lacking: str = ""  #: why it would reject whatever it is sent, in its own words; empty: it is ready

    @property
    def skills(self) -> tuple[a2a.AgentSkill, ...]:
        """Return the skills on the card."""
        return tuple(self.card.skills) if self.card else ()

    def candidate(self) -> AgentCandidate | None:
        """Return what planning needs, or None while there is no card."""
        if self.ref is None:
            return None
        tags = {tag for skill in self.skills for tag in skill.tags} | set(self.entry.tags)
        return AgentCandidate(self.ref, frozenset(tags), self.lacking)


class Directory:
    """All agents of the configuration; `load` reads the files, `refresh` asks the URLs."""

    def __init__(self, entries: Iterable[AgentEntry], http: httpx.AsyncClient) -> None:
        self._http = http
        self._agents: dict[str, KnownAgent] = {}
        self._remote: list[tuple[str, AgentEntry]] = []
        self._tokens: dict[str, str] = {}  #: by the environment variable they come from
        for entry in entries:
            if is_url(entry.card):
                self._remote.append((entry.name or entry.card, entry))
                self._agents[self._remote[-1][0]] = KnownAgent(self._remote[-1][0], entry, error="not read yet")
            else:
                self._add_files(entry)

    def candidates(self) -> list[AgentCandidate]:
        """Return the agents a plan may choose from."""
        return [candidate for agent in self._agents.values() if (candidate := agent.candidate())]

    def agents(self) -> Sequence[KnownAgent]:
        """Return everything known, by name."""
        return [self._agents[name] for name in sorted(self._agents)]

    def read_tokens(self) -> None:
        """Read the bearer tokens for agents that want one. Raises `ConfigurationError` for one that is not set."""
        for agent in self._agents.values():
            variable = agent.entry.token_env
            if variable:
                self._tokens[variable] = secret(variable, f"the token for agent {agent.name}")

    def token(self, name: str) -> str:
        """Return the bearer token an agent wants, empty for none; it may have got its name from its card since."""
        agent = self._agents.get(name)
        return self._tokens.get(agent.entry.token_env or "", "") if agent else ""

    def concurrency(self, name: str) -> int | None:
        """Return how many branches the configuration lets be under way at an agent, None when it says nothing."""
        agent = self._agents.get(name)
        return agent.entry.concurrency if agent else None

    def grpc_tls(self, name: str) -> str:
        """Return what the configuration says about TLS to an agent's gRPC interface: auto, on or off."""
        agent = self._agents.get(name)
        return agent.entry.grpc_tls if agent else "auto"

    async def refresh(self, *, only_unread: bool = False) -> None:
        """Read the cards behind URLs, or those never read yet; failures are kept with the agent and logged once."""
        async with asyncio.TaskGroup() as group:
            for key, entry in self._remote:
                if not (only_unread and self._known_by(key, entry).ref):
                    group.create_task(self._refresh(key, entry))

    async def survey(self) -> Sequence[KnownAgent]:
        """Ask every agent for its card now and return what came of it."""
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._ask(agent)) for agent in self.agents()]
        return [task.result() for task in asked]

    async def _refresh(self, key: str, entry: AgentEntry) -> None:
        before = self._known_by(key, entry)
        try:
            agent = known_agent(await card_at(self._http, entry.card), entry, entry.card)
        except (AgentCardResolutionError, ConfigurationError) as error:
            if not before.error or before.error == "not read yet":
                log.warning("agent card cannot be read", extra={"agent": before.name, "error": str(error)})
            self._agents[before.name] = replace(before, error=str(error))
            return
        others = {name for name, known in self._agents.items() if known.entry is not entry}
        if agent.name in others:
            self._agents[before.name] = replace(before, error=f"another agent is already named {agent.name}")
            return
        del self._agents[before.name]
        self._agents[agent.name] = agent

    def _known_by(self, key: str, entry: AgentEntry) -> KnownAgent:
        """Return the agent of a configured URL, which has the name of its card once that was read."""
        return self._agents.get(key) or next(a for a in self._agents.values() if a.entry is entry)

    async def _ask(self, agent: KnownAgent) -> KnownAgent:
        url = agent.entry.card if is_url(agent.entry.card) else _web_url(agent)
        if not url:
            return agent  # gRPC serves no cards: the file is all there is
        try:
            card = await card_at(self._http, url)
        except AgentCardResolutionError as error:
            return replace(agent, error=str(error))
        return replace(agent, error="", lacking=_lacking(card))

    def _add_files(self, entry: AgentEntry) -> None:
        for file, agent in agents_in_files(entry):
            if agent.name in self._agents:
                raise ConfigurationError(f"{file}: another agent is already named {agent.name}")
            self._agents[agent.name] = agent


def agents_in_files(entry: AgentEntry) -> Iterator[tuple[Path, KnownAgent]]:
    """Yield the agents of a card file or folder. Raises `ConfigurationError` for what is none."""
    place = Path(entry.card).expanduser()
    if not place.exists():
        raise ConfigurationError(f"agents: there is no card file or folder {place}")
    files = sorted(place.glob("*.json")) if place.is_dir() else [place]
    if not files:
        raise ConfigurationError(f"agents: the folder {place} holds no *.json cards")
    for file in files:
        yield file, known_agent(_read_card(file), entry, str(file))


async def card_at(http: httpx.AsyncClient, url: str) -> a2a.AgentCard:
    """Read the card at *url*: a card URL as it is, else the well-known path below it, else below its origin.

    Raises `AgentCardResolutionError` when there is none.
    """
    if url.endswith(".json"):
        base, _, path = url.rpartition("/")
        return await A2ACardResolver(http, base, path).get_agent_card()
    try:
        return await A2ACardResolver(http, url).get_agent_card()
    except AgentCardResolutionError as error:
        origin = urlunsplit((*urlsplit(url)[:2], "", "", ""))
        if error.status_code is None or origin == url.rstrip("/"):
            raise
        return await A2ACardResolver(http, origin).get_agent_card()


def spoken() -> str:
    """Return the bindings and versions this program speaks, in words."""
    return f"{' and '.join(spoken_bindings())} of A2A {' and '.join(VERSIONS)}"


def known_agent(card: a2a.AgentCard, entry: AgentEntry, source: str) -> KnownAgent:
    """Return the agent behind *card*. Raises `ConfigurationError` when no interface of it can be spoken to."""
    name = entry.name or re.sub(r"[^a-z0-9]+", "-", card.name.lower()).strip("-")
    interface = best_interface(card)
    if interface is None and not speaks_grpc() and best_interface(card, (GRPC,)) is not None:
        raise ConfigurationError(f"{source}: this agent speaks only gRPC, which needs an extra: {GRPC_EXTRA}")
    if not name or interface is None:
        what = "a name" if not name else f"an interface this coordinator speaks ({', '.join(spoken_bindings())})"
        raise ConfigurationError(f"{source}: the agent card lacks {what}")
    modes = {*card.default_input_modes, *(mode for skill in card.skills for mode in skill.input_modes)}
    ref = AgentRef(
        name=name,
        url=interface.url,
        binding=interface.protocol_binding,
        version=interface.protocol_version or "1.0",
        tenant=interface.tenant,
        streaming=entry.wait == "stream" or (entry.wait == "auto" and card.capabilities.streaming),
        understands_us=any(extension.uri == URI for extension in card.capabilities.extensions),
        skills=tuple(sorted(skill.id for skill in card.skills)),
        pushing=entry.wait == "push" or (entry.wait == "auto" and card.capabilities.push_notifications),
        input_modes=tuple(sorted(modes)),
    )
    return KnownAgent(name, entry, card, ref, lacking=_lacking(card))


def spoken_bindings() -> tuple[str, ...]:
    """Return the bindings that can be spoken with what is installed."""
    return (*BINDINGS, GRPC) if speaks_grpc() else BINDINGS


def best_interface(card: a2a.AgentCard, bindings: Collection[str] = ()) -> a2a.AgentInterface | None:
    """Return the interface to use: the newest version this program speaks, then the order of the card (spec 8.3.2)."""
    spoken = bindings or spoken_bindings()
    for version in VERSIONS:
        for interface in card.supported_interfaces:
            is_right = (interface.protocol_version or "1.0").startswith(version)
            if is_right and interface.protocol_binding in spoken and interface.url:
                return interface
    return None


def _web_url(agent: KnownAgent) -> str:
    """Return where a card can be asked for, an empty string when the agent has no web address."""
    interface = best_interface(agent.card, BINDINGS) if agent.card else None
    return interface.url if interface else ""


def _lacking(card: a2a.AgentCard) -> str:
    unready = any(NOT_READY in skill.tags for skill in card.skills)
    said = card.description.strip().splitlines() or ["it does not say why"]
    return " ".join(said[0].split())[:MOST_WORDS] if unready else ""


def _read_card(file: Path) -> a2a.AgentCard:
    try:
        return parse_agent_card(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, ParseError) as error:
        raise ConfigurationError(f"{file}: this is not an agent card: {error}") from error


def is_url(text: str) -> bool:
    """Whether an entry's card is behind a URL, not in a file."""
    return text.startswith(("http://", "https://"))

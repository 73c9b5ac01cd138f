"""Gets to know an agent by its URL: reads its card, checks that we can work with it, and asks it one harmless question.

Whatever it does wrong is told in one line (`Stop`); nothing is sent that begins work.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

import httpx
from a2a.types import a2a_pb2 as a2a
from pydantic import ValidationError

from coordinator.cli.exits import Stop
from coordinator.config import AgentEntry
from coordinator.core.model import AgentRef, FailureKind, RemoteTask
from coordinator.directory import GRPC, KnownAgent, best_interface, card_at, known_agent, spoken
from coordinator.errors import ConfigurationError
from coordinator.extras import GRPC_EXTRA, speaks_grpc
from coordinator.outbound import AgentCalls, Patience
from coordinator.outbound.bounds import MOST_ANSWER
from coordinator.outbound.channels import channels_to_agents
from coordinator.outbound.failures import PEER_ERRORS, CallFailed
from coordinator.outbound.rpc_errors import rpc_error_in

PATIENCE = Patience(request_s=5.0)
_AWAY = frozenset({FailureKind.UNREACHABLE, FailureKind.IN_DOUBT})
_WANTS_CREDENTIALS = frozenset({"HTTP 401", "HTTP 403", "gRPC UNAUTHENTICATED", "gRPC PERMISSION_DENIED"})


@dataclass(frozen=True, slots=True)
class Met:
    """An agent we can work with, and how it is written into a configuration."""

    agent: KnownAgent
    ref: AgentRef
    card: a2a.AgentCard
    schemes: tuple[str, ...] = ()  #: the security schemes it wants one of
    was_asked: bool = True  #: whether its interface has answered us

    def entry(self) -> dict[str, str]:
        """Return the entry of the configuration."""
        given = self.agent.entry
        return {"card": given.card, "name": self.ref.name} | ({"token_env": given.token_env} if given.token_env else {})

    def as_json(self) -> dict[str, Any]:
        """Return what was found, for programs."""
        capabilities = self.card.capabilities
        return {
            "name": self.ref.name,
            "calledItself": self.card.name,
            "version": self.card.version,
            "url": self.agent.entry.card,
            "interface": {"url": self.ref.url, "binding": self.ref.binding, "version": self.ref.version},
            "skills": [{"id": skill.id, "tags": list(skill.tags)} for skill in self.card.skills],
            "streaming": capabilities.streaming,
            "pushNotifications": capabilities.push_notifications,
            "securitySchemes": list(self.schemes),
            "tokenEnv": self.agent.entry.token_env or "",
            "answered": self.was_asked,
            "lacking": self.agent.lacking,
        }


async def met(http: httpx.AsyncClient, url: str, name: str | None, token_env: str | None) -> Met:
    """Return the agent at *url*, the base or the card. Raises `Stop` when it is none or none for us."""
    if not url.startswith(("http://", "https://")):
        raise Stop(f"{url}: an agent's URL begins with http:// or https://")
    try:
        entry = AgentEntry(card=url, name=name, token_env=token_env)
    except ValidationError as error:
        raise Stop(f"--name {name}: small letters, digits and single hyphens, such as price-list") from error
    card = await _card(http, url)
    schemes = _schemes(card)
    if schemes and not token_env:
        raise Stop(f"{card.name} wants a token ({' or '.join(schemes)}): say which variable holds it with --token-env")
    agent, ref = _known(card, entry)
    token = os.environ.get(token_env, "") if token_env else ""
    can_ask = bool(token) or not token_env
    if can_ask:
        await _ask(http, ref, token)
    return Met(agent, ref, card, schemes, was_asked=can_ask)


async def _card(http: httpx.AsyncClient, url: str) -> a2a.AgentCard:
    try:
        return await card_at(http, url)
    except PEER_ERRORS as error:
        words = " ".join(str(error).split())
        raise Stop(f"{url}: no A2A Agent Card can be read there: {words}") from error


def _known(card: a2a.AgentCard, entry: AgentEntry) -> tuple[KnownAgent, AgentRef]:
    if card.name and best_interface(card) is None:
        offered = ", ".join(f"{one.protocol_binding} {one.protocol_version}" for one in card.supported_interfaces)
        remedy = f"; for gRPC: {GRPC_EXTRA}" if not speaks_grpc() and best_interface(card, (GRPC,)) else ""
        raise Stop(f"{card.name} offers {offered or 'no interface'}; this coordinator speaks {spoken()}{remedy}")
    try:
        agent = known_agent(card, entry, entry.card)
    except ConfigurationError as error:
        raise Stop(
            f"{error}; is it an A2A Agent Card? If its name has no plain letters, give one with --name"
        ) from error
    return agent, cast("AgentRef", agent.ref)


def _schemes(card: a2a.AgentCard) -> tuple[str, ...]:
    """Return the schemes of which it wants one, empty when it wants none. Raises `Stop` when none is a bearer token."""
    alternatives = [list(requirement.schemes) for requirement in card.security_requirements]
    if not alternatives or any(not schemes for schemes in alternatives):
        return ()
    fitting = [
        s for s in alternatives if all(_is_bearer(card.security_schemes[n]) for n in s if n in card.security_schemes)
    ]
    if not fitting:
        wanted = " or ".join(" and ".join(schemes) for schemes in alternatives)
        raise Stop(f"{card.name} wants {wanted}, and this coordinator can only send bearer tokens")
    return tuple(" and ".join(schemes) for schemes in fitting)


def _is_bearer(scheme: a2a.SecurityScheme) -> bool:
    kind = scheme.WhichOneof("scheme")
    if kind == "http_auth_security_scheme":
        return scheme.http_auth_security_scheme.scheme.lower() == "bearer"
    return kind in {"oauth2_security_scheme", "open_id_connect_security_scheme"}


async def _ask(http: httpx.AsyncClient, ref: AgentRef, token: str) -> None:
    """Ask for a task nobody has: an agent that answers "unknown task" is there, speaks A2A and lets us in."""
    place = f"{ref.url} ({ref.binding} {ref.version})"
    async with channels_to_agents(lambda _: "auto", MOST_ANSWER) as channels:
        calls = AgentCalls(http, patience=PATIENCE, token_of=lambda _: token or "", channels=channels)
        try:
            await calls.task(ref, RemoteTask(str(uuid4()), ""))
        except CallFailed as error:
            _judge(error, place, has_token=bool(token))


def _judge(error: CallFailed, place: str, *, has_token: bool) -> None:
    """Raise `Stop` when *error* says that the interface cannot be used."""
    failure, status = error.trouble.failure, _status(error)
    if status in _WANTS_CREDENTIALS:
        wish = "wants a token: say which variable holds it with --token-env"
        what = "does not accept the token" if has_token else wish
        raise Stop(f"{place} {what} ({status})") from error
    if failure.kind in _AWAY or (status is not None and failure.kind is FailureKind.REFUSED):
        raise Stop(f"its card names the interface {place}, which cannot be used: {failure.message}") from error
    if failure.kind is FailureKind.MALFORMED:
        raise Stop(f"{place} does not speak A2A: {failure.message}") from error


def _status(error: BaseException) -> str | None:
    """Return the status of HTTP or gRPC behind *error*, if one is."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, httpx.HTTPStatusError):
            return f"HTTP {cause.response.status_code}"
        if (rpc := rpc_error_in(cause)) is not None:
            return f"gRPC {rpc.code}"
        cause = cause.__cause__
    return None

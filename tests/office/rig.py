"""The office's agents over sockets of this process, a coordinator with a plan that ships, and a mail server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import yaml
from aiosmtpd.smtp import SMTP, Envelope, Session
from google.protobuf.json_format import MessageToJson

from coordinator import testing
from coordinator.config import PLANS
from coordinator.core.model import Part
from specialist_agents.cards import at_address, read_card
from specialist_agents.testing import running
from tests.planning.making import Document
from tests.policies.rig import Answer, Coordinator, coordinating


def shipped(name: str) -> Document:
    """Return one of the office's plans as it ships."""
    document: Document = yaml.safe_load((PLANS / "office" / f"{name}.yaml").read_text(encoding="utf-8"))
    return document


@asynccontextmanager
async def office(
    folder: Path, plan: str, agents: Mapping[str, str] | Iterable[str], strangers: Iterable[testing.Specialist] = ()
) -> AsyncIterator[Coordinator]:
    """Serve *agents* (names to kinds, or names that are kinds), *strangers*, and a coordinator that knows the plan."""
    kinds = agents if isinstance(agents, Mapping) else {name: name for name in agents}
    cards = folder / "cards"
    cards.mkdir()
    async with AsyncExitStack() as stack:
        for name, kind in kinds.items():
            card = at_address(read_card(kind), await stack.enter_async_context(running(kind)))
            card.name = name
            (cards / f"{name}.json").write_text(MessageToJson(card), encoding="utf-8")
        fleet = await stack.enter_async_context(testing.fleet(strangers))
        fleet.write_cards(cards)
        yield await stack.enter_async_context(coordinating(folder, fleet, shipped(plan), agents=(str(cards),)))


def document(name: str, content: str | bytes, media_type: str = "text/plain") -> Part:
    """Return a file part."""
    raw = content if isinstance(content, bytes) else content.encode()
    return Part("raw", raw, media_type, name)


def entries(answer: Answer) -> list[dict[str, Any]]:
    """Return the items of a merged list by rank, as the agents have sent them."""
    return [one["item"] | _judged(one) for one in answer.parts[0]["items"]]


def _judged(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in ("severity", "confidence") if name in one}


class Postbox:
    """A mail server's hooks: it takes mails, and says to some addresses what it is told to say."""

    def __init__(self, says: Mapping[str, str] | None = None) -> None:
        self.says = dict(says or {})  #: by address: the reply to its RCPT
        self.after: dict[str, str] = {}  #: by address: the reply to the mail itself; empty: hang up
        self.taken: list[tuple[str, Message]] = []

    async def handle_RCPT(  # noqa: N802 - so the library calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _: Any
    ) -> str:
        """Answer to an address."""
        if address in self.says:
            return self.says[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Answer to a mail."""
        (to,) = envelope.rcpt_tos
        if to in self.after and not self.after[to]:
            server.transport.abort()
            return "250 never heard"
        if to in self.after:
            return self.after[to]
        self.taken.append((to, message_from_bytes(envelope.content)))
        return "250 taken"

    @property
    def addresses(self) -> list[str]:
        """Whom mails were taken for, in order."""
        return [to for to, _ in self.taken]


@asynccontextmanager
async def mail_server(postbox: Postbox) -> AsyncIterator[str]:
    """Serve the mail server on a free port; yield its URL."""
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(postbox, hostname="mail.example", enable_SMTPUTF8=False), "127.0.0.1", 0
    )
    async with server:
        yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"

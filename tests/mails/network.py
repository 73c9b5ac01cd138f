"""Mail agents in front of a coordinator: as many triage agents as wanted, and those for attachments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from a2a.types.a2a_pb2 import AgentCard
from google.protobuf.json_format import MessageToJson

from coordinator.config import PLANS
from specialist_agents.cards import at_address, read_card
from specialist_agents.testing import running
from specialist_agents.workshop import Limits

OTHERS = ("attachments", "read-text", "read-table", "read-pdf", "read-other")
PLAN = PLANS / "mail" / "mail-triage.yaml"


@asynccontextmanager
async def mail_agents(folder: Path, count: int, limits: Limits | None = None) -> AsyncIterator[Path]:
    """Serve the agents over sockets of this process; write their cards to *folder* and yield it."""
    names = {f"triage-{number + 1:02}": "triage" for number in range(count)}
    names |= {name: name for name in OTHERS}
    async with AsyncExitStack() as stack:
        for name, kind in names.items():
            url = await stack.enter_async_context(running(kind, limits=limits if kind == "triage" else None))
            card = at_address(read_card(kind), url)
            card.name = name
            write_card(card, folder)
        yield folder


def write_card(card: AgentCard, folder: Path) -> None:
    """Write an agent's card into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{card.name}.json").write_text(MessageToJson(card), encoding="utf-8")


def plan() -> dict[str, Any]:
    """Return the plan that ships."""
    document: dict[str, Any] = yaml.safe_load(PLAN.read_text(encoding="utf-8"))
    return document

"""A fleet: any number of specialists served by one port of this process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from coordinator.testing.agent import Agent
from coordinator.testing.application import Application
from coordinator.testing.behaviour import Specialist
from coordinator.testing.ledger import Counts, Ledger
from coordinator.testing.pages import Pages
from coordinator.testing.pulse import next_beat
from coordinator.testing.server import listener, serving
from coordinator.testing.wire import write_cards

RESERVED = frozenset({"agents", "cards", "counts", "journal", "reset", "sent", "wait"})
"""Names an agent cannot have: they are pages of the fleet."""


@dataclass(slots=True)
class Fleet:
    """Running specialists; `fleet["name"]` is one of them."""

    url: str  #: without a slash at the end
    agents: dict[str, Agent] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)

    def __getitem__(self, name: str) -> Agent:
        """Return an agent."""
        return self.agents[name]

    @property
    def counts(self) -> Counts:
        """Return the counts of all agents together."""
        return self.ledger.total

    def reset(self) -> None:
        """Forget everything: scripts start again, tasks are gone, the journal is empty."""
        for agent in self.agents.values():
            agent.reset()
        self.ledger.forget()

    async def until(self, condition: Callable[[], object], *, timeout_s: float = 10.0) -> None:
        """Wait for *condition*, asked again whenever anything happens here. Raises `TimeoutError` with the counts."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    await next_beat(self.ledger.stirred)
        except TimeoutError as error:
            raise TimeoutError(f"after {timeout_s:g} s the fleet still has {self.ledger.total}") from error

    def write_cards(self, folder: Path) -> Path:
        """Write every Agent Card as a file, the way a coordinator reads them, and return *folder*."""
        return write_cards((agent.card() for agent in self.agents.values()), folder)


@asynccontextmanager
async def fleet(
    specialists: Iterable[Specialist | str], *, host: str = "127.0.0.1", port: int = 0, seed: int = 0
) -> AsyncIterator[Fleet]:
    """Serve *specialists* in this loop; a bare name is a specialist that behaves well."""
    opened = listener(host, port)
    running = Fleet(f"http://{host}:{opened.getsockname()[1]}")
    with opened:
        group = asyncio.TaskGroup()
        await group.__aenter__()
        try:
            for specialist in specialists:
                _add(running, Specialist(specialist) if isinstance(specialist, str) else specialist, group, seed)
            async with serving(Application(running.agents, Pages(running).application()), opened):
                try:
                    yield running
                finally:
                    # Before the server waits for requests: some may wait for a gate.
                    for agent in running.agents.values():
                        agent.close()
        finally:
            # Not `async with`: what a test raises should arrive as it is, not inside a group.
            await group.__aexit__(None, None, None)


def crowd(count: int, like: Specialist | None = None) -> list[Specialist]:
    """Return *count* specialists that behave alike: `agent-00`, `agent-01` …; *like* is named `agent` if not given."""
    like = like or Specialist("agent")
    width = len(str(max(0, count - 1)))
    return [replace(like, name=f"{like.name}-{number:0{width}}") for number in range(count)]


def _add(running: Fleet, specialist: Specialist, group: asyncio.TaskGroup, seed: int) -> None:
    name = specialist.name
    if name in RESERVED or name in running.agents or not name or "/" in name:
        raise ValueError(f"an agent cannot be named {name!r}")
    rng = random.Random(f"{seed}/{name}")  # noqa: S311 - repeatable on purpose
    running.agents[name] = Agent(specialist, f"{running.url}/{name}/", group, running.ledger, rng)

"""Minds and their stand-in endpoint inside a test: over loopback sockets, in the loop the test runs in."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from specialist_agents.cards import CARDS, at_address, base_url, read_card
from specialist_agents.minds.app import create_app, place
from specialist_agents.minds.configuration import MindsFile, read_configuration
from specialist_agents.minds.stand_in import StandIn
from specialist_agents.server import bound
from specialist_agents.testing import hosting

MINDS = CARDS / "minds"
SHIPPED = MINDS / "minds.yaml"
_HOST = "127.0.0.1"


@asynccontextmanager
async def standing_in(stand_in: StandIn) -> AsyncIterator[str]:
    """Serve the stand-in; yield the base URL a configuration names."""
    with bound(_HOST, 0) as listening:
        async with hosting(stand_in, listening, lifespan=False):
            yield f"http://{_HOST}:{listening.getsockname()[1]}"


def configured(url: str, agents: Mapping[str, Mapping[str, Any]] | None = None, **endpoint: Any) -> MindsFile:
    """Return the shipped configuration with another endpoint: the one at *url*, which wants no key."""
    shipped = read_configuration(SHIPPED).model_dump(exclude_unset=True)
    base = url if endpoint.get("api") == "anthropic" else f"{url}/v1"
    told = {"model": "stand-in", "base_url": base, "backoff": 0.01} | endpoint
    changed = {name: shipped["agents"].get(name, {}) | fields for name, fields in (agents or {}).items()}
    return MindsFile.model_validate({"endpoint": told, "agents": shipped["agents"] | changed})


@asynccontextmanager
async def thinking(name: str, configuration: MindsFile) -> AsyncIterator[str]:
    """Serve one mind at a free port; yield its URL."""
    with bound(_HOST, 0) as listening:
        card = read_card(name, MINDS)
        url = base_url(_HOST, listening.getsockname()[1], card)
        made_from = place(at_address(card, url), configuration, Path("minds.yaml"))
        async with hosting(create_app(made_from, configuration), listening):
            yield url


@asynccontextmanager
async def all_thinking(names: Iterable[str], configuration: MindsFile) -> AsyncIterator[list[str]]:
    """Serve several minds; yield their URLs."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(thinking(name, configuration)) for name in names]

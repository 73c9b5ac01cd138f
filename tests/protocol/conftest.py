"""A whole coordinator behind a loopback socket, with specialists that do what the test tells them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest
from aiohttp.abc import AbstractResolver

from coordinator import testing
from coordinator.app import Wrapping, assembled
from coordinator.config import Settings
from coordinator.outbound import Patience
from coordinator.testing import Fleet
from coordinator.testing.server import listener, serving
from tests.protocol.clients import BINDINGS, Caller, bare_http, calling
from tests.protocol.plans import PLANS
from tests.protocol.specialists import staff

Start = Callable[..., Awaitable[str]]


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    """The specialists: ada, bob and eve."""
    async with testing.fleet(staff()) as running:
        yield running


@pytest.fixture
def db(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the journal is kept: in memory, or in a file for tests marked with `on_both_journals`."""
    is_file = getattr(request, "param", "memory") == "sqlite"
    return str(tmp_path / "coordinator.db") if is_file else "memory"


@pytest.fixture
def plans() -> tuple[str, ...]:
    """Names of the plans a coordinator reads, the first is the default; modules name their own."""
    return ("gather",)


@pytest.fixture(scope="session")
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a single root certificate: nothing here speaks TLS, and reading all of them takes a while."""
    first, end, _ = Path(certifi.where()).read_text("utf-8").partition("-----END CERTIFICATE-----\n")
    file = tmp_path_factory.mktemp("tls") / "one.pem"
    file.write_text(first + end, encoding="utf-8")
    return file


@pytest.fixture
async def start(
    fleet: Fleet, tmp_path: Path, db: str, plans: Sequence[str], one_certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Start]:
    """Start coordinators that know the fleet; each call returns the URL of another one."""
    monkeypatch.setenv("SSL_CERT_FILE", str(one_certificate))
    files = [tmp_path / f"{name}.yaml" for name in plans]
    for file in files:
        file.write_text(PLANS[file.stem], encoding="utf-8")
    cards = str(fleet.write_cards(tmp_path / "cards"))
    async with AsyncExitStack() as stack:

        async def starting(names: AbstractResolver | None = None, **settings: Any) -> str:
            known = {"db": db, "plans": tuple(map(str, files)), "default_plan": plans[0], "agents": (cards,)} | settings
            return await stack.enter_async_context(_coordinating(known, Wrapping(names=names)))

        yield starting


@asynccontextmanager
async def _coordinating(settings: dict[str, Any], wrapping: Wrapping) -> AsyncIterator[str]:
    # Every word of a specialist becomes a fact at once, and a webhook that is down is tried again at once.
    patience = Patience(progress_s=0.0, push_retry_min_s=0.0, push_retry_max_s=0.0)
    with listener() as opened:
        known = Settings(port=opened.getsockname()[1], **settings)
        async with assembled(known, patience, wrapping=wrapping) as app, serving(app, opened):
            yield known.url


@pytest.fixture
async def url(start: Start) -> str:
    """The URL of a coordinator that knows the fleet."""
    return await start()


@pytest.fixture(params=BINDINGS)
def binding(request: pytest.FixtureRequest) -> str:
    """Each binding of the protocol in turn."""
    return str(request.param)


@pytest.fixture
async def client(url: str, binding: str) -> AsyncIterator[Caller]:
    """An SDK client of the coordinator."""
    async with calling(url, binding) as caller:
        yield caller


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client for requests the SDK would not send."""
    async with bare_http(base_url=url) as bare:
        yield bare

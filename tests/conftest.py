"""What holds for every test of the suite, and the PostgreSQL server that all tests of one process share."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings
from sqlalchemy import make_url

from coordinator.journal.postgres import PostgresDatabase
from tests import postgres

# Whatever the profile of the surroundings says: how long one example takes depends on what else the computer does.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")

SHRINKING_S = 20
"""Of the 120 s a test has: what fails is shown as small as it has become by then, rather than as a timeout."""


@pytest.fixture(autouse=True, scope="session")
def a_failing_property_is_shown_in_time():
    with pytest.MonkeyPatch.context() as patch:
        # No setting limits it, but the library keeps it open to be replaced, and says so beside it.
        patch.setattr("hypothesis.internal.conjecture.engine.MAX_SHRINKING_SECONDS", SHRINKING_S)
        yield


@pytest.fixture(autouse=True)
def logs_go_where_they_went_before() -> Iterator[None]:
    """The command line in a test's own process configures the logs of all that come after it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Postgres]:
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="session")
def _with_tables(postgres_server) -> Iterator[str]:
    with postgres_server.database() as url:
        PostgresDatabase.open(url, readers=1).close()
        yield make_url(url).database


@pytest.fixture
def empty_postgres(postgres_server) -> Iterator[str]:
    """The URL of a database without tables."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server, _with_tables) -> Iterator[str]:
    """The URL of a fresh database with the journal's tables."""
    with postgres_server.database(template=_with_tables) as url:
        yield url

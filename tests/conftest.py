"""The PostgreSQL server that all tests of one process share."""

from collections.abc import Iterator

import pytest
from sqlalchemy import make_url

from coordinator.journal.postgres import PostgresDatabase
from tests import postgres


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

"""The three journals, on a clock that stands still until a test moves it."""

from pathlib import Path

import pytest

from coordinator.journal import MemoryJournal, SqlJournal
from tests.journal.builders import SetClock


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
async def sqlite(path, clock):
    journal = await SqlJournal.open(path, now=clock)
    yield journal
    await journal.close()


@pytest.fixture
async def postgres(postgres_url, clock):
    journal = await SqlJournal.open(postgres_url, now=clock)
    yield journal
    await journal.close()


@pytest.fixture
async def memory(clock):
    journal = MemoryJournal(clock)
    yield journal
    await journal.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def journal(request):
    return request.getfixturevalue(request.param)

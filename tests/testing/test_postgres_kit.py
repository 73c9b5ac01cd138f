"""The server that tests run on is found in three ways, and missed aloud."""

import importlib.util

import pytest

from coordinator.config import Settings
from tests import postgres


def test_a_server_that_is_named_is_used(monkeypatch, postgres_server):
    monkeypatch.setenv(postgres.GIVEN, postgres_server.url)
    with postgres.running() as server, server.database() as url:
        assert server.url == postgres_server.url
        assert url.startswith(server.url.rpartition("/")[0])


def test_without_one_and_without_programs_the_wheel_brings_one(monkeypatch, tmp_path):
    monkeypatch.delenv(postgres.GIVEN, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with postgres.running() as server:
        assert server.execute("SELECT 1") == [(1,)]
        server.stop()
        server.start()
        assert server.execute("SHOW fsync") == [("on",)]


def test_without_any_of_them_tests_fail_and_say_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv(postgres.GIVEN, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(RuntimeError, match=postgres.GIVEN), postgres.running():
        pass


def test_a_database_is_a_file_or_a_url():
    url = "postgresql://coordinator@host/database"
    assert Settings(db=url).database == url
    assert Settings(db="memory").database is None
    assert str(Settings(db="journal.db").database) == "journal.db"

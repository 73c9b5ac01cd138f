from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coordinator.cli.program import program
from tests.cli.stand_in import Coordinator, serving


@pytest.fixture(autouse=True)
def no_settings_of_the_developer(monkeypatch):
    for name in ("COORDINATOR_URL", "COORDINATOR_TOKEN", "FORCE_COLOR", "COORDINATOR_DEBUG", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Coordinator, str]]:
    coordinator = Coordinator()
    with serving(coordinator) as address:
        yield coordinator, address


@pytest.fixture
def coordinator(served) -> Coordinator:
    """The stand-in without a script and without a memory."""
    served[0].reset()
    return served[0]


@pytest.fixture
def url(coordinator, served) -> str:
    return served[1]


@pytest.fixture
def code(tmp_path) -> Path:
    """A folder with two Python files."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "a.py").write_text("import os\n")
    (folder / "b.py").write_text("")
    return folder


@pytest.fixture
def call(url):
    """Run a command against the stand-in."""

    def invoke(*arguments: object, **options):
        return CliRunner().invoke(program(), [*map(str, arguments), "--server", url], **options)

    return invoke

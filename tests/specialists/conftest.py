"""What the tests of the reviewers share: the sample's files and a look at the processes of this one."""

import json
import warnings
from pathlib import Path

import jsonschema_rs
import psutil
import pytest

from specialist_agents.cards import CARDS, SCHEMA
from specialist_agents.intake import SourceFile
from specialist_agents.workshop import Limits, Workshop

with warnings.catch_warnings():
    # Bandit's plugin loader uses a deprecated argument; in the product it runs in a child of its own.
    warnings.simplefilter("ignore", DeprecationWarning)
    import bandit.core.extension_loader  # noqa: F401

SAMPLE = Path(__file__).parents[2] / "coordinator" / "sample"


@pytest.fixture(scope="session")
def sample():
    """The flawed demo code, by file name."""
    return {path.name: path.read_bytes() for path in sorted(SAMPLE.glob("*.py"))}


@pytest.fixture(scope="session")
def schema():
    """A validator of the published schema."""
    return jsonschema_rs.validator_for(json.loads((CARDS / SCHEMA).read_text("utf-8")))


@pytest.fixture
def children_of():
    """Look up the living descendants of a process, but for the database server that tests of one process share."""

    def look(pid):
        try:
            found = psutil.Process(pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        own = [child for child in found if child.is_running() and child.name() != "postgres"]
        return [child for child in own if child.status() != psutil.STATUS_ZOMBIE]

    return look


@pytest.fixture
def review(tmp_path):
    """Review files with the real tool in its child process, without any protocol around it."""

    async def run(agent, files, **limits):
        sources = [
            SourceFile(name, content.encode() if isinstance(content, str) else content)
            for name, content in files.items()
        ]

        async def quiet(_):
            pass

        workshop = Workshop(Limits(**limits))
        with workshop.at(tmp_path):
            async with workshop.review(agent, sources, quiet) as documents:
                return [finding for path in documents for finding in json.loads(path.read_bytes())["findings"]]

    return run

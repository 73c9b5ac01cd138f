"""The guide to other people's agents says what is true of the tests and of the program."""

import json

import yaml
from typer.testing import CliRunner

from coordinator.cli.program import program
from coordinator.config import Settings
from tests.documents.test_examples import ROOT, blocks
from tests.others.environments import JAVASCRIPT, REQUIREMENTS

GUIDE = "docs/anyones-agents.md"
TEXT = (ROOT / GUIDE).read_text(encoding="utf-8")


def test_the_entry_shown_is_valid():
    (shown,) = map(yaml.safe_load, blocks(GUIDE, "yaml"))
    (entry,) = Settings.model_validate(shown).agents
    assert (entry.name, entry.wait, entry.tags) == ("pricing", "poll", ("money",))


def test_the_versions_told_are_those_that_are_tried():
    python = [pin for pins in REQUIREMENTS.values() for pin in pins if not pin.startswith("uvicorn")]
    packages = json.loads((JAVASCRIPT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    told = [f"{name.partition('[')[0]} {version}" for name, version in (pin.split("==") for pin in python)]
    assert [pin for pin in [*told, *map(" ".join, packages.items())] if pin not in TEXT] == []


def test_javascript_packages_are_pinned_without_a_lock_file():
    packages = json.loads((JAVASCRIPT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert all(version[0].isdigit() for version in packages.values())
    assert not (JAVASCRIPT / "package-lock.json").exists()


def test_every_option_of_agents_add_is_told():
    shown = CliRunner().invoke(program(), ["agents", "add", "--help"], env={"COLUMNS": "200"}).stdout
    options = {word for word in shown.split() if word.startswith("--") and word != "--help"}
    assert {option for option in options if f"`{option}" not in TEXT} == set()
    assert len(options) >= 5

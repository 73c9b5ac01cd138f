"""docs/patterns.md names plans, outcomes and variables that there are."""

import json
import re
from inspect import getsource
from pathlib import Path

from coordinator.config import PLANS
from specialist_agents.cards import CARDS
from specialist_agents.mailing import executor

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "patterns.md").read_text(encoding="utf-8")


def section(title):
    return re.split(r"^##+ ", TEXT[TEXT.index(f"# {title}\n") + 2 :], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_pattern_that_is_recommended_ships():
    rows = re.findall(r"^\| .* \| (`.*`) \|$", section("Which one"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    shipped = {file.stem for file in (PLANS / "patterns").glob("*.yaml")}
    assert len(rows) > 5
    assert named <= shipped


def test_every_outcome_of_a_mail_is_explained():
    schema = json.loads((CARDS / "schemas" / "delivery-v1.json").read_text(encoding="utf-8"))
    told = re.findall(r"^\| `([a-z-]+)` \|", section("Replies and campaigns"), re.MULTILINE)
    assert sorted(told) == sorted(schema["$defs"]["item"]["properties"]["outcome"]["enum"])


def test_the_variables_shown_are_those_the_mailer_reads():
    told = set(re.findall(r"^\| `([A-Z_]+)` \|", TEXT, re.MULTILINE))
    assert told == set(re.findall(r'"(MAILER_[A-Z]+)"', getsource(executor.executor_from)))


def test_every_link_leads_to_a_file():
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", TEXT)]
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []

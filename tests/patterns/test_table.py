"""The table of patterns in the README: every plan that ships is in it, and every link leads somewhere."""

import re
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from coordinator.config import PLANS
from coordinator.planning import load_plans, plan_schema

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README[README.index("## Patterns\n") : README.index("## Configuration\n")]
SCHEMA = plan_schema()
ROWS = re.findall(r"^\| (.+) \| \[([a-z0-9-]+)\]\((\S+)\) \| \[(\w+)\]\((\S+)\) \|$", SECTION, re.MULTILINE)


def test_every_row_is_understood():
    heads = SECTION.count("|---|---|---|")
    assert SECTION.count("\n| ") == len(ROWS) + heads


def test_every_plan_that_ships_is_in_the_table_once():
    there = sorted(str(file.relative_to(ROOT)) for file in PLANS.rglob("*.yaml"))
    assert sorted(row[2] for row in ROWS) == there


@pytest.mark.parametrize(("plan", "file", "test", "tests"), [row[1:] for row in ROWS], ids=[row[1] for row in ROWS])
def test_a_row_names_a_valid_plan_and_a_test_that_is_about_it(plan, file, test, tests):
    assert list(load_plans([ROOT / file])) == [plan]
    jsonschema_rs.validate(SCHEMA, yaml.safe_load((ROOT / file).read_text(encoding="utf-8")))  # editors check by it
    assert re.search(rf"^(async )?def {test}\(", (ROOT / tests).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_link_of_the_section_leads_to_a_file():
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", SECTION)]
    assert [link for link in links if not (ROOT / link).exists()] == []

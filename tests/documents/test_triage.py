"""docs/triage.md says what the rules do: its tables and its transcript are compared with them."""

import re
from collections import Counter
from pathlib import Path

import yaml

from coordinator.config import Settings
from specialist_agents.mail import triage, unpacking
from specialist_agents.mail.topics import OWNERS
from tests.mails.generator import letters

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "triage.md").read_text(encoding="utf-8")


def test_the_table_of_kinds_and_owners_is_that_of_the_rules():
    assert dict(re.findall(r"^\| `([a-z-]+)` \| ([a-z-]+) \|$", TEXT, re.MULTILINE)) == OWNERS


def test_the_transcript_is_about_the_mails_that_ship():
    items = [item for letter in letters() for item in triage.items_of("x", letter.content)]
    files = [entry for letter in letters() for entry in unpacking.items_of("x", letter.content)]
    levels = Counter(item["urgency"]["value"] for item in items)
    told = ", ".join(f"{levels[level]} {level}" for level in ("critical", "high", "normal", "low"))
    assert f"{len(items)} mails: {told}; {len(files)} attachments\n" in TEXT
    subjects = {item["subject"] for item in items}
    shown = re.findall(r"^ ?\d+  (?:critical|high).*> +(?:\[injection likely\] )?(.*)$", TEXT, re.MULTILINE)
    assert len(shown) == 5
    assert set(shown) <= subjects


def test_the_configuration_shown_is_valid():
    (shown,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert Settings.model_validate(yaml.safe_load(shown)).default_plan == "mail-triage"

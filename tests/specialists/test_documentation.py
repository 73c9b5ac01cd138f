"""docs/findings.md holds the tables the reviewers use, row for row."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from specialist_agents.analysis.security_rules import SECURITY_RULES
from specialist_agents.analysis.tools import (
    bandit,
    coverage,
    dependencies,
    documentation,
    history,
    licences,
    mypy,
    radon,
    ruff,
    style,
    vulture,
)
from specialist_agents.analysis.vocabulary import KINDS, NAMED_KINDS

DOCUMENT = Path(__file__).parents[2] / "docs" / "findings.md"


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _code(text: str) -> str:
    return f"`{text}`" if text else "any other"


def _kinds() -> Iterable[str]:
    return [_row(_code(kind), meaning, "yes" if kind in NAMED_KINDS else "") for kind, meaning in KINDS.items()]


def _security() -> Iterable[str]:
    return [
        _row(f"`B{number}`", f"`S{number}`", _code(kind), severity)
        for number, (kind, severity) in sorted(SECURITY_RULES.items())
    ]


def _plain(table: Mapping[str, object], *, as_code: bool) -> list[str]:
    return [_row(_code(key), _code(str(value)) if as_code else value) for key, value in sorted(table.items())]


TABLES = {
    "Kinds": _kinds(),
    "Security rules: bandit and ruff": _security(),
    "ruff: kinds": _plain(ruff.KINDS, as_code=True),
    "ruff: severity": _plain(ruff.SEVERITIES, as_code=False),
    "ruff: confidence": _plain(ruff.CONFIDENCES, as_code=False),
    "bandit: severity and confidence": [
        _row(_code(word), bandit.SEVERITIES[word], bandit.CONFIDENCES[word]) for word in bandit.SEVERITIES
    ],
    "radon": [_row(_code(grade), severity, confidence) for grade, (severity, confidence) in radon.GRADES.items()],
    "vulture": [_row(_code(typ), _code(kind), severity) for typ, (kind, severity) in sorted(vulture.KINDS.items())],
    "style": [
        _row(_code(convention.kind), convention.what, ", ".join(_code(name) for name in convention.variants))
        for convention in style.CONVENTIONS.values()
    ],
    "licences": [_row(_code(rule), *rating) for rule, rating in licences.RULES.items()],
    "history": [_row(_code(rule), *rating) for rule, rating in history.RULES.items()],
    "documentation": [_row(_code(rule), *rating) for rule, rating in documentation.RULES.items()],
    "coverage": [_row(_code(rule), *rating) for rule, rating in coverage.RULES.items()],
    "dependencies": [_row(_code(rule), *rating) for rule, rating in dependencies.RULES.items()],
    "mypy: kinds": _plain(mypy.KINDS, as_code=True),
    "mypy: severity and confidence": [
        _row(_code(code), severity, confidence) for code, (severity, confidence) in sorted(mypy.RATINGS.items())
    ],
}


@pytest.mark.parametrize("section", TABLES)
def test_a_documented_table_is_the_table_in_the_code(section):
    after = DOCUMENT.read_text("utf-8").split(f"## {section}\n", maxsplit=1)[1]
    lines = after.split("\n## ", maxsplit=1)[0].splitlines()
    rows = [line for line in lines if line.startswith("|")][2:]  # below the head and the rule
    assert rows == list(TABLES[section])

"""From what a tool says to shared words, severities and confidences."""

import itertools
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruff.__main__ import find_ruff_bin

from specialist_agents.analysis import vocabulary
from specialist_agents.analysis.findings import MAX_MESSAGE_CHARACTERS, findings_of
from specialist_agents.analysis.model import Remark, Span
from specialist_agents.analysis.security_rules import SECURITY_RULES
from specialist_agents.analysis.sources import Source, read_sources
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


@pytest.mark.parametrize(
    ("rule", "kind", "severity", "confidence"),
    [
        ("F401", "unused-import", "low", 95),
        ("F841", "unused-variable", "low", 95),
        ("F821", "undefined-name", "high", 95),
        ("F507", "format-mismatch", "medium", 95),
        ("F706", "syntax-error", "high", 95),
        ("B006", "mutable-default", "medium", 85),
        ("B904", "ruff-b904", "low", 85),
        ("C901", "complex-function", "low", 80),
        ("E722", "bare-except", "medium", 90),
        ("S602", "shell-injection", "high", 85),
        ("S603", "subprocess-call", "low", 40),
        ("S999", "ruff-s999", "low", 85),
        ("A002", "shadowed-builtin", "low", 75),
        ("ARG005", "unused-argument", "low", 80),
        ("SIM102", "ruff-sim102", "info", 70),
        ("PLE1307", "format-mismatch", "high", 90),
        ("PLW0603", "ruff-plw0603", "low", 80),
        ("invalid-syntax", "syntax-error", "high", 100),
        ("NEW123", "ruff-new123", "low", 70),
    ],
)
def test_a_ruff_rule_has_a_kind_a_severity_and_a_confidence(tmp_path, rule, kind, severity, confidence):
    place = {"row": 1, "column": 1}
    entry = {"code": rule, "message": "`x`", "location": place, "end_location": place}
    remark = ruff.remark(_source(tmp_path), entry)
    assert (remark.kind, remark.severity, remark.confidence) == (kind, severity, confidence)


@pytest.mark.parametrize(("number", "kind"), [(number, kind) for number, (kind, _) in SECURITY_RULES.items()])
def test_bandit_and_ruff_use_one_word_for_one_number(number, kind):
    assert bandit.kind_of(f"B{number}") == ruff.kind_of(f"S{number}") == kind


@pytest.mark.parametrize(
    ("code", "line", "kind"),
    [
        ("name-defined", 1, "undefined-name"),
        ("arg-type", 1, "type-mismatch"),
        ("union-attr", 1, "type-mismatch"),
        ("call-arg", 1, "wrong-arguments"),
        ("brand-new", 1, "mypy-brand-new"),
        (None, 3, "syntax-error"),
        (None, -1, "not-reviewed"),
    ],
)
def test_a_mypy_code_has_a_kind(code, line, kind):
    assert mypy.kind_of(code, line) == kind


@pytest.mark.parametrize(
    ("typ", "confidence", "kind"),
    [
        ("variable", 60, "unused-variable"),
        ("variable", 100, "unused-argument"),
        ("import", 90, "unused-import"),
        ("unreachable_code", 100, "unreachable-code"),
        ("brand_new", 60, "vulture-brand-new"),
    ],
)
def test_an_item_of_vulture_has_a_kind(typ, confidence, kind):
    assert vulture.kind_of(typ, confidence)[0] == kind


def test_every_kind_in_a_table_is_a_documented_word():
    used = {
        *(kind for kind, _ in SECURITY_RULES.values()),
        *ruff.KINDS.values(),
        *mypy.KINDS.values(),
        *(kind for kind, _ in vulture.KINDS.values()),
        *(convention.kind for convention in style.CONVENTIONS.values()),
        *licences.RULES,
        *(rule for tool in (coverage, dependencies, documentation, history) for rule in tool.RULES),
        "complex-function",
        "not-reviewed",
        "unused-argument",
    }
    assert used == set(vocabulary.KINDS)
    assert set(vocabulary.KINDS) >= vocabulary.NAMED_KINDS


def test_every_severity_in_a_table_is_one_of_the_schema():
    used = {
        *(severity for _, severity in SECURITY_RULES.values()),
        *ruff.SEVERITIES.values(),
        *bandit.SEVERITIES.values(),
        *(severity for severity, _ in [*radon.GRADES.values(), *mypy.RATINGS.values()]),
        *(severity for _, severity in vulture.KINDS.values()),
        *(severity for severity, _ in licences.RULES.values()),
    }
    assert used <= set(vocabulary.SEVERITIES)


def test_every_ruff_rule_in_the_tables_exists():
    """A key that no rule of the installed ruff begins with is a slip of the pen."""
    listed = subprocess.run(
        [find_ruff_bin(), "rule", "--all", "--output-format", "json"], capture_output=True, check=True
    )
    rules = [rule["code"] or rule["name"] for rule in json.loads(listed.stdout)]
    keys = {*ruff.KINDS, *ruff.SEVERITIES, *ruff.CONFIDENCES, *ruff.SELECT} - {"invalid-syntax"}
    assert [key for key in sorted(keys) if not any(rule.startswith(key) for rule in rules)] == []


@pytest.mark.parametrize(
    ("tool", "rule", "kind"), [("ruff", "SIM102", "ruff-sim102"), ("mypy", "a_b--c", "mypy-a-b-c"), ("x", "Ü!", "x")]
)
def test_a_rule_without_a_shared_word_gets_one_of_its_own(tool, rule, kind):
    assert vocabulary.own_kind(tool, rule) == kind


@given(st.permutations(range(12)))
def test_the_order_of_the_remarks_does_not_matter(order):
    sources = [Source(name, Path(name), is_utf8=True, index=None, problem=None) for name in ("a.py", "b.py")]
    remarks = [
        Remark(source, rule, "type-mismatch", message, Span.of(line), "low", 50)
        for source, rule, (message, line) in itertools.product(sources, ("R1", "R2"), [("m", 1), ("n", 1), ("m", 2)])
    ]
    shuffled = [remarks[number] for number in order]
    assert findings_of([*shuffled, *remarks], "t", "1", "/f") == findings_of(remarks, "t", "1", "/f")


def test_a_message_is_free_of_our_folder_of_what_cannot_be_encoded_and_of_excess(tmp_path):
    messages = [f"{tmp_path}/src/a.py is odd", f"see {tmp_path}", "lone \ud800", "x" * 10_000]
    source = _source(tmp_path)
    remarks = [Remark(source, "R", "type-mismatch", message, Span.of(1), "low", 50) for message in messages]
    cleaned = {finding["message"] for finding in findings_of(remarks, "t", "1", str(tmp_path))}
    assert cleaned == {"src/a.py is odd", "see .", "lone \\ud800", "x" * MAX_MESSAGE_CHARACTERS}


@pytest.mark.parametrize(
    ("told", "made"),
    [
        ((3, 4, 5, 6), Span(3, 4, 5, 6)),
        ((-1, 0), Span(1, 1, 1, 1)),
        ((3, 9, 3, 2), Span(3, 9, 3, 9)),
        ((3, 1, 2, 7), Span(3, 1, 3, 1)),
    ],
)
def test_a_range_is_always_valid(told, made):
    assert Span.of(*told) == made


NAMES = st.lists(
    st.lists(st.sampled_from(["a", "b-c", "b_c", "class", "1", "types", "__init__", "ü x"]), min_size=1, max_size=3)
    .map("/".join)
    .flatmap(lambda stem: st.sampled_from([f"{stem}.py", f"{stem}.pyi"])),
    unique=True,
    max_size=12,
)


@given(names=NAMES)
def test_mypy_is_given_every_file_as_a_module_of_its_own(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("layout")
    for name in names:
        (folder / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "src" / name).write_text("")
    sources = list(read_sources(folder / "src", names, lambda _: None))
    places = mypy.lay_out(sources, folder / "mypy")
    assert sorted(source.name for source in places.values()) == sorted(names)
    modules = [_module(Path(place).relative_to(folder / "mypy")) for place in places]
    assert len(set(modules)) == len(modules)
    assert all(component.isidentifier() for module in modules for component in module.split("."))
    assert not {module.partition(".")[0] for module in modules} & mypy.RESERVED


def _module(path):
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _source(folder):
    (folder / "a.py").write_text("x = 1\n")
    return next(iter(read_sources(folder, ["a.py"], lambda _: None)))

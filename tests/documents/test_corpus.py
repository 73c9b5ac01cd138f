"""The corpus says what it holds, and the scoring counts it."""

import ast
import dataclasses
from collections import Counter

import pytest

from specialist_agents.analysis.vocabulary import KINDS, NAMED_KINDS
from tests.benchmarks.scoring import CORPUS, Label, read_corpus, score

CORPUS_LABELS = read_corpus()
EVERYTHING = (*CORPUS_LABELS.defects, *CORPUS_LABELS.decoys)
TOOLS = {"ruff", "bandit", "radon", "vulture", "mypy"}


def named(label):
    return f"{label.path}:{label.line}:{label.symbol}"


def test_it_holds_forty_defects_of_eight_kinds_and_forty_decoys_of_the_same():
    assert len(CORPUS_LABELS.defects) >= 40
    assert len(CORPUS_LABELS.decoys) >= 40
    assert len(CORPUS_LABELS.kinds) == 8
    assert Counter(label.kind for label in CORPUS_LABELS.decoys).keys() == CORPUS_LABELS.kinds


def test_nothing_is_said_twice():
    places = Counter((label.path, label.line, label.kind, label.symbol) for label in EVERYTHING)
    assert places.most_common(1)[0][1] == 1


@pytest.mark.parametrize("label", EVERYTHING, ids=named)
def test_an_expectation_names_a_statement_by_its_first_line(label):
    text = (CORPUS / label.path).read_text(encoding="utf-8")
    assert text.splitlines()[label.line - 1].strip().startswith(label.code)
    assert label.line in {node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)}


@pytest.mark.parametrize("label", EVERYTHING, ids=named)
def test_an_expectation_uses_the_words_of_the_reviewers(label):
    assert label.kind in KINDS
    assert bool(label.symbol) == (label.kind in NAMED_KINDS)
    assert set(label.tools) <= TOOLS


def test_a_defect_names_the_tools_and_a_decoy_says_why_it_is_fine():
    assert all(label.tools and not label.fine for label in CORPUS_LABELS.defects)
    assert all(label.fine and not label.tools for label in CORPUS_LABELS.decoys)


DEFECT = Label("a.py", 3, "unused-import", "import os", "os", ("ruff",))
OTHER = dataclasses.replace(DEFECT, line=9, symbol="sys")
DECOY = dataclasses.replace(DEFECT, symbol="re", tools=(), fine="used")
SMALL = dataclasses.replace(CORPUS_LABELS, defects=(DEFECT, OTHER), decoys=(DECOY,))


def finding(**changes):
    return {"path": "code/a.py", "statement": 3, "kind": "unused-import", "symbol": "os"} | changes


def test_a_finding_counts_by_path_kind_statement_and_symbol():
    right = score(SMALL, [finding(), finding(), finding(kind="shadowed-builtin")])
    assert (right.found, right.missed, right.judged, right.wrong, right.beyond) == (1, (OTHER,), 2, 0, 1)
    assert (right.recall, right.precision) == (0.5, 1.0)


def test_a_decoy_and_an_unlabelled_statement_are_wrong():
    result = score(SMALL, [finding(symbol="re"), finding(statement=5), finding(statement=9, symbol="sys")])
    assert result.decoys == (DECOY,)
    assert (result.found, result.wrong, result.precision) == (1, 2, pytest.approx(1 / 3))


def test_no_findings_miss_everything_and_claim_nothing_wrong():
    assert (score(SMALL, []).recall, score(SMALL, []).precision) == (0.0, 1.0)

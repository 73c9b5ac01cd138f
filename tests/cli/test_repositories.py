"""What `review` sends for a plan that takes more than Python, and what `research` prints."""

from __future__ import annotations

import json

import pytest
from google.protobuf.json_format import MessageToDict

from coordinator.cli.members import chosen_cards, read_cards
from tests.cli import stand_in
from tests.cli.stand_in import COMPLETE, PARTIAL, URI, artifact, ended, run

COMPLETED = 3
PLAN = {"name": "repository-review", "inputModes": ["text/x-python", "text/markdown", "application/toml"]}


@pytest.fixture
def plans(monkeypatch):
    """The stand-in tells of a plan that takes more than Python."""
    monkeypatch.setattr(stand_in, "PLANS", [*stand_in.PLANS, PLAN])


@pytest.fixture
def project(code):
    (code / "README.md").write_text("# A\n")
    (code / "pyproject.toml").write_text("[project]\n")
    (code / "notes.txt").write_text("not taken")
    return code


def sent(coordinator):
    return [part.filename for part in coordinator.requests[0].message.parts]


def test_a_review_sends_what_its_plan_takes_beside_the_python_files(call, coordinator, plans, project):
    coordinator.steps = COMPLETE
    assert call("review", project, "--plan", "repository-review").exit_code == 0
    assert sent(coordinator) == ["README.md", "a.py", "b.py", "pyproject.toml"]


def test_a_review_by_a_plan_for_python_goes_on_to_send_python_only(call, coordinator, plans, project):
    coordinator.steps = COMPLETE
    call("review", project)
    assert sent(coordinator) == ["a.py", "b.py"]


def passage(rank, citation, **fields):
    item = {"citation": citation, "kind": "source", "title": "f in a.py", "excerpt": "def f():\x1b[2J\n    return 1"}
    sources = [{"agent": "search-source"}, {"agent": "search-documentation"}]
    return {"rank": rank, "votes": 2, "score": 61.5, "item": item | {"confidence": 70} | fields, "sources": sources}


FOUND = {"schema": "merged-items/v1", "items": [passage(1, "a.py:1"), passage(2, "commit 12ab", kind="history")]}
PASSAGES = artifact(
    {"artifactId": "search/merged", "name": "passages", "parts": [{"data": FOUND}, {"text": "# Report"}]}
)
RESEARCHED = [PASSAGES, ended(COMPLETED, run())]


def test_a_question_travels_as_text_before_the_files(call, coordinator, project):
    coordinator.steps = RESEARCHED
    assert call("research", "Where is f?", project).exit_code == 0
    first, *files = coordinator.requests[0].message.parts
    assert MessageToDict(first) == {"text": "Where is f?", "mediaType": "text/plain"}
    assert [file.filename for file in files] == ["README.md", "a.py", "b.py", "notes.txt", "pyproject.toml"]
    assert MessageToDict(coordinator.requests[0].message.metadata)[URI] == {"plan": "research"}


def test_passages_are_printed_with_their_citations_and_without_control_characters(call, coordinator, project):
    coordinator.steps = RESEARCHED
    result = call("research", "Where is f?", project, "--top", "1")
    assert "2 passages: 1 source, 1 history" in result.stdout
    assert "   1  a.py:1  f in a.py  source, match 70 %, by search-source, search-documentation" in result.stdout
    assert "      def f():\N{REPLACEMENT CHARACTER}[2J\n          return 1" in result.stdout
    assert "… 1 more; --all shows them" in result.stdout
    assert "# Report" not in result.stdout
    assert "commit 12ab" in call("research", "Where is f?", project, "--all").stdout


def test_passages_are_written_as_json_and_markdown(call, coordinator, project):
    coordinator.steps = RESEARCHED
    told = json.loads(call("research", "Where is f?", project, "--format", "json").stdout)
    assert told["schema"] == "research/v1"
    assert [(one["rank"], one["citation"], one["foundBy"][0]) for one in told["passages"]] == [
        (1, "a.py:1", "search-source"),
        (2, "commit 12ab", "search-source"),
    ]
    text = call("research", "Where is f?", project, "--format", "markdown").stdout
    assert text.startswith("# Research\n\n2 passages")
    assert "\n2. `commit 12ab` f in a.py (history, match 70 %" in text


def test_a_partial_answer_ends_with_3_and_says_who_is_missing(call, coordinator, project):
    coordinator.steps = [PASSAGES, *PARTIAL[1:]]
    result = call("research", "Where is f?", project, "--format", "markdown")
    assert result.exit_code == 3
    assert "**Not complete:**" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((" ",), "there is no question"),
        (("Why?", "nowhere"), "there is no such file or folder"),
        (("Why?", ".", "--format", "sarif"), "passages are written as markdown or json"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_sent(call, coordinator, arguments, complaint):
    result = call("research", *arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert coordinator.requests == []


def test_reviewers_of_repositories_join_the_network_only_when_named(tmp_path):
    names = {card.name for card in read_cards(chosen_cards(tmp_path / "cards", ["history", "style"]))}
    assert names >= {"history", "style", "lint"}
    assert not names & {"coverage", "licences"}

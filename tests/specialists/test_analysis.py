"""The analysis itself, run here instead of in a child, so that every step can be looked at."""

import json
import sys

import pytest

from specialist_agents.analysis import __main__ as analysis
from specialist_agents.analysis import limits
from specialist_agents.analysis.model import Bench, ToolFailure
from specialist_agents.analysis.sources import read_sources
from specialist_agents.analysis.tools import mypy, ruff, vulture

AGENTS = ("complexity", "deadcode", "lint", "security", "types")


@pytest.fixture(autouse=True)
def unchanged_process(monkeypatch):
    """A child may change its own environment and recursion limit; the test process must not."""
    monkeypatch.setenv("MYPYPATH", "")
    before = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(before)


@pytest.fixture
def job(tmp_path):
    """Lay out files as the workshop does and return the path of the job."""

    def lay_out(agent, files, max_findings=1_000):
        for name, content in files.items():
            (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "src" / name).write_bytes(content.encode() if isinstance(content, str) else content)
        path = tmp_path / "job.json"
        path.write_text(json.dumps({"agent": agent, "names": list(files), "max_findings": max_findings}))
        return path

    return lay_out


@pytest.fixture
def told(monkeypatch):
    """What the analysis says about its progress."""
    lines = []
    monkeypatch.setattr(analysis, "_progress_writer", lambda: lines.append)
    return lines


@pytest.mark.parametrize("agent", AGENTS)
async def test_a_child_finds_what_the_analysis_finds(job, told, review, sample, agent):
    files = sample | {
        "broken.py": "def (:\n",
        "latin.py": b"# coding: latin-1\nx = '\xe9'\n",
        "stub.pyi": "import os\n",
    }
    path = job(agent, files)
    assert analysis.main(path) == 0
    here = [json.loads(document.read_bytes()) for document in sorted(path.parent.glob("findings-*.json"))]
    assert [finding for document in here for finding in document["findings"]] == await review(agent, files)
    assert told[0].startswith("checking 7 files with ")
    assert "reading 6 of 7 files" in told


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, [0]), (1, [1]), (1_000, [1_000]), (1_001, [1_000, 1]), (2_500, [1_000, 1_000, 500])]
)
def test_findings_are_cut_into_whole_documents(count, sizes):
    documents = list(analysis.documents([{"number": number} for number in range(count)]))
    assert [len(document["findings"]) for document in documents] == sizes
    assert {document["schema"] for document in documents} == {"findings/v1"}
    assert [finding["number"] for document in documents for finding in document["findings"]] == list(range(count))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ToolFailure("ruff ended with SIGSEGV"), "ruff ended with SIGSEGV"),
        (MemoryError(), "the analysis needed more memory than it may use"),
        (RecursionError(), "the analysis needed more depth than it may use"),
    ],
)
def test_what_goes_wrong_is_written_down(job, told, monkeypatch, error, says):
    def fail(*_):
        raise error

    monkeypatch.setattr(analysis, "review", fail)
    path = job("lint", {"a.py": ""})
    assert analysis.main(path) == analysis.FAILED
    assert (path.parent / "failure.txt").read_text() == says
    assert told == []


def test_too_many_findings_are_written_down_as_a_failure(job, told):
    path = job("deadcode", {"a.py": "import a, b, c\n"}, max_findings=2)
    assert analysis.main(path) == analysis.FAILED
    assert (path.parent / "failure.txt").read_text() == "3 findings; the limit is 2: send fewer files"
    assert told[0] == f"checking 1 file with vulture {analysis.REVIEWERS['deadcode'].version()}"


def test_a_tree_without_a_readable_file_needs_no_tool(job, told):
    assert analysis.main(job("lint", {"a.py": "def (:\n"})) == 0
    assert told


@pytest.fixture
def bench(tmp_path):
    """A bench over one small file."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("import os\n")
    sources = list(read_sources(tmp_path / "src", ["a.py"], lambda _: None))
    return sources, Bench(root=tmp_path / "src", scratch=tmp_path, progress=lambda _: None)


def test_a_ruff_that_fails_is_a_failure_with_its_own_words(bench, monkeypatch):
    monkeypatch.setattr(ruff, "arguments", lambda: ["check", "--no-such-option"])
    with pytest.raises(ToolFailure, match=r"ruff ended with exit status 2: .*--no-such-option"):
        list(ruff.review(*bench))


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([([], "INTERNAL ERROR", 2)], "mypy gave up: INTERNAL ERROR"),
        ([([{"line": 1}], "", 2)] * mypy.MAX_ROUNDS, "mypy gave up on one file after another, 10 times"),
    ],
)
def test_a_mypy_that_gives_up_is_a_failure(bench, monkeypatch, answers, says):
    sources, place = bench
    many = [sources[0]] * (mypy.MAX_ROUNDS + 1)
    monkeypatch.setattr(mypy, "lay_out", lambda *_: {str(number): source for number, source in enumerate(many)})
    left = iter(answers)
    entry = {"column": 0, "end_line": 1, "end_column": 1, "message": "m", "code": "syntax", "severity": "error"}

    def check(paths, _):
        entries, complaint, status = next(left)
        return [entry | one | {"file": paths[0]} for one in entries], complaint, status

    monkeypatch.setattr(mypy, "_check", check)
    with pytest.raises(ToolFailure, match=says):
        list(mypy.review(sources, place))


def test_vulture_says_how_far_it_is_in_our_files_only(bench):
    sources, place = bench
    lines = []
    list(vulture.review(sources, Bench(place.root, place.scratch, lines.append)))
    assert lines == ["0 of 1 files"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (3, "exit status 3"),
        (-9, "SIGKILL (often the sign of too little memory)"),
        (-24, "the limit of CPU time reached"),
        (-11, "SIGSEGV"),
        (-1000, "signal 1000"),
    ],
)
def test_an_exit_is_told_in_words(status, words):
    assert limits.describe_exit(status) == words

"""What of a repository's history travels, and that a stranger's repository runs nothing here."""

import json
import os

import pytest

from coordinator.cli import history
from coordinator.cli.history import history_of
from tests.research.repositories import FILES, commit, git, made


@pytest.fixture
def repository(tmp_path):
    return made(tmp_path / "shop")


def told(folder, **options):
    return [json.loads(line) for line in history_of(folder, **options).file.content.splitlines()]


def test_each_commit_is_a_line_the_newest_first_with_what_it_changed(repository):
    newest, oldest = told(repository)
    assert (newest["subject"], newest["body"]) == ("Baskets know the tax", "A rate, since rates differ.")
    assert (newest["author"], newest["date"][:10]) == ("Ada", "2026-01-02")
    assert newest["commit"] == git(repository, "rev-parse", "HEAD").strip()
    basket = len(FILES["shop/basket.py"].splitlines())
    assert {"path": "shop/basket.py", "added": basket, "removed": 0} in newest["files"]
    assert "+class Basket:" in newest["patch"].splitlines()
    assert {file["path"] for file in oldest["files"]} == {name for name in FILES if "basket" not in name}


def test_addresses_of_people_are_not_sent(repository):
    assert b"secret.example" not in history_of(repository).file.content


def test_a_folder_of_the_repository_has_its_own_part_of_the_history(repository):
    only = told(repository / "tests")
    assert [(one["subject"], [file["path"] for file in one["files"]]) for one in only] == [
        ("Baskets know the tax", ["test_basket.py"])
    ]


def test_only_so_many_commits_and_so_much_of_each_are_sent(repository, monkeypatch):
    commit(repository, "Much", {"big.txt": "".join(f"line {number}\n" for number in range(50_000))})
    newest, *others = told(repository, most=2)
    assert len(others) == 1
    assert newest["truncated"]
    assert len(newest["patch"]) == history.MOST_OF_A_PATCH
    assert newest["files"] == [{"path": "big.txt", "added": 50_000, "removed": 0}]
    monkeypatch.setattr(history, "MOST_BYTES", len(json.dumps(newest)) + 500)
    assert [one["subject"] for one in told(repository)] == ["Much"]


def test_a_commit_that_looks_like_the_form_of_the_export_stays_one_commit(repository):
    commit(repository, "Odd\n\n1\t2\tpath\ndiff --git a/x b/x", {'odd "name".txt': "diff --git a b\n1\t1\tx\n"})
    assert len(told(repository)) == 3
    assert told(repository)[0]["body"] == "1\t2\tpath\ndiff --git a/x b/x"


def test_without_a_repository_or_without_commits_the_reason_is_told(tmp_path):
    assert "not a git repository" in history_of(tmp_path).why_none
    git(tmp_path, "init", "-q")
    assert "does not have any commits" in history_of(tmp_path).why_none


def test_without_git_the_reason_is_told(repository, monkeypatch):
    monkeypatch.setenv("PATH", str(repository / "nowhere"))
    assert history_of(repository).why_none == "git cannot be started: No such file or directory"


def test_nothing_a_repository_is_configured_to_run_is_run(repository, tmp_path, monkeypatch):
    trap, mark = tmp_path / "trap.sh", tmp_path / "it-ran"
    trap.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    trap.chmod(0o755)
    config = (
        "core.fsmonitor core.pager pager.log core.sshCommand core.editor diff.external diff.trap.textconv "
        "diff.trap.command filter.trap.smudge filter.trap.clean gpg.program core.askPass"
    )
    for key in config.split():
        git(repository, "config", key, str(trap))
    git(repository, "config", "log.showSignature", "true")
    git(repository, "config", "core.hooksPath", str(tmp_path))
    (repository / ".gitattributes").write_text("* diff=trap filter=trap\n")
    (repository / ".git/info/attributes").write_text("* diff=trap filter=trap\n")
    for variable in ("GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_SSH_COMMAND"):
        monkeypatch.setenv(variable, str(trap))
    monkeypatch.setenv("GIT_DIR", os.devnull)
    assert [one["subject"] for one in told(repository)] == ["Baskets know the tax", "Begin a shop"]
    assert not mark.exists()
    monkeypatch.undo()
    git(repository, "log", "-p", "-1", "--ext-diff")
    assert mark.exists(), "the trap does not work, so this test shows nothing"


def test_a_repository_that_keeps_git_busy_for_too_long_is_left(repository, monkeypatch, tmp_path):
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(history, "TIMEOUT_S", 0.05)
    assert history_of(repository).why_none == "there are no commits"

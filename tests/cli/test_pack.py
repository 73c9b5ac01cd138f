"""Which files a review is about."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coordinator.cli.exits import ExitCode, Stop
from coordinator.cli.pack import pack


def write(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())


def names(*paths: Path) -> list[str]:
    return [file.name for file in pack(paths)]


def test_python_files_and_stubs_are_packed_in_order_of_their_names(tmp_path):
    write(tmp_path, "b.py", "a.pyi", "pkg/c.py", "notes.txt", "data.json", "py")
    assert names(tmp_path) == ["a.pyi", "b.py", "pkg/c.py"]


@pytest.mark.parametrize(
    "hidden", [".git", ".venv", "venv", "__pycache__", "node_modules", "build", ".hidden", "pkg/build"]
)
def test_folders_nobody_wrote_by_hand_are_skipped(tmp_path, hidden):
    write(tmp_path, f"{hidden}/x.py", "a.py")
    assert names(tmp_path) == ["a.py"]


def test_a_skipped_name_counts_when_it_is_what_was_asked_for(tmp_path):
    write(tmp_path, "build/x.py")
    assert names(tmp_path / "build") == ["x.py"]


def test_symlinks_are_not_followed(tmp_path):
    write(tmp_path, "outside/secret.py", "code/a.py")
    (tmp_path / "code/folder").symlink_to(tmp_path / "outside")
    (tmp_path / "code/file.py").symlink_to(tmp_path / "outside/secret.py")
    (tmp_path / "code/loop").symlink_to(tmp_path / "code")
    assert names(tmp_path / "code") == ["a.py"]


def test_a_pipe_that_looks_like_a_file_is_skipped(tmp_path):
    write(tmp_path, "a.py")
    os.mkfifo(tmp_path / "pipe.py")
    assert names(tmp_path) == ["a.py"]


def test_bytes_travel_as_they_are(tmp_path):
    (tmp_path / "latin.py").write_bytes(b"# caf\xe9\r\n\x00")
    assert pack([tmp_path])[0].content == b"# caf\xe9\r\n\x00"


def test_a_single_file_goes_by_its_own_name(tmp_path):
    write(tmp_path, "deep/down/a.py")
    assert names(tmp_path / "deep/down/a.py") == ["a.py"]


def test_several_paths_are_named_from_what_they_have_in_common(tmp_path):
    write(tmp_path, "src/a.py", "tests/a.py", "tests/b.py")
    assert names(tmp_path / "src", tmp_path / "tests/a.py") == ["src/a.py", "tests/a.py"]


def test_a_file_named_twice_is_packed_once(tmp_path):
    write(tmp_path, "src/a.py")
    assert names(tmp_path / "src", tmp_path / "src/a.py", tmp_path / "src/../src") == ["a.py"]


def test_a_name_that_is_no_text_is_escaped(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.py")).write_text("")
    assert names(tmp_path) == ["caf\\udce9.py"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing", "there is no such file or folder"),
        ("empty", "no Python files below"),
        ("notes.txt", "is not a Python file"),
        ("loop", "cannot be read"),
    ],
)
def test_nothing_to_review_is_wrong_usage(tmp_path, path, words):
    write(tmp_path, "notes.txt")
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(Stop, match=words) as stop:
        pack([tmp_path / path])
    assert stop.value.code is ExitCode.USAGE


def test_a_folder_that_cannot_be_read_is_told_by_name(tmp_path, monkeypatch):
    write(tmp_path, "a.py", "inner/b.py")
    scandir = os.scandir

    def locked(path: str):
        if str(path).endswith("inner"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    with pytest.raises(Stop, match=r"inner cannot be read: Permission denied"):
        pack([tmp_path])


def test_a_file_that_vanishes_is_told_by_name(tmp_path, monkeypatch):
    write(tmp_path, "a.py")

    def vanished(_: Path) -> bytes:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "read_bytes", vanished)
    with pytest.raises(Stop, match=r"a\.py cannot be read: No such file"):
        pack([tmp_path])

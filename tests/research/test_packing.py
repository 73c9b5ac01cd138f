"""Which files of a repository are sent, as what, and which are not."""

import pytest

from coordinator.cli import repository
from coordinator.cli.exits import Stop
from coordinator.cli.repository import ALL_MODES, pack_repository
from tests.research.repositories import FILES, made


def test_every_file_travels_with_its_type_and_the_history_beside_them(tmp_path):
    made(tmp_path)
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    packed = pack_repository([tmp_path], ALL_MODES)
    assert {part.filename: part.media_type for part in packed.parts} == {
        "README.md": "text/markdown",
        "pyproject.toml": "application/toml",
        "requirements.txt": "text/plain",
        "shop/basket.py": "text/x-python",
        "shop/mail.py": "text/x-python",
        "tests/test_basket.py": "text/x-python",
        "web/app.js": "text/x-source",
        "history.gitlog": "application/x-git-log",
    }
    assert packed.commits == 2
    assert packed.notes == []


def test_only_what_the_plan_takes_is_sent(tmp_path):
    made(tmp_path)
    packed = pack_repository([tmp_path], {"text/markdown"})
    assert [part.filename for part in packed.parts] == ["README.md"]


def test_hidden_folders_and_symlinks_stay_here(tmp_path):
    made(tmp_path / "code")
    (tmp_path / "secret.md").write_text("secret")
    (tmp_path / "code/link.md").symlink_to(tmp_path / "secret.md")
    names = {part.filename for part in pack_repository([tmp_path / "code"], ALL_MODES).parts}
    assert names == {*FILES, "history.gitlog"}


def test_what_is_too_large_is_left_out_and_named_and_code_comes_first(tmp_path, monkeypatch):
    (tmp_path / "a.md").write_text("a" * 60)
    (tmp_path / "b.py").write_text("b" * 60)
    (tmp_path / "c.md").write_text("c" * 600)
    monkeypatch.setattr(repository, "MOST_BYTES", 100)
    packed = pack_repository([tmp_path], {"text/x-python", "text/markdown"})
    assert [part.filename for part in packed.parts] == ["b.py"]
    assert packed.notes == ["left out, as too large: a.md, c.md"]
    monkeypatch.setattr(repository, "MOST_BYTES", 1000)
    monkeypatch.setattr(repository, "MOST_OF_A_FILE", 100)
    assert pack_repository([tmp_path], {"text/x-python", "text/markdown"}).notes == ["left out, as too large: c.md"]


def test_a_folder_without_git_is_sent_without_history_and_says_so(tmp_path):
    (tmp_path / "a.md").write_text("a")
    packed = pack_repository([tmp_path], ALL_MODES)
    assert [part.filename for part in packed.parts] == ["a.md"]
    assert "without history: " in packed.notes[0]


def test_nothing_to_read_is_told(tmp_path):
    with pytest.raises(Stop, match="nothing to read below"):
        pack_repository([tmp_path], ALL_MODES)

"""Reviewed code is read, never run, and nothing in it decides how it is reviewed."""

import os
import subprocess
import sys

import pytest

AGENTS = ("complexity", "deadcode", "lint", "security", "types")

SHADOWS = (
    "sitecustomize", "usercustomize", "json", "ast", "re", "tokenize", "importlib", "runpy", "pathlib", "ctypes",
    "resource", "specialist_agents", "ruff", "bandit", "radon", "vulture", "mypy", "stevedore", "plugin",
)  # fmt: skip

CONFIGURATION = {
    "mypy.ini": "[mypy]\nplugins = plugin.py\n",
    ".mypy.ini": "[mypy]\nplugins = plugin.py\n",
    "setup.cfg": "[mypy]\nplugins = plugin.py\n",
    "pyproject.toml": '[tool.mypy]\nplugins = "plugin.py"\n[tool.ruff]\nexclude = ["*"]\n'
    '[tool.bandit]\nskips = ["B602"]\n[tool.vulture]\nmin_confidence = 100\nignore_names = ["*"]\n',
    ".bandit": "[bandit]\nskips = B602\nexclude = *\n",
    "ruff.toml": 'exclude = ["*"]\n',
    ".gitignore": "*\n",
    "radon.cfg": "[radon]\nexclude = *\n",
}

VICTIM = (
    "import subprocess\nimport unused\n\ndef f(a: int) -> str:\n    subprocess.run('ls', shell=True)\n"
    + "".join(f"    if a == {number}:\n        return '{number}'\n" for number in range(12))
    + "    return 1\n"
)

EXPECTED = {
    "complexity": "complex-function",
    "deadcode": "unused-import",
    "lint": "shell-injection",
    "security": "shell-injection",
    "types": "type-mismatch",
}


@pytest.fixture
def trap(tmp_path):
    """Code that leaves a mark when it runs, and a look whether it did."""
    mark = tmp_path / "it-ran"
    return f"open({str(mark)!r}, 'w').close()\n", mark.exists


@pytest.fixture
def planted(trap):
    """A tree with everything that tools read or import when it lies in their way."""
    code, _ = trap
    return {f"{name}.py": code for name in SHADOWS} | CONFIGURATION | {"victim.py": VICTIM}


@pytest.mark.parametrize("agent", AGENTS)
async def test_nothing_that_is_reviewed_is_run_or_obeyed(review, planted, trap, agent):
    findings = await review(agent, planted)
    assert not trap[1]()
    kinds = {finding["kind"] for finding in findings if finding["path"] == "victim.py"}
    assert EXPECTED[agent] in kinds


def test_the_trap_works_when_code_is_run(planted, trap, tmp_path):
    (tmp_path / "tree").mkdir()
    for name, content in planted.items():
        (tmp_path / "tree" / name).write_text(content)
    (tmp_path / "tree" / "mypy.py").unlink()
    command = [sys.executable, "-P", "-m", "mypy", "victim.py"]
    subprocess.run(command, cwd=tmp_path / "tree", capture_output=True, check=False)
    assert trap[1]()


async def test_the_child_gets_nothing_of_our_environment(review, trap, tmp_path, monkeypatch):
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(trap[0])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "path" / "sitecustomize.py"))
    monkeypatch.setenv("RUFF_OUTPUT_FORMAT", "text")
    assert await review("lint", {"a.py": "import os\n"})
    assert not trap[1]()


NAMES = (
    "plain.py", "build/a.py", "dist/a.py", "venv/lib/site-packages/a.py", ".venv/a.py", "node_modules/a.py",
    ".hidden/a.py", "my-dir/a.py", "my_dir/a.py", "class/def.py", "1st/2nd.py", "with space/and more.py",
    "ümlaut/größe.py", "a.py", "a/__init__.py", "a/b.py", "pair.py", "pair.pyi", "types.py", "typing.py", "json.py",
    "test_a.py", "tests/test_b.py", "__main__.py", "deep/" * 40 + "a.py", "-rf.py", "@at.py", "#hash.py", "a.b.c.py",
)  # fmt: skip


@pytest.mark.parametrize("agent", ["lint", "security", "types"])
async def test_every_file_is_reviewed_whatever_its_name(review, agent):
    findings = await review(agent, dict.fromkeys(NAMES, VICTIM))
    reviewed = {finding["path"] for finding in findings if finding["kind"] == EXPECTED[agent]}
    assert reviewed == set(NAMES)


ODD = {
    "empty.py": b"",
    "byte_order_mark.py": b"\xef\xbb\xbfx = 1\n",
    "other_line_ends.py": b"x = 1\r\ny = 2\r",
    "declared_latin_1.py": b"# coding: latin-1\nx = '\xe9'\n",
    "undeclared_latin_1.py": b"x = '\xe9'\n",
    "null_byte.py": b"x = 1\x00\n",
    "no_text.py": b"\x00\xff\xfe" * 100,
    "unknown_encoding.py": b"# coding: nonsense\nx = 1\n",
    "lone_surrogates.py": b"password = '\\ud800'\ndef f(token='\\udfff'): assert token\n",
    "invalid_escape.py": b"x = '\\d'\n",
    "open_string.py": b"x = '''\n",
    "type_comment.py": b"x = 1 # type: (\n",
    "late_future_import.py": b"def f():\n    return x\nfrom __future__ import annotations\n",
    "nowhere.py": b"from . import *\nfrom ... import nowhere\n",
    "form_feeds.py": b"\x0cx = 1\n\x0c\ny = (\n\x0c2)\n",
}


@pytest.mark.parametrize("agent", AGENTS)
async def test_no_content_ends_a_review(review, schema, agent):
    findings = await review(agent, ODD | {"victim.py": VICTIM})
    schema.validate({"schema": "findings/v1", "findings": findings})
    assert EXPECTED[agent] in {finding["kind"] for finding in findings if finding["path"] == "victim.py"}
    unread = {finding["path"] for finding in findings if finding["kind"] in {"syntax-error", "not-reviewed"}}
    assert unread >= {f"{name}.py" for name in ("undeclared_latin_1", "null_byte", "no_text", "unknown_encoding")}


async def test_messages_do_not_name_the_folder_the_review_happened_in(review, tmp_path):
    findings = await review("types", {"types.py": "def f() -> int: return ''\n", "a.py": "from b import c\nc.d\n"})
    assert str(tmp_path) not in str(findings)
    assert os.sep + "review-" not in str(findings)


async def test_a_file_mypy_stops_at_does_not_hide_the_others(review):
    blocking = {f"b{number}.py": "x = 1 # type: (\nbreak\n" for number in range(3)}
    findings = await review("types", {**blocking, "victim.py": VICTIM})
    by_path = {finding["path"]: finding["kind"] for finding in findings}
    assert by_path == {
        "b0.py": "syntax-error",
        "b1.py": "syntax-error",
        "b2.py": "syntax-error",
        "victim.py": "type-mismatch",
    }

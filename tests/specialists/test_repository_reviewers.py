"""The reviewers of history, documentation, coverage and dependencies, each in its child process."""

import json
import subprocess
import sys

import pytest

from coordinator.cli.history import history_of
from coordinator.cli.repository import ALL_MODES, pack_repository
from specialist_agents.cards import read_card
from specialist_agents.reviewers import REVIEWERS
from specialist_agents.testing import connected, findings_in, running, send, task_of
from tests.research.repositories import commit, git
from tests.specialists.test_mail_agents import message

NAMES = ("history", "documentation", "coverage", "dependencies")


def told(findings, kind=None):
    """Return where each finding is, of one kind or with its kind."""
    if kind:
        return [(one["path"], one["statement"]) for one in findings if one["kind"] == kind]
    return [(one["kind"], one["path"], one["statement"]) for one in findings]


@pytest.mark.parametrize("name", NAMES)
async def test_what_was_not_sent_is_told_instead_of_nothing(review, name):
    found = await review(name, {"a.py": '"""A."""\n'})
    if name == "documentation":  # it always has the code itself to look at
        assert found == []
    else:
        assert [(one["path"], one["confidence"], one["severity"]) for one in found] == [("a.py", 100, "info")]
        assert found[0]["kind"].startswith("no-")


@pytest.mark.parametrize("name", NAMES)
async def test_a_reviewer_of_repositories_takes_whatever_one_holds_and_answers_in_the_common_form(
    name, schema, tmp_path
):
    git(tmp_path, "init", "-q")
    commit(tmp_path, "Begin", {"a.py": "def f():\n    return 1\n", "README.md": "# A\n", "requirements.txt": "x\n"})
    (tmp_path / "coverage.json").write_text('{"files": {"a.py": {"executed_lines": [1], "missing_lines": [2]}}}')
    parts = pack_repository([tmp_path], ALL_MODES).parts
    async with running(name) as url, connected(url) as client:
        task = task_of(await send(client, message(*parts)))
    document = {"schema": "findings/v1", "findings": findings_in(task.artifacts)}
    schema.validate(json.loads(json.dumps(document), parse_float=lambda n: int(float(n))))
    assert REVIEWERS[name].of_repository
    assert [skill.id for skill in read_card(name).skills][1] == "repository-review"


# -- history -----------------------------------------------------------------------------------

KEY = "AKIA" + "ABCDEFGH12345678"
LITERAL = "hunter2hunter2"


async def test_a_secret_is_found_in_the_history_after_it_was_removed_and_is_not_repeated(review, tmp_path):
    git(tmp_path, "init", "-q")
    commit(tmp_path, "Begin", {"app.py": f"KEY = '{KEY}'\npassword = '{LITERAL}'\nother_password = 'changeme123'\n"})
    commit(tmp_path, "No key in code", {"app.py": f"import os\nKEY = os.environ['KEY']\npassword = '{LITERAL}'\n"})
    history = history_of(tmp_path).file
    found = await review("history", {"app.py": (tmp_path / "app.py").read_bytes(), history.name: history.content})
    secrets = [one for one in found if one["kind"] == "committed-secret"]
    assert sorted(told(secrets)) == [("committed-secret", "app.py", 3), ("committed-secret", "history.gitlog", 2)]
    assert all(one["severity"] == "high" for one in secrets)
    messages = " ".join(one["message"] for one in found)
    assert "removed since, but still in the history" in messages
    assert KEY not in messages
    assert LITERAL not in messages


def a_history(*commits):
    return "".join(
        json.dumps(
            {
                "commit": f"{number:040x}",
                "date": "2026-01-01",
                "author": "Ada",
                "subject": subject,
                "body": "",
                "files": [{"path": path, "added": lines, "removed": 0} for path in paths],
                "patch": "",
                "truncated": False,
            }
        )
        + "\n"
        for number, (subject, paths, lines) in enumerate(commits, 1)
    )


async def test_large_and_unclear_commits_stand_at_their_lines_of_the_history(review):
    many = [f"f{number}.py" for number in range(5)]
    history = a_history(
        ("Reformat everything", many, 500),
        ("wip", ["a.py"], 1),
        ("fix", ["a.py"], 1),
        ("Fix the lookup of unknown names", ["a.py"], 1),
        ("Begin", many, 500),
    )
    found = await review("history", {"a.py": "", "history.gitlog": history + "no json\n"})
    assert told(found) == [
        ("large-commit", "history.gitlog", 1),
        ("unclear-commit-message", "history.gitlog", 2),
        ("unclear-commit-message", "history.gitlog", 3),
    ]


async def test_hot_spots_files_that_change_together_and_what_is_often_fixed(review):
    commits = [
        *[("Fix the tax", ["shop/tax.py"], 1)] * 4,
        *[("Sell more", ["shop/tax.py", "web/form.py", "tests/test_tax.py"], 1)] * 3,
        *[("fix(form): again", ["shop/tax.py", "web/form.py"], 1)] * 5,
        *[("Other things entirely", ["gone.py"], 1)] * 30,
    ]
    files = dict.fromkeys(("shop/tax.py", "web/form.py", "tests/test_tax.py"), "")
    found = await review("history", {**files, "history.gitlog": a_history(*commits)})
    assert told(found) == [
        ("hot-spot", "shop/tax.py", 1),
        ("often-fixed", "shop/tax.py", 1),
        ("often-fixed", "web/form.py", 1),
    ]
    assert "12 of 42 commits" in found[0]["message"]
    together = [("Sell more", ["shop/tax.py", "web/form.py"], 1)] * 5
    found = await review("history", {**files, "history.gitlog": a_history(*together)})
    assert told(found) == [("changes-together", "shop/tax.py", 1)]
    assert found[0]["symbol"] == "web/form.py"


# -- documentation -----------------------------------------------------------------------------

README = """# Shop: the *code*

See [usage](docs/usage.md#how-to), [gone](docs/gone.md), [there](#shop-the-code), [nowhere](#nowhere),
[the site](https://example.org/x.md), ![a photo](photo.png), [a hidden one](.github/a.md), [outside](../b.md),
`[no link](x.md)`, [code](shop/app.py), [a folder](shop).

```python
def f(:
```

```json
{"a": 1,}
```

```yaml
a: [1
```

```toml
a = 1
a = 2
```

```python
>>> f(
```

```json
{"a": …}
```

```sh
shop --count 3 --no-colour --verbose
pip install --upgrade shop
```

Run `shop --dry-run --help`; `other --gone`.
"""
APP = '''"""The shop."""

import typing


def public(count, colour, dry_run):
    return count


class Open:
    """Open."""

    def method(self): ...

    def _own(self): ...

    @typing.overload
    def twice(self): ...


def _private():
    def inner(): ...


class _Hidden:
    def method(self): ...
'''


async def test_documents_are_compared_with_what_they_are_about(review):
    found = await review(
        "documentation",
        {
            "README.md": README,
            "docs/usage.md": "# Use\n\n## How to\n\n[up](../README.md)\n",
            "shop/app.py": APP,
            "shop/__init__.py": "x = 1\n",
            "shop/plain.py": "x = 1\n",
            "tests/test_app.py": "def test(): ...\n",
            "pyproject.toml": '[project]\nname = "shop"\nscripts.shop = "shop.app:main"\n',
        },
    )
    assert told(found, "missing-docstring") == [("shop/app.py", 6), ("shop/app.py", 13), ("shop/plain.py", 1)]
    assert told(found, "broken-link") == [("README.md", 3)]
    assert told(found, "broken-anchor") == [("README.md", 3)]
    assert told(found, "broken-example") == [("README.md", line) for line in (8, 12, 16, 21)]
    options = [one for one in found if one["kind"] == "unknown-option"]
    assert [one["message"] for one in options] == ["--verbose is in no other file"]
    assert {one["symbol"] for one in found if one["kind"] == "missing-docstring" and "symbol" in one} == {
        "public",
        "method",
    }


# -- coverage ----------------------------------------------------------------------------------

CODE = '''"""Code."""


def run():
    """Run."""
    return 1


def idle(
    a,
):
    """Stay."""
    if a:
        return 2
    return 3


def _own():
    return 4


class Box:
    def empty(self): ...

    def full(self):
        return 5
'''
IDLE = [("pkg/code.py", 9), ("pkg/code.py", 25)]
XML = """<?xml version="1.0" ?>
<!DOCTYPE coverage SYSTEM 'http://cobertura.example/coverage-04.dtd'>
<coverage><packages><package><classes><class filename="code.py"><lines>
<line number="4" hits="1"/><line number="6" hits="2"/><line number="9" hits="1"/><line number="13" hits="0"/>
<line number="14" hits="0"/><line number="15" hits="0"/><line number="19" hits="0"/><line number="25" hits="1"/>
<line number="26" hits="0"/></lines></class></classes></package></packages></coverage>"""
TOLD = {"executed_lines": [4, 6, 9, 23, 25], "missing_lines": [13, 14, 15, 19, 26]}


@pytest.mark.parametrize(
    "report",
    [{"coverage.xml": XML}, {"coverage.json": json.dumps({"meta": {}, "files": {"/build/pkg/code.py": TOLD}})}],
    ids=["xml", "json"],
)
async def test_public_functions_no_test_has_run_are_found(review, report):
    found = await review("coverage", {"pkg/code.py": CODE, "pkg/new.py": "def f():\n    return 1\n", **report})
    assert told(found, "untested-function") == IDLE
    assert [one["symbol"] for one in found if one["kind"] == "untested-function"] == ["idle", "full"]
    assert told(found, "not-measured") == [("pkg/new.py", 1)]


@pytest.fixture(params=[[], ["--branch"]], ids=["lines", "branches"])
def measured(request, tmp_path):
    """What coverage.py itself has written about a run of the code."""
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/code.py").write_text(CODE)
    (tmp_path / "main.py").write_text("from pkg import code\n\ncode.run()\n")
    command = [sys.executable, "-m", "coverage", "run", *request.param, "--data-file=.coverage", "main.py"]
    subprocess.run(command, cwd=tmp_path, env={}, check=True, capture_output=True)
    return (tmp_path / ".coverage").read_bytes()


async def test_the_data_file_of_coverage_py_is_read_as_it_is(review, measured):
    found = await review("coverage", {"pkg/code.py": CODE, ".coverage": measured})
    assert told(found) == [("untested-function", *place) for place in IDLE]


@pytest.mark.parametrize(
    "report",
    [
        {"coverage.xml": "<coverage>"},
        {"coverage.xml": "<!DOCTYPE c [<!ENTITY a 'aaaa'>]><coverage/>"},
        {"coverage.json": '{"executed_lines"'},
        {".coverage": "no database"},
    ],
)
async def test_a_report_that_is_none_is_told(review, report):
    [found] = await review("coverage", {"pkg/code.py": CODE, **report})
    assert (found["kind"], found["path"]) == ("unreadable-coverage-report", next(iter(report)))


# -- dependencies ------------------------------------------------------------------------------

PYPROJECT = """[project]
name = "own"
dependencies = [
  "httpx>=0.28",
  "pyyaml",
  "nobody-imports-me>=1",
  "nonsense ==",
]
[project.optional-dependencies]
more = ["some-program>=2"]
[dependency-groups]
dev = ["pytest>=9", "pytest>=9"]
"""
IMPORTS = """import os
import httpx, yaml
import undeclared.thing
from undeclared import more
from . import near
import pkg.other
import own
try:
    import optional_one
except ImportError:
    pass
if TYPE_CHECKING:
    import only_types
import pytest
"""


async def test_requirements_are_compared_with_imports(review):
    found = await review(
        "dependencies",
        {
            "pyproject.toml": PYPROJECT,
            "constraints.txt": "httpx==0.27.0 \\\n    --hash=sha256:00\n",
            "requirements.txt": "-r other.txt\nflask  # any\ndjango @ https://example.org/d.whl\n",
            "pkg/code.py": IMPORTS,
        },
    )
    assert sorted(told(found)) == [
        ("conflicting-requirement", "constraints.txt", 1),
        ("duplicate-requirement", "pyproject.toml", 12),
        ("invalid-requirement", "pyproject.toml", 7),
        ("undeclared-import", "pkg/code.py", 3),
        ("unpinned-requirement", "pyproject.toml", 5),
        ("unpinned-requirement", "requirements.txt", 2),
        ("unused-dependency", "pyproject.toml", 6),
    ]
    assert {one["symbol"] for one in found if one["kind"] == "undeclared-import"} == {"undeclared"}


async def test_metadata_that_is_broken_declares_nothing(review):
    assert await review("dependencies", {"pyproject.toml": "[[[", "a.py": "import os\n"}) == []

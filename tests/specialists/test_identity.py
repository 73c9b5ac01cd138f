"""Two tools that see one mistake give it one identity: path, kind, statement, symbol."""

import ast
import sysconfig
from pathlib import Path

import pytest

from specialist_agents.analysis.statements import StatementIndex

SHELL = """\
import subprocess

def run(name):
    return subprocess.run(
        "ls " + name,
        check=True,
        shell=True,
    )
"""

IMPORTS = """\
from collections import (
    OrderedDict,
    deque as queue,
    namedtuple,
)
import os.path
import json as j, re

print(namedtuple)
"""

DECORATED = (
    """\
import functools

@functools.cache
@functools.wraps(
    print
)
def tangled(
    a,
):
"""
    + "".join(f"    if a == {number}:\n        return {number}\n" for number in range(12))
    + "    return 0\n"
)

HANDLERS = """\
def quiet(f):
    try:
        f()
    except Exception:
        pass
    except:
        pass
"""


def _identity(finding):
    return finding["path"], finding["kind"], finding["statement"], finding.get("symbol", "")


def _of_kind(findings, kind):
    return {_identity(finding) for finding in findings if finding["kind"] == kind}


@pytest.mark.parametrize(
    ("kind", "code", "agents", "identities"),
    [
        ("shell-injection", SHELL, ("lint", "security"), {("a.py", "shell-injection", 4, "")}),
        (
            "unused-import",
            IMPORTS,
            ("lint", "deadcode"),
            {("a.py", "unused-import", line, name) for line, name in
             [(1, "OrderedDict"), (1, "queue"), (6, "os"), (7, "j"), (7, "re")]},
        ),
        ("complex-function", DECORATED, ("lint", "complexity"), {("a.py", "complex-function", 7, "tangled")}),
        ("unused-argument", "def f(\n    a,\n    b,\n):\n    return a\nf(1, 2)\n", ("lint", "deadcode"),
         {("a.py", "unused-argument", 1, "b")}),
        ("unused-variable", "def f():\n    with open('x') as g:\n        h = 1\nf()\n", ("lint", "deadcode"),
         {("a.py", "unused-variable", 2, "g"), ("a.py", "unused-variable", 3, "h")}),
        ("undefined-name", "x = [\n    1,\n    nobody,\n]\n", ("lint", "types"),
         {("a.py", "undefined-name", 1, "nobody")}),
        ("swallowed-exception", HANDLERS, ("lint", "security"),
         {("a.py", "swallowed-exception", 4, ""), ("a.py", "swallowed-exception", 6, "")}),
        ("weak-hash", "import hashlib\nx = hashlib.new(\n    'md5',\n)\n", ("lint", "security"),
         {("a.py", "weak-hash", 2, "")}),
        ("syntax-error", "x = 1\ny = (\n", ("lint", "security", "complexity", "deadcode", "types"),
         {("a.py", "syntax-error", 2, "")}),
        ("syntax-error", "x = 1\nbreak\n", ("lint", "types"), {("a.py", "syntax-error", 2, "")}),
    ],
)  # fmt: skip
async def test_tools_agree_on_the_identity(review, kind, code, agents, identities):
    assert {agent: _of_kind(await review(agent, {"a.py": code}), kind) for agent in agents} == dict.fromkeys(
        agents, identities
    )


async def test_two_unused_names_of_one_import_are_two_findings(review):
    findings = await review("lint", {"a.py": IMPORTS})
    unused = [_identity(finding) for finding in findings if finding["kind"] == "unused-import"]
    assert len(unused) == len(set(unused)) == 5


async def test_a_mutable_default_is_about_its_parameter(review):
    findings = await review("lint", {"a.py": "def f(a, b=[], *, c={}):\n    return a, b, c\n"})
    assert _of_kind(findings, "mutable-default") == {
        ("a.py", "mutable-default", 1, "b"),
        ("a.py", "mutable-default", 1, "c"),
    }


@pytest.mark.parametrize(
    ("code", "owners"),
    [
        ("a = 1\nb = 2\n", {1: 1, 2: 2}),
        ("f(\n  1,\n\n  # why\n  2)\n", {1: 1, 2: 1, 3: 1, 4: 1, 5: 1}),
        ("@d\n@e(\n  1)\ndef f(\n  a,\n):\n  return a\n", {1: 4, 2: 4, 3: 4, 4: 4, 5: 4, 6: 4, 7: 7}),
        ("@d\nclass C:\n  @e\n  def f(self): pass\n", {1: 2, 2: 2, 3: 4, 4: 4}),
        ("if a and (\n  b):\n  c\nelif d:\n  e\nelse:\n  g\n", {1: 1, 2: 1, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7}),
        ("try:\n  a\nexcept (\n  B):\n  c\nfinally:\n  d\n", {1: 1, 2: 2, 3: 3, 4: 3, 5: 5, 6: 6, 7: 7}),
        ("match a:\n  case (\n    1 | 2):\n    b\n", {1: 1, 2: 1, 3: 3, 4: 4}),
        ("def f():\n  # a comment\n\n  'doc'\n  # another\n  x = 1\n", {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6}),
        ("for x in (\n  1, 2\n): print(\n  x)\n", {1: 1, 2: 1, 3: 3, 4: 3}),
        ("a = 1; b = (\n  2); c = 3\n", {1: 1, 2: 1}),
        ("a = 1\r\nb = (\r2)\n", {1: 1, 2: 2, 3: 2}),
    ],
)  # fmt: skip
def test_a_line_belongs_to_its_statement(code, owners):
    index = StatementIndex(ast.parse(code), code)
    assert {line: index.first_line(line) for line in owners} == owners


@pytest.mark.parametrize("module", ["ast.py", "typing.py", "asyncio/base_events.py", "json/encoder.py", "enum.py"])
def test_the_statement_of_a_statement_is_itself(module):
    code = (Path(sysconfig.get_path("stdlib")) / module).read_text("utf-8")
    tree = ast.parse(code)
    index = StatementIndex(tree, code)
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            first = index.first_line(node.lineno)
            assert first <= node.lineno
            assert index.first_line(first) == first


def test_lines_outside_the_file_are_their_own_statement():
    index = StatementIndex(ast.parse("a = 1\n"), "a = 1\n")
    assert [index.first_line(line) for line in (-1, 0, 7)] == [1, 1, 7]

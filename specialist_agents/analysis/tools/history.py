"""Look through the commits: what is too large, what is fixed again and again, what once held a secret.

The history is a file of JSON lines that travels with the code (`docs/research.md` has its form); nothing here runs git.
A remark about a file stands at that file where it was sent, any other at the commit's line of the history.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from specialist_agents.analysis.model import Bench, Remark, Span, Tool
from specialist_agents.analysis.sources import Source

#: Each rule with its severity and confidence.
RULES: dict[str, tuple[str, int]] = {
    "changes-together": ("info", 70),
    "committed-secret": ("high", 85),
    "hot-spot": ("info", 75),
    "large-commit": ("low", 70),
    "no-history": ("info", 100),
    "often-fixed": ("low", 70),
    "unclear-commit-message": ("info", 80),
}
LARGE_LINES, LARGE_FILES = 2_000, 5
HOT_COMMITS, HOT_SHARE, MOST_HOT = 10, 0.15, 5
TOGETHER_COMMITS, TOGETHER_SHARE, TOGETHER_FILES = 5, 0.7, 20
FIXED_COMMITS, FIXED_SHARE = 6, 0.5
MOST_UNCLEAR = 20
_FIX = re.compile(r"(?i)^(?:\w+\([^)]*\)!?:\s*)?(?:fix(?:e[sd]|up!?|ing)?|revert|hotfix|bugfix|oops|typo)\b")
_UNCLEAR = re.compile(r"(?i)^\W*(?:wip|fix(?:es|ed)?|updates?|changes?|stuff|misc|tmp|temp|test|asdf\w*|\.+)?\W*$")
_SECRETS = (
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")),
    ("a key of AWS", re.compile(r"\bAKIA[0-9A-Z]{16}\b")),
    ("a token of GitHub", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,}\b")),
    ("a token of Slack", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}\b")),
    ("a key of a payment service", re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,}\b")),
    (
        "a password",
        re.compile(r"(?i)\b(?:password|passwd|secret|api_?key|token)\w*\s*[:=]\s*[\"']([^\"'\s$%{}<>]{8,})[\"']"),
    ),
)
_DUMMY = re.compile(
    r"(?i)example|dummy|changeme|change-me|placeholder|your|xxx|test|token|header|secret|password|\*\*\*|\.\.\."
)


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, and the line of the history it stands in."""

    source: Source
    line: int
    id: str
    subject: str
    paths: tuple[str, ...]
    lines: int
    patch: str

    @property
    def is_fix(self) -> bool:
        """Whether it says that it mends something."""
        return _FIX.match(self.subject) is not None

    @property
    def told(self) -> str:
        """Return it in a word."""
        return f"commit {self.id[:12]} ({self.subject[:60]})"


@dataclass(slots=True)
class Touched:
    """The commits that changed one file."""

    commits: int = 0
    fixes: int = 0
    together: Counter[str] = field(default_factory=Counter)


def review(sources: Sequence[Source], bench: Bench) -> Iterator[Remark]:
    """Yield remarks about the history among the sources; that there is none is a remark as well."""
    commits = [commit for source in sources if source.name.endswith(".gitlog") for commit in _commits(source)]
    bench.progress(f"{len(commits)} commits")
    if not commits:
        message = "no history travels with these files, so nothing is said about it: send history.gitlog"
        yield _remark(sources[0], 1, "no-history", message)
        return
    by_name = {source.name: source for source in sources}
    yield from _large(commits)
    yield from _unclear(commits)
    yield from _secrets(commits, by_name)
    yield from _files(commits, by_name)


def _commits(source: Source) -> Iterator[Commit]:
    text = source.path.read_text("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(told, dict) and told.get("commit"):
            yield _commit(source, number, told)


def _commit(source: Source, line: int, told: Mapping[str, object]) -> Commit:
    listed = told.get("files")
    files = [file for file in listed if isinstance(file, Mapping)] if isinstance(listed, list) else []
    changed = sum(_number(file.get("added")) + _number(file.get("removed")) for file in files)
    paths = tuple(str(file.get("path", "")) for file in files)
    return Commit(
        source, line, str(told["commit"]), str(told.get("subject", "")), paths, changed, str(told.get("patch", ""))
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _large(commits: Sequence[Commit]) -> Iterator[Remark]:
    """Yield the commits nobody can review; the oldest is left out, since it may be where everything begins."""
    for commit in commits[:-1]:
        if commit.lines > LARGE_LINES and len(commit.paths) >= LARGE_FILES:
            message = f"{commit.told} changes {commit.lines} lines in {len(commit.paths)} files"
            yield _remark(commit.source, commit.line, "large-commit", message)


def _unclear(commits: Sequence[Commit]) -> Iterator[Remark]:
    unclear = [commit for commit in commits if _UNCLEAR.fullmatch(commit.subject)]
    for commit in unclear[:MOST_UNCLEAR]:
        message = f"commit {commit.id[:12]} does not say what it is for: {commit.subject[:60]!r}"
        yield _remark(commit.source, commit.line, "unclear-commit-message", message)


def _secrets(commits: Sequence[Commit], by_name: Mapping[str, Source]) -> Iterator[Remark]:
    """Yield what looks like a secret, once, at the oldest commit that adds it; the secret itself is not repeated."""
    removed, found = set[str](), dict[str, tuple[Commit, str, str]]()
    for commit in commits:  # the newest first
        for path, line in _changed(commit.patch):
            what, secret = _secret(line[1:])
            if secret and line[0] == "-":
                removed.add(secret)
            elif secret:
                found[secret] = commit, path, what
    for secret, (commit, path, what) in found.items():
        since = "removed since, but still in the history" if secret in removed else "and not removed since"
        message = f"{what} in {path}, added by {commit.told}, {since}: make it void"
        place = by_name.get(path) if secret not in removed else None
        at = _line_of(place, secret) if place else 0
        if place and at:
            yield _remark(place, at, "committed-secret", message)
        else:
            yield _remark(commit.source, commit.line, "committed-secret", message)


def _changed(patch: str) -> Iterator[tuple[str, str]]:
    path = ""
    for line in patch.splitlines():
        if line.startswith(("--- ", "+++ ")):
            name = line[4:].partition("\t")[0]
            path = name[2:] if name[:2] in {"a/", "b/"} else path
        elif line[:1] in {"+", "-"}:
            yield path, line[:1_000]


def _secret(line: str) -> tuple[str, str]:
    for what, pattern in _SECRETS:
        if match := pattern.search(line):
            secret = match[match.lastindex or 0]
            return ("", "") if what == "a password" and _DUMMY.search(secret) else (what, secret)
    return "", ""


def _line_of(source: Source, secret: str) -> int:
    lines = source.path.read_text("utf-8", "replace").splitlines()
    return next((number for number, line in enumerate(lines, 1) if secret in line), 0)


def _files(commits: Sequence[Commit], by_name: Mapping[str, Source]) -> Iterator[Remark]:
    """Yield what is to be said about files that are there."""
    touched: dict[str, Touched] = {}
    for commit in commits:
        there = [path for path in commit.paths if path in by_name]
        for path in there:
            about = touched.setdefault(path, Touched())
            about.commits += 1
            about.fixes += commit.is_fix
        if len(there) <= TOGETHER_FILES:  # a sweep over everything says nothing about any two
            for one, other in combinations(sorted(set(there)), 2):
                touched[one].together[other] += 1
    yield from _hot(commits, touched, by_name)
    for path, about in touched.items():
        if about.commits >= FIXED_COMMITS and about.fixes / about.commits >= FIXED_SHARE:
            message = f"{about.fixes} of the {about.commits} commits that changed this file mend something"
            yield _remark(by_name[path], 1, "often-fixed", message)
        yield from _coupled(path, about, touched, by_name)


def _hot(commits: Sequence[Commit], touched: Mapping[str, Touched], by_name: Mapping[str, Source]) -> Iterator[Remark]:
    by_commits = sorted(touched, key=lambda path: (-touched[path].commits, path))
    for path in by_commits[:MOST_HOT]:
        count = touched[path].commits
        if count >= HOT_COMMITS and count / len(commits) >= HOT_SHARE:
            message = f"changed by {count} of {len(commits)} commits: what so much changes is worth most care"
            yield _remark(by_name[path], 1, "hot-spot", message)


def _coupled(
    path: str, about: Touched, touched: Mapping[str, Touched], by_name: Mapping[str, Source]
) -> Iterator[Remark]:
    """Yield the files that change with this one though they lie elsewhere; a test and its subject are meant to."""
    for other, count in sorted(about.together.items()):
        of_either = about.commits + touched[other].commits - count
        apart = path.rpartition("/")[0] != other.rpartition("/")[0] and not _are_for_tests((path, other))
        if apart and count >= TOGETHER_COMMITS and count / of_either >= TOGETHER_SHARE:
            message = (
                f"{count} of {of_either} commits change this file together with {other}: one may be part of the other"
            )
            yield _remark(by_name[path], 1, "changes-together", message, name=other)


def _are_for_tests(paths: Iterable[str]) -> bool:
    return any(path.startswith("test") or "/test" in path for path in paths)


def _remark(source: Source, line: int, rule: str, message: str, *, name: str | None = None) -> Remark:
    severity, confidence = RULES[rule]
    return Remark(source, rule, rule, message, Span.of(line), severity, confidence, name)


TOOL = Tool(name="history", review=review, reads_texts=True)

"""The program behind `search-history`: commits by what they say and by what they change.

The history comes as a file of its own, one JSON object a line (`docs/research.md` has the form), so this needs
neither git nor the repository. What a question names exactly is counted in the lines a commit adds and removes,
as `git log -S` does.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from specialist_agents.research.passages import File, Passage

KIND = "history"
SUFFIX = ".gitlog"


def passages_of(files: Iterable[File], names: tuple[str, ...]) -> Iterator[Passage]:
    """Yield a passage for each commit."""
    for file in files:
        if file.suffix == SUFFIX:
            for commit in commits_in(file):
                yield _passage(commit, names)


def commits_in(file: File) -> Iterator[Mapping[str, Any]]:
    """Yield the commits of an exported history; lines that hold none are left out."""
    for line in file.lines:
        try:
            commit = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(commit, dict) and isinstance(commit.get("commit"), str) and commit["commit"]:
            yield commit


def _passage(commit: Mapping[str, Any], names: tuple[str, ...]) -> Passage:
    patch = str(commit.get("patch", ""))
    changed = [line for line in patch.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    turns = [told for name in names if (told := _turn(name, changed))]
    paths = [str(file.get("path", "")) for file in commit.get("files", ()) if isinstance(file, Mapping)]
    said = [str(commit.get("body", "")).strip(), *turns, *paths, *changed]
    title = str(commit.get("subject", "")).strip() or "(no subject)"
    return Passage(
        KIND,
        title[:300],
        "\n".join(filter(None, said)),
        commit=str(commit["commit"]),
        date=str(commit.get("date", ""))[:40],
        # who puts a name into the code or takes it out is what `-S` is for
        heading=" ".join([title, *(name for name in names if _turn(name, changed))]),
    )


def _turn(name: str, changed: list[str]) -> str:
    """Say how a commit changes the number of times the code holds *name*, or nothing where it does not."""
    more = sum(line.count(name) for line in changed if line[0] == "+")
    less = sum(line.count(name) for line in changed if line[0] == "-")
    if more == less:
        return ""
    return f"{'adds' if more > less else 'removes'} {name} ({more} more, {less} less)"

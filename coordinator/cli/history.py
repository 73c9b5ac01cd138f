"""The history of a git repository as one file of JSON lines, so that it can travel in a message.

The repository may be a stranger's: git runs here with nothing of its configuration that starts a program, no hooks,
no pager, no external diff, no network, and within bounds of time, commits and size. Of people only names are sent.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.cli.pack import Packed

NAME, MEDIA_TYPE = "history.gitlog", "application/x-git-log"
MOST_COMMITS = 1_000
MOST_BYTES = 6 << 20
MOST_OF_A_PATCH = 20_000
"""Characters of what one commit changes; its list of files is whole."""
MOST_FILES = 500
TIMEOUT_S = 30.0

_SETTINGS = (
    "core.fsmonitor=",
    f"core.hooksPath={os.devnull}",
    "core.pager=cat",
    "core.quotePath=false",
    "log.showSignature=false",
    "protocol.allow=never",
    "safe.bareRepository=explicit",
)
_FORM = (
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-show-signature",
    "--no-mailmap",
    "--no-notes",
    "--no-renames",
    "--diff-merges=off",
    "--relative",
    "--numstat",
    "--patch",
    "--unified=0",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)


@dataclass(frozen=True, slots=True)
class History:
    """The exported history, or why there is none."""

    file: Packed | None = None
    commits: int = 0
    why_none: str = ""


def history_of(folder: Path, most: int = MOST_COMMITS) -> History:
    """Return the newest *most* commits of what lies below *folder*, as many as fit."""
    mark = secrets.token_hex(16)  # a line no commit can hold
    try:
        process = _started(folder, mark, most)
    except OSError as error:
        return History(why_none=f"git cannot be started: {error.strerror}")
    with process, _ended_in_time(process):
        lines, count = _bounded(_commits(process, mark))
        process.kill()  # it may not be done: what is left does not fit
        complaint = process.stderr.read().decode("utf-8", "replace") if process.stderr else ""
    if lines:
        return History(Packed(NAME, b"".join(lines)), count)
    return History(why_none=complaint.strip().partition("\n")[0] or "there are no commits")


def _started(folder: Path, mark: str, most: int) -> subprocess.Popen[bytes]:
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    form = f"--format={mark}%n%H%n%aI%n%an%n%s%n%b%n{mark}."
    command = ["git", "--no-pager", "-C", str(folder), *settings, "log", f"--max-count={most}", *_FORM, form, "--", "."]
    return subprocess.Popen(
        command,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _environment() -> dict[str, str]:
    """Return ours without what steers git, and with nothing of the system's or the user's configuration."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return ours | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
    }


class _ended_in_time:  # noqa: N801 - a context manager, named like one
    """Kills a process that has not ended within `TIMEOUT_S`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._timer = threading.Timer(TIMEOUT_S, process.kill)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _commits(process: subprocess.Popen[bytes], mark: str) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None  # noqa: S101 - we asked for a pipe
    block: list[str] = []
    size = 0
    for raw in iter(lambda: process.stdout.readline(1 << 16), b""):  # type: ignore[union-attr]
        line = raw.decode("utf-8", "replace").rstrip("\n")
        if line == mark:
            if block:
                yield _commit(block, mark)
            block, size = [], 0
        elif size <= 4 * MOST_OF_A_PATCH or line == f"{mark}.":
            block.append(line)
            size += len(line)
    if block and process.wait() == 0:  # else it was cut in the middle
        yield _commit(block, mark)


def _commit(block: list[str], mark: str) -> dict[str, Any]:
    end = block.index(f"{mark}.")
    commit, date, author, subject, *body = block[:end]
    rest = block[end + 1 :]
    start = next((number for number, line in enumerate(rest) if line.startswith("diff --git ")), len(rest))
    patch = "\n".join(rest[start:])
    files = list(filter(None, map(_file, rest[:start])))
    return {
        "commit": commit,
        "date": date,
        "author": author,
        "subject": subject,
        "body": "\n".join(body).strip()[:MOST_OF_A_PATCH],
        "files": files[:MOST_FILES],
        "patch": patch[:MOST_OF_A_PATCH],
        "truncated": len(patch) > MOST_OF_A_PATCH or len(files) > MOST_FILES,
    }


def _file(line: str) -> dict[str, Any] | None:
    added, _, rest = line.partition("\t")
    removed, tab, path = rest.partition("\t")
    if not tab:
        return None
    return {
        "path": path,
        "added": int(added) if added.isdigit() else 0,
        "removed": int(removed or 0) if removed.isdigit() else 0,
    }


def _bounded(commits: Iterable[dict[str, Any]]) -> tuple[list[bytes], int]:
    lines: list[bytes] = []
    left = MOST_BYTES
    for commit in commits:
        line = json.dumps(commit, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        left -= len(line)
        if left < 0:
            break
        lines.append(line)
    return lines, len(lines)

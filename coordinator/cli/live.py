"""The branches while they work: a live tree for people, one line a change for logs.

`branch_tree` and `changed_lines` are pure; the two displays only decide when to print them,
on stderr, so that stdout holds nothing but results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from coordinator.cli.terminal import duration, note, notice_console, plural, printable
from coordinator.cli.view import TaskView

Progress = Mapping[str, Any]
Shown = Callable[[TaskView], None]

MARKS: Mapping[str, tuple[str, str]] = {
    "queued": ("·", "dim"),
    "sending": ("▸", "cyan"),
    "working": ("▸", "cyan"),
    "retrying": ("↻", "yellow"),
    "canceling": ("⊘", "yellow"),
    "succeeded": ("✓", "green"),
    "failed": ("✗", "red"),
    "timed_out": ("✗", "red"),
    "canceled": ("⊘", "yellow"),
}
RUNNING = frozenset({"sending", "working", "retrying", "canceling"})
REFRESHES_A_SECOND = 8
MOST_LINES = 30
"""Branches the live tree shows; it must fit on a screen to be redrawn."""


def words(state: str) -> str:
    """Return a branch's state as people say it."""
    return printable(state).replace("_", " ")


def branch_tree(progress: Progress, title: str, since_s: float = 0.0) -> Tree:
    """Return the branches as a tree; *since_s* is the age of the snapshot, added to what still runs."""
    tree = Tree(Text(title, style="bold"), guide_style="dim")
    branches = progress.get("branches", [])
    width = max((len(_name(branch)) for branch in branches), default=0)
    for branch in branches[:MOST_LINES]:
        tree.add(_branch_line(branch, width, since_s))
    if len(branches) > MOST_LINES:
        tree.add(Text(f"… and {len(branches) - MOST_LINES} more", style="dim"))
    if tally := progress.get("tally"):
        tree.add(Text(_tally_line(tally), style="dim"))
    return tree


def _branch_line(branch: Mapping[str, Any], width: int, since_s: float) -> Text:
    state = branch.get("state", "")
    mark, style = MARKS.get(state, ("?", "dim"))
    seconds = branch.get("seconds", 0.0) + (since_s if state in RUNNING else 0.0)
    line = Text.assemble((f"{mark} ", style), _name(branch).ljust(width), "  ", (words(state).ljust(9), style))
    if state != "queued":
        line.append(f"  {duration(seconds):>7}", style="dim")
    if branch.get("attempt", 1) > 1:
        line.append(f"  attempt {branch['attempt']}", style="yellow")
    if last := branch.get("error") or (state in RUNNING and branch.get("text")):
        line.append(f"  {printable(last)}", style="dim")
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _name(branch: Mapping[str, Any]) -> str:
    """Return the agent's name, or the branch's id where that says more than the name."""
    agent, key = printable(branch.get("agent", "")), printable(branch.get("id", ""))
    return agent if key.rpartition("/")[2] == agent else f"{key} ({agent})"


def _tally_line(tally: Mapping[str, Any]) -> str:
    total, remaining = tally.get("total", 0), tally.get("open", 0)
    return f"{total - remaining} of {plural(total, 'branch')} settled"


def changed_lines(before: Progress, after: Progress) -> list[str]:
    """Return one line for each branch whose state or attempt is another than *before*."""
    known = {branch.get("id"): (branch.get("state"), branch.get("attempt")) for branch in before.get("branches", [])}
    return [
        _change(branch)
        for branch in after.get("branches", [])
        if known.get(branch.get("id")) != (branch.get("state"), branch.get("attempt"))
    ]


def _change(branch: Mapping[str, Any]) -> str:
    line = f"{_name(branch)}: {words(branch.get('state', ''))}"
    if branch.get("attempt", 1) > 1:
        line += f", attempt {branch['attempt']}"
    if branch.get("state") not in {"queued", "sending"}:
        line += f" after {duration(branch.get('seconds', 0.0))}"
    if last := branch.get("error"):
        line += f": {printable(last)}"
    return line


class LiveBranches:
    """Draws the latest snapshot again and again, so the seconds run between two events."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._progress: Progress = {}
        self._title = "sending"
        self._at = clock()

    def __call__(self, view: TaskView) -> None:
        """Take in what is new."""
        self._title = f"task {printable(view.task.id)}"
        if view.progress is not self._progress:
            self._progress, self._at = view.progress, self._clock()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the tree as it is at this moment."""
        yield branch_tree(self._progress, self._title, self._clock() - self._at)


class BranchLines:
    """Prints a line when a branch changes, for pipes and logs."""

    def __init__(self) -> None:
        self._task = ""
        self._progress: Progress = {}

    def __call__(self, view: TaskView) -> None:
        """Print what is new."""
        if view.task.id != self._task:
            self._task = view.task.id
            note(Text(f"task {printable(view.task.id)}"))
        for line in changed_lines(self._progress, view.progress):
            note(Text(line))
        self._progress = view.progress


@contextmanager
def display() -> Iterator[Shown]:
    """Show the branches for the length of a block, in the way stderr can."""
    console = notice_console()
    if not console.is_terminal:
        yield BranchLines()
        return
    branches = LiveBranches()
    with Live(branches, console=console, refresh_per_second=REFRESHES_A_SECOND, transient=True):
        yield branches

"""What the coordinator knows, as tables: agents, plans, tasks, one task, its artifacts.

Pure like `report.py`: JSON in, rich renderables out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from coordinator.cli.terminal import duration, plural, printable, printable_lines, size
from coordinator.core.extension import RUN

Json = Mapping[str, Any]

STATE_STYLES: Mapping[str, str] = {
    "completed": "green",
    "failed": "red",
    "rejected": "red",
    "canceled": "yellow",
    "input required": "magenta",
    "auth required": "magenta",
}


def state_words(state: str) -> str:
    """Return a task's state as people say it: `input required`."""
    return printable(state).removeprefix("TASK_STATE_").lower().replace("_", " ")


def plain_table(*columns: str) -> Table:
    """Return an empty table with these columns, as all of ours look."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def agents_table(agents: Iterable[Json]) -> Table:
    """Return who is known, whether they answer, what they do for us now, and what they can do."""
    table = plain_table("agent", "reachable", "branches", "circuit", "skills", "url", "error")
    for agent in agents:
        answer = ("yes", "green") if agent.get("reachable") else ("no", "red")
        if agent.get("lacking"):
            answer = ("not ready", "yellow")
        table.add_row(
            Text(printable(agent.get("name", ""))),
            Text(*answer),
            Text(_branches_words(agent.get("branches"))),
            Text(*_circuit_words(agent.get("circuit"))),
            Text(", ".join(printable(skill.get("id", "")) for skill in agent.get("skills", []))),
            Text(printable(agent.get("url", ""))),
            Text(printable(agent.get("error") or agent.get("lacking") or ""), style="red"),
        )
    return table


def met_lines(found: Json) -> Table:
    """Return what was found out about an agent that is to be added."""
    interface, answers = found["interface"], "it answers" if found["answered"] else "not asked"
    ways = [name for key, name in (("streaming", "stream"), ("pushNotifications", "push")) if found[key]]
    skills = (
        f"{skill['id']} ({', '.join(skill['tags'])})" if skill["tags"] else skill["id"] for skill in found["skills"]
    )
    rows = {
        "agent": " ".join(filter(None, (found["calledItself"], found["version"]))),
        "name": found["name"],
        "interface": f"{interface['binding']} {interface['version']} {interface['url']}, {answers}",
        "waits by": ", ".join([*ways, "poll"]),
        "skills": ", ".join(skills) or "none: plans choose it by its name",
        "token": f"from {found['tokenEnv']}" if found["tokenEnv"] else "none",
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")
    for what, value in rows.items():
        table.add_row(what, Text(printable(value)))
    return table


def entries_table(entries: Iterable[Json]) -> Table:
    """Return the entries of a configuration: where the card is, whose it is, and what else is said of it."""
    table = plain_table("card", "agents", "token from", "more")
    for entry in entries:
        more = {key: value for key, value in entry.items() if key not in {"card", "agents", "name", "token_env"}}
        table.add_row(
            Text(printable(entry["card"])),
            Text(printable(", ".join(entry["agents"]) or "as its card says")),
            Text(printable(entry.get("token_env", ""))),
            Text(printable(", ".join(f"{key}: {_listed(value)}" for key, value in more.items()))),
        )
    return table


def _listed(value: Any) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _branches_words(branches: Any) -> str:
    """Return `3 of 50, 2 wait`; a cap that was lowered says from what."""
    if not isinstance(branches, Mapping):
        return ""
    cap, most, waiting = branches.get("cap", 0), branches.get("most", 0), branches.get("waiting", 0)
    words = f"{branches.get('inUse', 0)} of {cap}" + (f" (lowered from {most})" if cap != most else "")
    return printable(words + (f", {waiting} wait" if waiting else ""))


def _circuit_words(circuit: Any) -> tuple[str, str]:
    if not isinstance(circuit, Mapping):
        return "", ""
    state, retry_s = str(circuit.get("state", "")), circuit.get("retrySeconds")
    next_try = f", next try in {retry_s:.0f} s" if isinstance(retry_s, int | float) else ""
    words = printable(state.replace("_", " ") + next_try)
    return words, "green" if state == "closed" else "red"


def load_words(load: Any) -> str:
    """Return how busy the coordinator is, or nothing when it does not say."""
    if not isinstance(load, Mapping):
        return ""
    branches, tasks = load.get("branches", {}), load.get("coordinations", {})
    under_way = f"{branches.get('inUse', 0)} of {branches.get('most', 0)} branches under way"
    driven = f"{tasks.get('running', 0)} of {tasks.get('most', 0)} tasks driven"
    waiting = f"{tasks.get('waiting', 0)} of {tasks.get('mostWaiting', 0)} wait"
    return printable(f"{under_way}, {branches.get('waiting', 0)} wait; {driven}, {waiting}")


def plans_table(plans: Iterable[Json]) -> Table:
    """Return which plans there are and how each waits and merges."""
    table = plain_table("plan", "to", "need", "release", "merge", "description")
    for plan in plans:
        stage: Json = next(iter(plan.get("stages", [])), {})
        name = printable(plan.get("name", ""))
        table.add_row(
            Text(f"{name} (default)" if plan.get("default") else name),
            Text(_to_words(stage.get("to"))),
            Text(printable(stage.get("need", ""))),
            Text(printable(stage.get("release", ""))),
            Text(printable(stage.get("merge", ""))),
            Text(printable(plan.get("description", ""))),
        )
    return table


def _to_words(to: Any) -> str:
    if not isinstance(to, Mapping):
        return printable(to or "")
    told = {key: ", ".join(map(str, value)) if isinstance(value, list) else value for key, value in to.items()}
    return printable("; ".join(f"{key} {value}" for key, value in told.items() if value))


def tasks_table(tasks: Iterable[Json]) -> Table:
    """Return the tasks, one line each."""
    table = plain_table("task", "state", "verdict", "plan", "took", "last change")
    for task in tasks:
        run = task.get("metadata", {}).get(RUN, {})
        state = state_words(task.get("status", {}).get("state", ""))
        table.add_row(
            Text(printable(task.get("id", ""))),
            Text(state, style=STATE_STYLES.get(state, "")),
            Text(printable(run.get("verdict", ""))),
            Text(printable(run.get("plan", ""))),
            Text(duration(run["wallSeconds"]) if "wallSeconds" in run else ""),
            Text(local_time(task.get("status", {}).get("timestamp"))),
        )
    return table


def local_time(timestamp: str | None) -> str:
    """Return an instant of the protocol as the reader's clock shows it."""
    if not timestamp:
        return ""
    try:
        return f"{datetime.fromisoformat(timestamp).astimezone():%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return printable(timestamp)


def branches_table(branches: Iterable[Json]) -> Table:
    """Return which branches a plan would have."""
    table = plain_table("branch", "agent", "url")
    for branch in branches:
        table.add_row(*(Text(printable(branch.get(name, ""))) for name in ("id", "agent", "url")))
    return table


def task_lines(task: Json, words: str) -> Group:
    """Return what a task is, without its artifacts and its run."""
    status = task.get("status", {})
    state = state_words(status.get("state", ""))
    grid = Table.grid(padding=(0, 2))
    grid.add_row("task", Text(printable(task.get("id", ""))))
    grid.add_row("context", Text(printable(task.get("contextId", ""))))
    grid.add_row("state", Text(state, style=STATE_STYLES.get(state, "")))
    grid.add_row("since", Text(local_time(status.get("timestamp"))))
    lines: list[RenderableType] = [grid]
    if words:
        lines.append(Text(printable_lines(words)))
    return Group(*lines)


def artifacts_table(artifacts: Sequence[Json]) -> Table:
    """Return the artifacts by name and kind, without their content."""
    table = plain_table("artifact", "name", "parts", "description")
    for artifact in artifacts:
        kinds = [_kind(part) for part in artifact.get("parts", [])]
        table.add_row(
            Text(printable(artifact.get("artifactId", ""))),
            Text(printable(artifact.get("name", ""))),
            Text(", ".join(plural(kinds.count(kind), f"{kind} part") for kind in dict.fromkeys(kinds))),
            Text(printable(artifact.get("description", ""))),
        )
    return table


def _kind(part: Json) -> str:
    return next((kind for kind in ("text", "data", "url") if kind in part), "file")


def artifact_lines(artifacts: Iterable[Json], most: int | None = None) -> Group:
    """Return the artifacts with their content, as far as it can be read; *most* bounds the lines of a data part."""
    lines: list[RenderableType] = []
    for artifact in artifacts:
        lines.append(Text(printable(artifact.get("name") or artifact.get("artifactId", "")), style="bold"))
        if description := artifact.get("description"):
            lines.append(Text(printable(description), style="dim"))
        lines += [
            Padding(Text(part_words(part, most)), (0, 0, 0, 2), expand=False) for part in artifact.get("parts", [])
        ]
    return Group(*lines)


def part_words(part: Json, most: int | None) -> str:
    """Return one part as far as it can be read; *most* bounds the lines of a data part."""
    if "text" in part:
        return printable_lines(part["text"])
    if "data" in part:
        return _shortened(json.dumps(part["data"], indent=2).splitlines(), most)
    name = printable(part.get("filename") or "file")
    if "url" in part:
        return f"{name}: {printable(part['url'])}"
    return f"{name}: {size(len(base64.b64decode(part.get('raw', ''))))}"


def _shortened(lines: Sequence[str], most: int | None) -> str:
    shown = lines if most is None else lines[:most]
    left = len(lines) - len(shown)
    return "\n".join([*shown, f"… {plural(left, 'more line')}; --all shows them"] if left else shown)

"""What is left behind when everything is over: the journal, the artifacts, and the specialists' side of it."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from coordinator.core.branch import Branch, message_id_of
from coordinator.core.coordination import Coordination
from coordinator.core.model import TaskState
from coordinator.core.scheduling import Phase
from coordinator.core.states import BranchState
from coordinator.journal import Entry, Record
from coordinator.journal.codec import decode_all
from tests.chaos.work import EXPECTED, UNLISTED

Json = dict[str, Any]
Tasks = Mapping[str, Json]
"""The finished tasks by their plans."""

PHASES = {
    BranchState.SENDING: "sending",
    BranchState.RETRYING: "waiting to retry",
    BranchState.WORKING: "waiting for results",
    BranchState.QUEUED: "queued",
}


def without_ids(task: Json) -> str:
    """Return the artifacts of a task as text, without what differs by nature: the ids of remote tasks."""
    return json.dumps(_stripped(task.get("artifacts", [])), sort_keys=True)


def _stripped(value: Any) -> Any:
    if isinstance(value, list):
        return [_stripped(item) for item in value]
    if isinstance(value, dict):
        return {name: _stripped(item) for name, item in value.items() if name != "taskId"}
    return value


def coordinations(database: Path | str) -> dict[str, tuple[str, Coordination]]:
    """Read what is journaled of every coordination: its status, and its state replayed."""
    with _reading(database) as ask:
        statuses = ask("SELECT task_id, status FROM head")
        rows = ask("SELECT task_id, seq, type, version, body FROM journal ORDER BY task_id, seq")
    entries: dict[str, list[Entry]] = {}
    for task_id, seq, kind, version, body in rows:
        entries.setdefault(task_id, []).append(Entry(seq, Record(kind, version, body)))
    return {
        task_id: (str(status), Coordination.replay(decode_all(entries[task_id])))
        for task_id, status in statuses
        if task_id in entries  # a file may have got both between the two questions
    }


@contextmanager
def _reading(database: Path | str) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """Ask a SQLite file or, by its URL, a PostgreSQL database."""
    if isinstance(database, str):
        with psycopg.connect(database) as server:
            server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            yield lambda statement: server.execute(statement).fetchall()
        return
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as file:
        yield lambda statement: file.execute(statement).fetchall()


def phases(database: Path | str) -> list[str]:
    """Say in a word what each coordination was doing when its process died; closed ones are left out."""
    if isinstance(database, Path) and not database.exists():
        return []
    try:
        found = coordinations(database)
    except (sqlite3.OperationalError, psycopg.OperationalError):  # there is no table yet, or the server is away
        return []
    return [_phase(coordination) for status, coordination in found.values() if status != "closed"]


def _phase(coordination: Coordination) -> str:
    if coordination.state.is_terminal:
        return "canceling stragglers"
    states = {branch.state for branch in coordination.branches()}
    if coordination.state is TaskState.SUBMITTED:
        return "accepted"
    if coordination.state.is_interrupted:
        return "asking"
    if any(run.phase in {Phase.MERGING, Phase.EXPANDING} for run in coordination.stages.values()):
        return "merging"
    return next((words for state, words in PHASES.items() if state in states), "between stages")


def is_settled(database: Path | str, jobs: int) -> bool:
    """Whether all *jobs* have been accepted and closed."""
    with _reading(database) as ask:
        statuses = [status for (status,) in ask("SELECT status FROM head")]
    return len(statuses) >= jobs and set(statuses) == {"closed"}


def complaints(tasks: Tasks, undisturbed: Mapping[str, str], database: Path | str, counts: Json) -> list[str]:
    """Return what is wrong, in words; an empty list when nothing is."""
    found = {task_id: coordination for task_id, (_, coordination) in coordinations(database).items()}
    return [
        *_about_clients(tasks, undisturbed, len(found)),
        *_about_specialists(list(found.values()), counts),
    ]


def _about_clients(tasks: Tasks, undisturbed: Mapping[str, str], known: int) -> Iterable[str]:
    if known != len(tasks):
        yield f"{len(tasks)} tasks were asked for, {known} are in the journal"
    for plan, task in tasks.items():
        if task["status"]["state"] != EXPECTED[plan]:
            yield f"{plan} ended as {task['status']['state']}: {task['status'].get('message')}"
        elif undisturbed and without_ids(task) != undisturbed[plan]:
            yield f"{plan} has other artifacts: {without_ids(task)} instead of {undisturbed[plan]}"


def _about_specialists(found: list[Coordination], counts: Json) -> Iterable[str]:
    total = counts["total"]
    for agent, its in counts["agents"].items():
        if its["doubled"] and agent not in UNLISTED:
            yield f"{len(its['doubled'])} messages became more than one task at {agent}: {its['doubled']}"
    if total["open"]:
        yield f"{total['open']} tasks are still open at the specialists"
    recorded = [_recorded(branch) for coordination in found for branch in coordination.branches()]
    unknown = set(total["by_message"]) - {message_id for ids, _ in recorded for message_id in ids}
    if unknown:
        yield f"messages were sent that no attempt accounts for: {sorted(unknown)}"
    created = Counter(total["tasks_by_message"])
    for _, winner in recorded:
        if winner and not created[winner]:
            yield f"there is a result of {winner}, and nobody has done the work"


def doubled_unlisted(counts: Json) -> int:
    """Return how often work was done twice by those who cannot be asked whether they have it."""
    return sum(len(its["doubled"]) for agent, its in counts["agents"].items() if agent in UNLISTED)


def _recorded(branch: Branch) -> tuple[set[str], str]:
    """Return the messageIds of the attempts of a branch, and that of the one that won."""
    ids = [message_id_of(branch.task_id, branch.key, attempt.number) for attempt in branch.attempts]
    answers = {
        message_id_of(branch.task_id, branch.key, attempt.number, number)
        for attempt in branch.attempts
        for number in range(1, attempt.messages + 1)
    }
    return {*ids, *answers}, ids[branch.winner.number - 1] if branch.winner else ""

"""What a coordination tells about itself: progress while it works, the run record at the end.

Both are JSON objects that travel as metadata under our extension, so their shape is public.
"""

from __future__ import annotations

from typing import Any

from coordinator.core.branch import Branch
from coordinator.core.coordination import Coordination

MOST_BRANCHES = 200
"""Branches listed in metadata; the tally always counts them all."""


def progress(coordination: Coordination, at: float) -> dict[str, Any]:
    """Return the snapshot that travels with WORKING status updates; `at` dates the running branches."""
    tally = coordination.tally()
    return {
        "tally": {
            "total": tally.total,
            "succeeded": tally.succeeded,
            "failed": tally.failed,
            "canceled": tally.canceled,
            "open": tally.open,
        },
        "branches": [_branch_progress(branch, at) for branch in coordination.branches()[:MOST_BRANCHES]],
    }


def run_record(coordination: Coordination) -> dict[str, Any]:
    """Return the account of a terminal coordination: verdict, tally, and what became of every branch."""
    tally = coordination.tally()
    plan = coordination.accepted.plan
    return {
        "plan": plan.name,
        "verdict": str(coordination.verdict or ""),
        "reason": coordination.reason,
        "tally": {
            "total": tally.total,
            "succeeded": tally.succeeded,
            "failed": tally.failed,
            "canceled": tally.canceled,
        },
        "branches": [_branch_record(branch) for branch in coordination.frozen[:MOST_BRANCHES]],
        "merge": {"strategy": plan.stages[-1].merge.strategy, **coordination.merge_summary},
        "wallSeconds": _seconds(coordination.accepted.at, coordination.state_at),
    }


def _branch_progress(branch: Branch, at: float) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": branch.key,
        "agent": branch.sub_task.agent.name,
        "state": str(branch.state),
        "attempt": branch.attempt,
        "seconds": _seconds(branch.started_at, branch.settled_at or at),
    }
    if branch.text:
        shown["text"] = branch.text
    if branch.failure:
        shown["error"] = branch.failure.message
    return shown


def _branch_record(branch: Branch) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": branch.key,
        "agent": branch.sub_task.agent.name,
        "url": branch.sub_task.agent.url,
        "attempts": branch.attempt,
        "outcome": str(branch.state),
        "queueSeconds": _seconds(branch.queued_at, branch.started_at or branch.settled_at),
        "runSeconds": _seconds(branch.started_at, branch.settled_at),
        "artifacts": [artifact.artifact_id for artifact in branch.kept()],
    }
    if branch.remote:
        record |= {"taskId": branch.remote.task_id, "contextId": branch.remote.context_id}
    if branch.failure:
        record["error"] = {"kind": str(branch.failure.kind), "message": branch.failure.message}
    if branch.cancel:
        record["cancel"] = str(branch.cancel)
    return record


def _seconds(start: float | None, end: float | None) -> float:
    return 0.0 if start is None or end is None else round(max(0.0, end - start), 3)

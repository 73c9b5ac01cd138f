"""What a coordination tells about itself: progress while it works, the run record at the end.

Both are JSON objects that travel as metadata under our extension, so their shape is public.
"""

from __future__ import annotations

from typing import Any

from coordinator.core.branch import Branch
from coordinator.core.coordination import Coordination
from coordinator.core.model import Verdict
from coordinator.core.states import BranchState

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
        "merge": {"strategy": coordination.answer.stage.merge.strategy, **coordination.merge_summary},
        "wallSeconds": _seconds(coordination.accepted.at, coordination.state_at),
        **_ring(coordination),
    }


def long_record(coordination: Coordination) -> tuple[dict[str, Any], ...]:
    """Return what became of every branch when there are more than fit into metadata, else nothing."""
    branches = coordination.frozen
    return tuple(_branch_record(branch) for branch in branches) if len(branches) > MOST_BRANCHES else ()


def _ring(coordination: Coordination) -> dict[str, Any]:
    """Return the ring a task that failed has gone round: whoever sent it here must not try again."""
    rings = [branch.failure.ring for branch in coordination.frozen if branch.failure]
    ring = next((ring for ring in (coordination.accepted.journey.ring, *rings) if ring), ())
    return {"ring": list(ring)} if ring and coordination.verdict in {Verdict.FAILED, Verdict.REJECTED} else {}


def _branch_progress(branch: Branch, at: float) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": branch.key,
        "agent": branch.agent.name,
        "state": str(_state_shown(branch)),
        "attempt": len(branch.attempts),
        "seconds": _seconds(branch.started_at, branch.settled_at or at),
    }
    if branch.text:
        shown["text"] = branch.text
    if branch.failure:
        shown["error"] = branch.failure.message
    return shown


def _state_shown(branch: Branch) -> BranchState:
    """Return the state, but for a branch that is to be sent and has no place yet: it is queued."""
    is_waiting = branch.state is BranchState.SENDING and not any(it.has_started for it in branch.open_attempts())
    return BranchState.QUEUED if is_waiting else branch.state


def _branch_record(branch: Branch) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": branch.key,
        "agent": branch.agent.name,
        "url": branch.agent.url,
        "attempts": len(branch.attempts),
        "outcome": str(branch.state),
        "queueSeconds": _seconds(branch.queued_at, branch.started_at or branch.settled_at),
        "runSeconds": _seconds(branch.started_at, branch.settled_at),
        "artifacts": [artifact.artifact_id for artifact in branch.kept()],
    }
    last = branch.last
    if last and last.remote:
        record |= {"taskId": last.remote.task_id, "contextId": last.remote.context_id}
    if branch.failure:
        record["error"] = {"kind": str(branch.failure.kind), "message": branch.failure.message}
    if last and last.cancel:
        record["cancel"] = str(last.cancel)
    if len(branch.attempts) > 1:
        record["agents"] = [attempt.agent.name for attempt in branch.attempts]
    return record


def _seconds(start: float | None, end: float | None) -> float:
    return 0.0 if start is None or end is None else round(max(0.0, end - start), 3)

"""Which branches may run now, and when the stage has to be looked at again.

Counts states, keeps the queue in plan order and the timers in a heap, so that one event
costs the same in a stage of five and in a stage of a thousand.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterator

from coordinator.core.barrier import BARRIERS, Decision, Tally
from coordinator.core.branch import Branch
from coordinator.core.model import PartRef, Stage
from coordinator.core.states import BranchState, Trigger


class StageRun:
    """One stage under way: its branches in plan order, its queue and its timers."""

    def __init__(self, stage: Stage, task_id: str, at: float, parts: tuple[PartRef, ...] = ()) -> None:
        """Queue every sub-task; *parts* go to those that name none of their own."""
        self.stage = stage
        self.branches = {
            key: Branch(
                key=key,
                task_id=task_id,
                stage=stage,
                sub_task=sub_task,
                queued_at=at,
                parts=parts if sub_task.parts is None else sub_task.parts,
            )
            for sub_task in stage.sub_tasks
            for key in [f"{stage.name}/{sub_task.id}"]
        }
        self.deadline = None if stage.limits.deadline_s is None else at + stage.limits.deadline_s
        self._waiting = deque(self.branches)
        self._counts = Counter({BranchState.QUEUED: len(self.branches)})
        self._timers: list[tuple[float, str]] = []

    def move(self, branch: Branch, trigger: Trigger) -> None:
        """Change one branch's state and the counts with it."""
        before = branch.state
        branch.move(trigger)
        self.recount(before, branch.state)

    def recount(self, before: BranchState, after: BranchState) -> None:
        """Count a change of state that was made elsewhere."""
        self._counts[before] -= 1
        self._counts[after] += 1

    def tally(self) -> Tally:
        """Return how many branches are where."""
        return Tally(
            total=len(self.branches),
            succeeded=self._counts[BranchState.SUCCEEDED],
            failed=self._counts[BranchState.FAILED] + self._counts[BranchState.TIMED_OUT],
            canceled=self._counts[BranchState.CANCELED],
        )

    def judge(self) -> Decision:
        """Ask the stage's barrier."""
        return BARRIERS[self.stage.release](self.tally(), self.stage.need.of(len(self.branches)))

    def startable(self) -> Iterator[Branch]:
        """Yield the branches that may be sent now, in the order they queued up, while there is room."""
        limit = self.stage.limits.concurrency or len(self.branches)
        while self._waiting and self._counts[BranchState.SENDING] + self._counts[BranchState.WORKING] < limit:
            branch = self.branches[self._waiting.popleft()]
            if branch.state in {BranchState.QUEUED, BranchState.RETRYING}:
                yield branch

    def unsettled(self) -> list[Branch]:
        """Return the branches without an outcome."""
        return [branch for branch in self.branches.values() if not branch.state.is_settled]

    def set_timer(self, at: float, branch: Branch) -> None:
        """Look at *branch* again at the instant *at*."""
        heapq.heappush(self._timers, (at, branch.key))

    def due(self, at: float) -> Iterator[Branch]:
        """Yield the branches whose timers have gone off by *at*."""
        while self._timers and self._timers[0][0] <= at:
            yield self.branches[heapq.heappop(self._timers)[1]]

    def requeue(self, branch: Branch) -> None:
        """Let a branch whose delay is over wait for a free place."""
        self._waiting.append(branch.key)

    def wake_at(self) -> float | None:
        """Return the earliest instant at which something falls due."""
        while self._timers and self.branches[self._timers[0][1]].state.is_settled:
            heapq.heappop(self._timers)
        instants = [timer[0] for timer in self._timers[:1]]
        if self.deadline is not None:
            instants.append(self.deadline)
        return min(instants, default=None)

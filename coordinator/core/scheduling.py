"""One stage under way: which branches may run now, and when it has to be looked at again.

Counts states, keeps the queue in plan order and the timers in a heap, so that one event
costs the same in a stage of five and in a stage of a thousand.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from coordinator.core.barrier import BARRIERS, Decision, Tally
from coordinator.core.branch import Branch
from coordinator.core.commands import Merge
from coordinator.core.model import Artifact, Metadata, PartRef, Release, Stage, SubTask
from coordinator.core.states import BranchState, Trigger


class Phase(StrEnum):
    """Where a stage is."""

    WAITING = "waiting"  #: for the stages it draws on
    EXPANDING = "expanding"  #: its sub-tasks are being made
    RUNNING = "running"
    MERGING = "merging"
    TRAILING = "trailing"  #: merged; stragglers go on
    DONE = "done"


@dataclass(slots=True)
class Pieces:
    """How much of a progressive merge has been told; what came last is held back, since something has to end it."""

    next_branch: int = 0  #: index of the first branch, in plan order, that has not been looked at
    held: tuple[Branch, ...] = ()
    issued: int = 0
    merged: dict[int, Artifact] = field(default_factory=dict)
    branches: dict[int, tuple[str, ...]] = field(default_factory=dict)  #: keys of those each piece is made of

    def told(self) -> Artifact | None:
        """Return the artifact as far as it goes without a gap."""
        parts = tuple(ref for number in self._told() for ref in self.merged[number].parts)
        return replace(self.merged[0], parts=parts) if parts else None

    def told_branches(self) -> frozenset[str]:
        """Return the keys of the branches whose results are in it."""
        return frozenset(key for number in self._told() for key in self.branches[number])

    def _told(self) -> range:
        gap = next((number for number in range(self.issued) if number not in self.merged), self.issued)
        return range(gap)


AT_WORK = (BranchState.SENDING, BranchState.WORKING, BranchState.RETRYING)


class StageRun:
    """The branches of one stage in plan order, its queue, its timers and what came of it."""

    def __init__(self, stage: Stage, task_id: str) -> None:
        self.stage = stage
        self.phase = Phase.WAITING
        self.branches: dict[str, Branch] = {}
        self.deadline: float | None = None
        self.artifacts: tuple[Artifact, ...] = ()
        self.summary: Metadata = {}
        self.merging: Merge | None = None  #: what was asked of the strategy last
        self.merge_waits = False  #: for somebody the strategy has asked
        self.pieces = Pieces()
        self.is_taken = False  #: what there is is taken; nobody is waited for any more
        self.merged: frozenset[str] = frozenset()  #: keys of the branches whose outcomes are in the artifact
        self._task_id = task_id
        self._waiting: deque[str] = deque()
        self._blocked: dict[str, set[str]] = {}
        self._counts: Counter[BranchState] = Counter()
        self._timers: list[tuple[float, str]] = []

    def begin(self, sub_tasks: Iterable[SubTask], parts: Mapping[str, tuple[PartRef, ...]], at: float) -> None:
        """Queue every sub-task. *parts* holds what each gets, by its id."""
        self.phase = Phase.RUNNING
        self.deadline = None if self.stage.limits.deadline_s is None else at + self.stage.limits.deadline_s
        for sub_task in sub_tasks:
            key = self.key(sub_task.id)
            self.branches[key] = Branch(
                key=key,
                task_id=self._task_id,
                stage=self.stage,
                sub_task=sub_task,
                queued_at=at,
                parts=parts[sub_task.id],
            )
            self._counts[BranchState.QUEUED] += 1
            if sub_task.after:
                self._blocked[key] = {self.key(other) for other in sub_task.after}
            else:
                self._waiting.append(key)

    def key(self, sub_task_id: str) -> str:
        """Return the key of a branch of this stage."""
        return f"{self.stage.name}/{sub_task_id}"

    def move(self, branch: Branch, trigger: Trigger) -> None:
        """Change one branch's state and the counts with it."""
        before = branch.state
        branch.move(trigger)
        self._counts[before] -= 1
        self._counts[branch.state] += 1

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
        return BARRIERS[self.stage.release](self.tally(), self.needed())

    def needed(self) -> int:
        """Return the number of branches that have to succeed."""
        return 1 if self.stage.release is Release.FIRST else self.stage.need.of(len(self.branches))

    def startable(self) -> Iterator[Branch]:
        """Yield the branches that may be sent now, in the order they queued up, while there is room."""
        limit = self.stage.limits.concurrency or len(self.branches)
        while self._waiting and self._counts[BranchState.SENDING] + self._counts[BranchState.WORKING] < limit:
            branch = self.branches[self._waiting.popleft()]
            # One that was given up in the queue and is tried again stands in it twice.
            is_next = branch.state is BranchState.RETRYING and branch.retry_at is None
            if branch.state is BranchState.QUEUED or is_next:
                yield branch

    def release_dependents(self, branch: Branch) -> list[Branch]:
        """Queue what waited only for *branch*, which has succeeded; return the branches that became free."""
        freed: list[Branch] = []
        for key, waits_for in list(self._blocked.items()):
            waits_for.discard(branch.key)
            if not waits_for:
                del self._blocked[key]
                self._waiting.append(key)
                freed.append(self.branches[key])
        return freed

    def dependents(self, branch: Branch) -> list[Branch]:
        """Return the branches that can never start, since *branch* has not succeeded."""
        return [self.branches[key] for key, waits_for in self._blocked.items() if branch.key in waits_for]

    def next_piece(self) -> tuple[Branch, ...]:
        """Return the branches whose results may be told now: all before them have settled, and more has come since."""
        order, pieces = list(self.branches.values()), self.pieces
        while pieces.next_branch < len(order) and order[pieces.next_branch].state.is_settled:
            branch = order[pieces.next_branch]
            pieces.next_branch += 1
            if branch.state is BranchState.SUCCEEDED and (branch.artifacts or branch.message):
                ready, pieces.held = pieces.held, (branch,)
                if ready:
                    return ready
        return ()

    def is_at_work(self) -> bool:
        """Whether a branch is under way or about to be, rather than waiting for an answer."""
        return any(self._counts[state] > 0 for state in AT_WORK)

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

    def next_timer(self) -> float | None:
        """Return the earliest instant at which one of the branches has to be looked at."""
        while self._timers and self.branches[self._timers[0][1]].state.is_settled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

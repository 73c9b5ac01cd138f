"""Who runs a turn, and when: a small protocol with one implementation for each way of deploying."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Load:
    """How many coordinations this process drives and how many wait, with the most it takes of either."""

    running: int
    waiting: int
    most_running: int
    most_waiting: int

    @property
    def has_place(self) -> bool:
        """Whether one more would run at once."""
        return self.running + self.waiting < self.most_running

    @property
    def is_full(self) -> bool:
        """Whether one more could neither run nor wait."""
        return self.waiting >= self.most_waiting + max(0, self.most_running - self.running)


class Driver(Protocol):
    """Starts a turn for every coordination that needs one."""

    def admission(self) -> AbstractContextManager[bool]:
        """Keep room for a task about to be accepted and say whether it begins at once. Raises `RetryLater`."""
        ...

    def admit(self, task_id: str) -> None:
        """Drive the new task *task_id* when it is its turn."""
        ...

    def is_waiting(self, task_id: str) -> bool:
        """Whether *task_id* has not had its turn yet."""
        ...

    def wake(self, task_id: str) -> None:
        """Look at *task_id* now, however many are under way: something was put into its inbox."""
        ...

    def load(self) -> Load:
        """Return how much there is to do."""
        ...

    async def run(self) -> None:
        """Drive until canceled; turns under way are then stopped, their remote tasks are not canceled."""
        ...

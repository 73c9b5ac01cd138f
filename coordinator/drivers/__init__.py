"""Who runs a turn, and when: a small protocol with one implementation for each way of deploying."""

from __future__ import annotations

from typing import Protocol


class Driver(Protocol):
    """Starts a turn for every coordination that needs one."""

    def wake(self, task_id: str) -> None:
        """Look at *task_id* now: it is new, or something was put into its inbox."""
        ...

    async def run(self) -> None:
        """Drive until canceled; turns under way are then stopped, their remote tasks are not canceled."""
        ...

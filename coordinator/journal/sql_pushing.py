"""The part of the journal in a database that is about push notifications, method by method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from coordinator.journal import sql_pushes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import Connection

    from coordinator.journal.pushing import OwedPush, Place, PushConfig, PushCounts

T = TypeVar("T")


class SqlPushes(ABC):
    """The `PushBook` of the journal in a database."""

    @abstractmethod
    def _time(self, connection: Connection) -> float:
        """Return the database's time: leases are kept in it."""

    @abstractmethod
    async def _write(self, work: Callable[[Connection], T], task_id: str, *, is_change: bool = False) -> T:
        """Run *work* on a task in a transaction; whoever waits for the task hears of a change."""

    @abstractmethod
    async def now(self) -> float:
        """Return the database's time."""

    @abstractmethod
    async def _read(self, query: Callable[[Connection], T]) -> T:
        """Run *query*, of one statement."""

    async def set_push(self, task_id: str, config: PushConfig, *, most: int) -> None:
        """Keep *config*; one of a known id goes on where that stood."""
        work = partial(sql_pushes.set_push, task_id=task_id, config=config, most=most)
        await self._write(work, task_id, is_change=True)

    async def pushes(self, task_id: str) -> Sequence[PushConfig]:
        """Return the task's configurations, by id."""
        return await self._read(partial(sql_pushes.pushes, task_id=task_id))

    async def delete_push(self, task_id: str, config_id: str) -> None:
        """Forget a configuration, with what was owed to it."""
        await self._write(partial(sql_pushes.delete_push, task_id=task_id, config_id=config_id), task_id)

    async def owed(self, *, limit: int, without: Collection[str] = ()) -> Sequence[OwedPush]:
        """Return up to *limit* configurations that lie behind their task, longest due first."""
        now = await self.now()
        return await self._read(partial(sql_pushes.owed, now=now, limit=limit, without=tuple(without)))

    async def lease_push(self, owed: OwedPush, holder: str, for_s: float) -> bool:
        """Take the right to deliver for *for_s* seconds."""
        work = partial(sql_pushes.lease_push, held=owed, holder=holder, for_s=for_s, clock=self._time)
        return await self._write(work, owed.task_id)

    async def move_push(
        self, owed: OwedPush, place: Place, holder: str, *, keep_s: float = 0.0, is_over: bool = False
    ) -> bool:
        """Note that everything up to *place* was told."""
        work = partial(
            sql_pushes.move_push,
            held=owed,
            place=place,
            holder=holder,
            keep_s=keep_s,
            clock=self._time,
            is_over=is_over,
        )
        return await self._write(work, owed.task_id)

    async def fail_push(self, owed: OwedPush, holder: str, *, wait_s: float, gives_up: bool = False) -> None:
        """Note a failed delivery and give the lease up."""
        work = partial(
            sql_pushes.fail_push, held=owed, holder=holder, wait_s=wait_s, clock=self._time, gives_up=gives_up
        )
        await self._write(work, owed.task_id)

    async def push_counts(self) -> PushCounts:
        """Return how much is owed."""
        return await self._read(sql_pushes.push_counts)

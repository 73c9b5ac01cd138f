"""What the journal in SQL needs of the database it is kept in, and nothing about tasks.

Two there are: a SQLite file of this process alone, and PostgreSQL, which any number of processes share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from coordinator.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

T = TypeVar("T")


class Conflict(JournalError):
    """Another transaction came between; nothing was written."""


class Database(Protocol):
    """An open database; its methods are for any thread but the loop's, and raise the errors of this project."""

    writers: int  #: how many threads may write at the same time

    def transaction(self) -> AbstractContextManager[Connection]:
        """Write: commit on the way out, roll back on an error.

        Raises `JournalUnavailable` before the block when it cannot begin; `Conflict` when doing it again may help.
        """
        ...

    def read(self, query: Callable[[Connection], T]) -> T:
        """Run *query*, of one statement, on what is committed now.

        It may be run twice, so it must not change anything.
        """
        ...

    def read_together(self, query: Callable[[Connection], T]) -> T:
        """Run *query*, of several statements, on what is committed now, all of one moment.

        It may be run twice, so it must not change anything.
        """
        ...

    def now(self, connection: Connection) -> float:
        """Return the database's time in seconds since the epoch."""
        ...

    def announce(self, connection: Connection, task_ids: Sequence[str]) -> None:
        """Tell other processes, once this transaction is committed, that these coordinations changed."""
        ...

    def listen(self, on_change: Callable[[str | None], None]) -> None:
        """Call *on_change*, in a thread, with each coordination another process changed; None: any may have."""
        ...

    def begin_pruning(self, connection: Connection) -> None:
        """Wait until nobody else prunes."""
        ...

    def give_back(self, connection: Connection) -> None:
        """Give back space that was pruned, as far as that takes no time to speak of."""
        ...

    def compact(self) -> None:
        """Give back, or make usable again, all space that was pruned."""
        ...

    def close(self) -> None:
        """Let go of the connections; a second time does nothing."""
        ...

"""What a configuration may name as the database, told apart before anything is opened.

Nothing here imports PostgreSQL's driver: it is not there unless it was installed for it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from coordinator.errors import ConfigurationError
from coordinator.journal.sqlite import SqliteFile, path_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.journal.database import Database

_SCHEMES = ("postgresql", "postgres")


def is_postgres(where: str | Path) -> bool:
    """Whether *where* is the URL of a PostgreSQL database, and not the name of a file."""
    if isinstance(where, Path):
        return False
    scheme, separator, _ = where.partition("://")
    return bool(separator) and scheme.partition("+")[0] in _SCHEMES


def opening(where: str | Path, *, readers: int, busy_timeout_s: float) -> Callable[[], Database]:
    """Return what opens the database, in whatever thread. Raises `ConfigurationError` when it cannot be one."""
    if is_postgres(where):
        return partial(postgres().PostgresDatabase.open, str(where), readers=readers)
    return partial(SqliteFile.open, path_of(where), busy_timeout_s=busy_timeout_s, readers=readers)


def shown(where: str | Path) -> str:
    """Return how a database is called in front of the operator: never with its password."""
    return postgres().shown(str(where)) if is_postgres(where) else str(where)


def postgres() -> ModuleType:
    """Return the module for PostgreSQL. Raises `ConfigurationError` where its driver is not installed."""
    try:
        from coordinator.journal import postgres as module  # noqa: PLC0415 - an extra
    except ImportError as error:
        message = f"PostgreSQL needs a driver; install it with: pip install 'a2a-coordinator[postgres]' ({error})"
        raise ConfigurationError(message) from error
    return module

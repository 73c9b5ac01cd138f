"""A journal that can be taken away and brought back, in front of a real one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from coordinator.errors import JournalUnavailable
from coordinator.journal import Journal

NEVER_AWAY = frozenset({"subscribe", "close"})


class AwayJournal:
    """Passes every call on to *inner*, or raises `JournalUnavailable`; what it refuses is never written."""

    def __init__(self, inner: Journal) -> None:
        self._inner = inner
        self._is_away: Callable[[str], bool] = lambda _: False
        self.refused: list[str] = []  #: names of the methods that were refused

    @contextmanager
    def away(self, *methods: str) -> Iterator[None]:
        """Refuse *methods*, or all of them, inside the block."""
        self._is_away = lambda name: name in methods if methods else name not in NEVER_AWAY
        try:
            yield
        finally:
            self._is_away = lambda _: False

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        if name in NEVER_AWAY:
            return call

        async def calling(*args: Any, **kwargs: Any) -> Any:
            if self._is_away(name):
                self.refused.append(name)
                message = "/secret/path.db: there is no space left for it"
                raise JournalUnavailable(message)
            return await call(*args, **kwargs)

        return calling

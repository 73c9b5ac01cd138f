"""A journal that can be taken away and brought back, in front of a real one, and that notes what was refused."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from coordinator.errors import JournalUnavailable
from coordinator.journal import Journal

NEVER_AWAY = frozenset({"subscribe", "close"})


class AwayJournal:
    """Passes every call on to *inner*, or raises `JournalUnavailable` before or after it was done."""

    def __init__(self, inner: Journal) -> None:
        self.inner = inner
        self.refused: list[str] = []  #: names of the methods that were refused, by us or by the database
        self._is_away: Callable[[str], bool] = lambda _: False
        self._is_told_late = False
        self._noted = asyncio.Event()

    @contextmanager
    def away(self, *methods: str) -> Iterator[None]:
        """Refuse *methods*, or all of them, inside the block; nothing is written."""
        self._is_away = lambda name: name in methods if methods else name not in NEVER_AWAY
        try:
            yield
        finally:
            self._is_away = lambda _: False

    @contextmanager
    def unsure(self, *methods: str) -> Iterator[None]:
        """Do *methods* inside the block, and say that they failed."""
        self._is_told_late = True
        with self.away(*methods):
            yield
        self._is_told_late = False

    async def until_refused(self, method: str) -> None:
        """Return when *method* has been refused."""
        while method not in self.refused:
            self._noted.clear()
            await self._noted.wait()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.inner, name)
        return call if name in NEVER_AWAY else self._watched(name, call)

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        async def calling(*args: Any, **kwargs: Any) -> Any:
            try:
                is_away = self._is_away(name)
                answer = await call(*args, **kwargs) if not is_away or self._is_told_late else None
                if is_away:
                    message = "/secret/path.db: there is no space left for it"
                    raise JournalUnavailable(message)
            except JournalUnavailable:
                self.refused.append(name)
                self._noted.set()
                raise
            return answer

        return calling

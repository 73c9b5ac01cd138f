"""Work that is under way outlasts a database that is away or full.

What a turn has seen and not yet journaled is only in memory: ending the turn would throw it away and
do work twice. So it waits here, and goes on by itself. New work is not to wait but to be refused:
what comes in from outside calls the journal itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from coordinator.core.model import Payload
from coordinator.errors import ClaimLost, JournalClosed, JournalUnavailable
from coordinator.journal.protocol import Claim, Head, HeadChange, Journal, Record

T = TypeVar("T")
C = TypeVar("C", Claim, "Claim | None")

FIRST_PAUSE_S = 0.1
MOST_PAUSE_S = 2.0

log = logging.getLogger(__name__)


async def outlast(ask: Callable[[], Awaitable[T]]) -> T:
    """Return what *ask* returns once the database is there. Raises `JournalClosed`: that is for good."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            answer = await ask()
        except JournalClosed:
            raise
        except JournalUnavailable as error:
            if pause_s == FIRST_PAUSE_S:
                log.warning("the database is away; waiting for it", extra={"error": str(error)})
            await asyncio.sleep(pause_s)
            pause_s = min(MOST_PAUSE_S, pause_s * 2)
        else:
            if pause_s > FIRST_PAUSE_S:
                log.info("the database is back")
            return answer


async def claim(journal: Journal, task_id: str, driver: str, after: int | None) -> Claim | None:
    """Claim *task_id* as `Journal.claim` does, but wait for a database that is away. Raises `ClaimLost`.

    A claim that failed may have been made all the same: one that stands in our name on top of *after* is ours.
    """

    def made(head: Head) -> Claim | None:
        is_ours = after is not None and (head.driver, head.epoch) == (driver, after + 1)
        return Claim(task_id, head.epoch, head.seq) if is_ours else None

    once = partial(journal.claim, task_id, driver, after=after)
    return await _outlast_in_doubt(journal, task_id, once, made, was_refused=True)  # nobody else has our name


async def append(
    journal: Journal,
    held: Claim,
    records: Sequence[Record],
    change: HeadChange,
    *,
    consumed: Sequence[int] = (),
    payloads: Iterable[Payload] = (),
) -> Claim:
    """Append *records*, at least one, as `Journal.append` does, but wait for a database that is away.

    An append that failed may have been written all the same: what stands behind our own claim, as long
    as our records are, is ours. Raises `ClaimLost`.
    """
    kept = tuple(payloads)
    written = replace(held, seq=held.seq + len(records))

    def made(head: Head) -> Claim | None:
        return written if (head.epoch, head.seq) == (written.epoch, written.seq) else None

    once = partial(journal.append, held, records, change, consumed=consumed, payloads=kept)
    return await _outlast_in_doubt(journal, held.task_id, once, made)


async def _outlast_in_doubt(
    journal: Journal,
    task_id: str,
    ask: Callable[[], Awaitable[C]],
    made: Callable[[Head], C | None],
    *,
    was_refused: bool = False,
) -> C:
    """Outlast; what seems lost, once a try *was_refused*, may have been done by that: *made* tells by the head."""

    async def once() -> C:
        nonlocal was_refused
        try:
            return await ask()
        except JournalUnavailable:
            was_refused = True
            raise
        except ClaimLost:
            head = await journal.head(task_id) if was_refused else None
            found = made(head) if head is not None else None
            if found is None:
                raise
            return found

    return await outlast(once)

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
from typing import TypeVar

from coordinator.core.model import Payload
from coordinator.errors import ClaimLost, JournalClosed, JournalUnavailable
from coordinator.journal.protocol import Claim, HeadChange, Journal, Record

T = TypeVar("T")

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


async def append(
    journal: Journal,
    claim: Claim,
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
    written = replace(claim, seq=claim.seq + len(records))
    was_refused = False

    async def once() -> Claim:
        nonlocal was_refused
        try:
            return await journal.append(claim, records, change, consumed=consumed, payloads=kept)
        except JournalUnavailable:
            was_refused = True
            raise
        except ClaimLost:
            head = await journal.head(claim.task_id) if was_refused else None
            if head is None or (head.epoch, head.seq) != (written.epoch, written.seq):
                raise
            return written

    return await outlast(once)

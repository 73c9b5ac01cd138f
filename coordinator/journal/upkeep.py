"""A server's journal forgets by itself what is older than it is told to keep.

In small steps with pauses between them, so that nobody who writes meanwhile notices. What is
forgotten, and that nothing under way ever is, is the journal's business.
"""

from __future__ import annotations

import asyncio
import logging
import math

from coordinator.errors import JournalUnavailable
from coordinator.journal.protocol import Journal, Pruned

EVERY_S = 300.0
PAUSE_S = 0.1
STEP = 5
"""Tasks a running server forgets in one transaction: each may have thousands of facts, and others wait meanwhile."""

log = logging.getLogger(__name__)


async def upkeep(journal: Journal, *, retention_s: float | None, window_s: float) -> None:
    """Prune at the start and every few minutes, until canceled.

    Closed coordinations go after *retention_s*, None for never; keys of accepted messages after *window_s*.
    """
    while True:
        try:
            await prune_all(journal, retention_s=retention_s, window_s=window_s, step=STEP, pause_s=PAUSE_S)
        except JournalUnavailable as error:
            log.warning("the database is away; pruning it later", extra={"error": str(error)})
        await asyncio.sleep(EVERY_S)


async def prune_all(
    journal: Journal, *, retention_s: float | None, window_s: float, step: int = 100, pause_s: float = 0.0
) -> Pruned:
    """Prune everything that is old now and return how much that was; others write in the pauses."""
    now = await journal.now()
    closed_before = -math.inf if retention_s is None else now - retention_s
    total = Pruned()
    while True:
        gone = await journal.prune(closed_before=closed_before, keys_before=now - window_s, limit=step)
        if gone == Pruned():
            break
        total = Pruned(total.coordinations + gone.coordinations, total.payloads + gone.payloads, total.keys + gone.keys)
        await asyncio.sleep(pause_s)
    if total.coordinations:
        log.info("forgot old tasks", extra={"detail": f"{total.coordinations} tasks, {total.payloads} payloads"})
    return total

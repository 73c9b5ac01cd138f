"""Delivers what is owed: one loop a process, any number of processes on one journal.

For each configuration in order, one at a time, at least once: its place in the journal moves after each delivery, and
a lease says which process delivers. So a crash repeats at most the notification that was on its way. Configurations do
not wait for each other, and those of one host leave room for others.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from coordinator.errors import CoordinatorError, JournalUnavailable
from coordinator.journal import ANY_TASK, Journal, OwedPush, Place, Subscription
from coordinator.journal.outage import outlast
from coordinator.journal.signals import HintReceiver
from coordinator.notifying.courier import Courier, DeliveryFailed
from coordinator.notifying.payloads import payloads
from coordinator.outbound import Patience
from coordinator.projection import Change, Projection, Renderer

MOST_AT_ONCE = 32
MOST_AT_ONE_HOST = 4
RECHECK_S = 5.0
PAUSE_S = 0.05
"""Between two looks at what is owed: a busy journal gives hints faster than looking is worth."""

LEASE_S = 30.0
"""Longer than any one delivery may take; it is renewed with each."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Sender:
    """Delivers as *holder*, a name no other process has, and gives up what fails for *give_up_s* seconds."""

    journal: Journal
    projection: Projection
    renderer: Renderer
    courier: Courier
    patience: Patience
    give_up_s: float
    holder: str
    rng: random.Random = field(default_factory=random.SystemRandom)
    _busy: dict[tuple[str, str], str] = field(default_factory=dict)  #: what is being delivered, and whose it is
    _stir: HintReceiver = field(default_factory=HintReceiver)

    async def run(self) -> None:
        """Deliver until canceled."""
        async with self.journal.subscribe(ANY_TASK) as hints, asyncio.TaskGroup() as group:
            group.create_task(self._hear(hints))
            while True:
                await self._begin(group)
                await asyncio.sleep(PAUSE_S)
                await self._stir.wait(RECHECK_S)

    async def _hear(self, hints: Subscription) -> None:
        while True:
            await hints.wait(RECHECK_S)
            self._stir.hint()

    async def _begin(self, group: asyncio.TaskGroup) -> None:
        """Begin to deliver whatever there is room for."""
        while (room := MOST_AT_ONCE - len(self._busy)) > 0:
            hosts = Counter(self._busy.values())
            full = [host for host, count in hosts.items() if count >= MOST_AT_ONE_HOST]
            asked = partial(self.journal.owed, limit=room + len(self._busy), without=full)
            is_idle = True
            for owed in await outlast(asked):
                key = (owed.task_id, owed.config.config_id)
                host = owed.config.origin
                if key in self._busy or hosts[host] >= MOST_AT_ONE_HOST or len(self._busy) >= MOST_AT_ONCE:
                    continue
                is_idle = False
                hosts[host] += 1
                self._busy[key] = host
                group.create_task(self._serve(owed))
            if is_idle:
                return

    async def _serve(self, owed: OwedPush) -> None:
        try:
            await self._tell(owed)
        except JournalUnavailable:
            raise
        except CoordinatorError as error:
            # A task that cannot be read must not take the others down: left alone for a while.
            log.exception("a task cannot be pushed", extra=_about(owed, str(error)))
            if await outlast(partial(self.journal.lease_push, owed, self.holder, LEASE_S)):
                await self._fail(owed, DeliveryFailed(str(error), is_definite=True))
        finally:
            del self._busy[owed.task_id, owed.config.config_id]
            self._stir.hint()

    async def _tell(self, owed: OwedPush) -> None:
        """Deliver everything behind the place of *owed*, until the first failure."""
        history = await outlast(partial(self.projection.changes, owed.task_id, owed.place.seq))
        is_leased = False
        for change in history.changes:
            bodies = await payloads(self.renderer, change, owed.config.version)
            if not bodies:
                continue
            if not is_leased and not await outlast(partial(self.journal.lease_push, owed, self.holder, LEASE_S)):
                return
            is_leased = True
            told = await self._deliver(owed, change, bodies)
            if told is None:
                return
            owed = told
        await self._move(owed, Place(history.seq), is_over=history.is_over, keep_s=0.0)

    async def _deliver(self, owed: OwedPush, change: Change, bodies: Sequence[bytes]) -> OwedPush | None:
        """Deliver the notices of one change that were not told yet; None when one failed or the lease is lost."""
        if len(bodies) <= owed.place.sent:  # another version of this program told more of it
            place = Place(change.seq)
            return replace(owed, place=place) if await self._move(owed, place, is_over=False, keep_s=LEASE_S) else None
        for number, body in enumerate(bodies[owed.place.sent :], owed.place.sent + 1):
            try:
                await self.courier.deliver(owed.config, f"{owed.task_id}-{change.seq}-{number}", body)
            except DeliveryFailed as failure:
                await self._fail(owed, failure)
                return None
            is_last = number == len(bodies)
            place = Place(change.seq) if is_last else Place(owed.place.seq, number)
            if not await self._move(owed, place, is_over=False, keep_s=LEASE_S):
                return None
            owed = replace(owed, place=place, failures=0, failing_since=None)
        return owed

    async def _move(self, owed: OwedPush, place: Place, *, is_over: bool, keep_s: float) -> bool:
        move = partial(self.journal.move_push, owed, place, self.holder, keep_s=keep_s, is_over=is_over)
        return await outlast(move)

    async def _fail(self, owed: OwedPush, failure: DeliveryFailed) -> None:
        """Note the failure, and come again after a while, unless it has lasted too long."""
        now = await outlast(self.journal.now)
        gives_up = owed.failing_since is not None and now - owed.failing_since >= self.give_up_s
        wait_s = self._wait_s(owed.failures, failure)
        if gives_up or not owed.failures:
            words = "gave up pushing to a webhook" if gives_up else "a webhook does not take what is pushed"
            log.warning(words, extra=_about(owed, str(failure)))
        fail = partial(self.journal.fail_push, owed, self.holder, wait_s=wait_s, gives_up=gives_up)
        await outlast(fail)
        asyncio.get_running_loop().call_later(wait_s, self._stir.hint)

    def _wait_s(self, failures: int, failure: DeliveryFailed) -> float:
        """Return how long to wait: doubled each time, with jitter; at once the most after a definite refusal."""
        most = self.patience.push_retry_max_s
        doubled = self.patience.push_retry_min_s * 2.0 ** min(failures, 32)
        backoff_s = most if failure.is_definite else min(most, doubled)
        return max(backoff_s * self.rng.uniform(0.5, 1.0), failure.retry_after_s or 0.0)


def _about(owed: OwedPush, error: str) -> dict[str, str]:
    # The host only: the rest of a URL may be a secret.
    return {"task": owed.task_id, "detail": owed.config.origin.rpartition("@")[2], "error": error}

"""What the journal in memory keeps about push notifications: the same promises, in dictionaries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from coordinator.errors import TooManyPushes, UnknownTask
from coordinator.journal.protocol import Status
from coordinator.journal.pushing import OwedPush, Place, PushConfig, PushCounts, PushState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from coordinator.journal.protocol import Head


@dataclass(slots=True)
class HeldPush:
    """A configuration and how it stands."""

    owed: OwedPush
    state: PushState = PushState.OPEN
    next_at: float = 0.0
    holder: str = ""
    lease_until: float = 0.0


class Pushed(Protocol):
    """A coordination as far as it is needed here."""

    head: Head
    pushes: dict[str, HeldPush]


class MemoryPushes(ABC):
    """The `PushBook` of the journal in memory."""

    @abstractmethod
    def _open_tasks(self) -> Mapping[str, Pushed]: ...

    @abstractmethod
    async def now(self) -> float:
        """Return the journal's time."""

    @abstractmethod
    def _hint(self, task_id: str) -> None: ...

    async def set_push(self, task_id: str, config: PushConfig, *, most: int) -> None:
        """Keep *config*; one of a known id goes on where that stood."""
        held = self._open_tasks().get(task_id)
        if held is None:
            raise UnknownTask
        keep_push(held, config, most)
        self._hint(task_id)

    async def pushes(self, task_id: str) -> Sequence[PushConfig]:
        """Return the task's configurations, by id."""
        held = self._open_tasks().get(task_id)
        return tuple(held.pushes[name].owed.config for name in sorted(held.pushes)) if held else ()

    async def delete_push(self, task_id: str, config_id: str) -> None:
        """Forget a configuration, with what was owed to it."""
        held = self._open_tasks().get(task_id)
        if held is not None:
            held.pushes.pop(config_id, None)

    async def owed(self, *, limit: int, without: Collection[str] = ()) -> Sequence[OwedPush]:
        """Return up to *limit* configurations that lie behind their task, longest due first."""
        now = await self.now()
        due = [
            (push.next_at, push.owed.task_id, push.owed.config.config_id, push.owed)
            for push in self._behind()
            if max(push.next_at, push.lease_until) <= now and push.owed.config.origin not in without
        ]
        return tuple(owed for *_, owed in sorted(due, key=lambda each: each[:3])[:limit])

    async def lease_push(self, owed: OwedPush, holder: str, for_s: float) -> bool:
        """Take the right to deliver for *for_s* seconds."""
        now = await self.now()
        push = self._held(owed)
        if push is None or (push.owed.place, push.owed.failures) != (owed.place, owed.failures):
            return False
        if max(push.next_at, push.lease_until) > now:
            return False
        push.holder, push.lease_until = holder, now + for_s
        return True

    async def move_push(
        self, owed: OwedPush, place: Place, holder: str, *, keep_s: float = 0.0, is_over: bool = False
    ) -> bool:
        """Note that everything up to *place* was told."""
        now = await self.now()
        push = self._held(owed)
        if push is None or push.owed.place != owed.place or (push.holder != holder and push.lease_until > now):
            return False
        push.owed = replace(push.owed, place=place, failures=0, failing_since=None)
        push.state = PushState.DONE if is_over else PushState.OPEN
        push.next_at, push.holder, push.lease_until = 0.0, holder if keep_s else "", now + keep_s if keep_s else 0.0
        return True

    async def fail_push(self, owed: OwedPush, holder: str, *, wait_s: float, gives_up: bool = False) -> None:
        """Note a failed delivery and give the lease up."""
        now = await self.now()
        push = self._held(owed)
        if push is None or push.holder != holder:
            return
        since = now if push.owed.failing_since is None else push.owed.failing_since
        push.owed = replace(push.owed, failures=push.owed.failures + 1, failing_since=since)
        push.state = PushState.GIVEN_UP if gives_up else PushState.OPEN
        push.next_at, push.holder, push.lease_until = now + wait_s, "", 0.0

    async def push_counts(self) -> PushCounts:
        """Return how much is owed."""
        given_up = sum(push.state is PushState.GIVEN_UP for held in self._held_all() for push in held.pushes.values())
        return PushCounts(sum(1 for _ in self._behind()), given_up)

    def _held_all(self) -> Collection[Pushed]:
        return self._open_tasks().values()

    def _held(self, owed: OwedPush) -> HeldPush | None:
        held = self._open_tasks().get(owed.task_id)
        push = held.pushes.get(owed.config.config_id) if held else None
        return push if push and push.state is PushState.OPEN else None

    def _behind(self) -> Iterator[HeldPush]:
        for held in self._held_all():
            for push in held.pushes.values():
                is_behind = held.head.seq > push.owed.place.seq or held.head.status is Status.CLOSED
                if push.state is PushState.OPEN and is_behind:
                    yield push


def keep_push(held: Pushed, config: PushConfig, most: int) -> None:
    """Keep *config* for a task. Raises `TooManyPushes`."""
    known = held.pushes.get(config.config_id)
    if known is None and len(held.pushes) >= most:
        raise TooManyPushes
    place = Place(known.owed.place.seq if known else held.head.seq)
    held.pushes[config.config_id] = HeldPush(OwedPush(held.head.task_id, config, place))

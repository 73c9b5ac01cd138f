"""Push notifications to the webhook a client has given with its message (spec 4.3), as they should be or not.

Each event of the task is one POST of a StreamResponse, with the token in `X-A2A-Notification-Token` and the
authentication in `Authorization`. Nobody tries twice: pushes get lost.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import aiohttp

from coordinator.testing import wire
from coordinator.testing.behaviour import Behaviour, Json, drawn
from coordinator.testing.pulse import next_beat
from coordinator.testing.tasks import SpecialistTask
from coordinator.testing.wire import RpcError

if TYPE_CHECKING:
    from coordinator.testing.agent import Agent

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Hook:
    """Where to push to, and what to show there."""

    url: str
    token: str = ""
    scheme: str = ""
    credentials: str = ""

    def headers(self) -> dict[str, str]:
        """Return the headers of a push."""
        shown = {"X-A2A-Notification-Token": self.token, "Authorization": f"{self.scheme} {self.credentials}".strip()}
        return {"Content-Type": wire.JSON_TYPE, **{name: value for name, value in shown.items() if value}}

    def forged(self) -> Hook:
        """Return it with the secrets of somebody else."""
        return replace(self, token=self.token and "wrong", credentials=self.credentials and "wrong")


def hook_of(agent: Agent, behaviour: Behaviour, configuration: Mapping[str, Any]) -> Hook | None:
    """Return the webhook of a message. Raises `RpcError` when this agent does not push, or not there."""
    given = configuration.get("taskPushNotificationConfig")
    if not given:
        return None
    if not agent.specialist.pushing:
        raise RpcError(wire.NO_PUSH, "push notifications are not supported")
    if behaviour.push == "refused":
        raise RpcError(wire.BAD_PARAMS, f"the URL {given.get('url')} cannot be pushed to")
    authentication = given.get("authentication") or {}
    return Hook(
        str(given.get("url", "")),
        str(given.get("token", "")),
        str(authentication.get("scheme", "")),
        str(authentication.get("credentials", "")),
    )


async def push(agent: Agent, task: SpecialistTask, hook: Hook) -> None:
    """Push what is told about *task*, until nothing more is."""
    behaviour = task.behaviour
    if behaviour.push == "never":
        return
    if behaviour.push == "wrong_token":
        hook = hook.forged()
    events = _told(task)
    if behaviour.push == "reordered":
        events = _reversed(events)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout) as session:
        async for event in events:
            for _ in range(2 if behaviour.push == "doubled" else 1):
                await agent.gates.pause(drawn(behaviour.push_s, task.performance.rng))
                await _post(session, agent, hook, event)


async def _told(task: SpecialistTask) -> AsyncIterator[Json]:
    told = 0
    while True:
        while told < len(task.log):
            told += 1
            yield task.log[told - 1]
        if task.is_done:
            return
        await next_beat(task.pulse)


async def _reversed(events: AsyncIterator[Json]) -> AsyncIterator[Json]:
    for event in reversed([event async for event in events]):
        yield event


async def _post(session: aiohttp.ClientSession, agent: Agent, hook: Hook, event: Json) -> None:
    body = wire.dumped(event)
    try:
        async with session.post(hook.url, data=body, headers=hook.headers()) as response:
            answer = f"HTTP {response.status}"
            agent.ledger.pushed(agent.name, is_taken=response.ok)
    except (aiohttp.ClientError, TimeoutError) as error:
        answer = type(error).__name__
        agent.ledger.pushed(agent.name, is_taken=False)
    agent.ledger.tell(agent.name, "push", body, answer)

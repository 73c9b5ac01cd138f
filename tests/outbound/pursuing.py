"""One attempt against one specialist over a loopback socket, and the facts it ends in."""

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from a2a.types import a2a_pb2 as a2a
from starlette.applications import Starlette

from coordinator import testing
from coordinator.core.commands import Cancel, Follow, Look, Send
from coordinator.core.events import AttemptFailed, AttemptSucceeded, Progressed, TaskOpened
from coordinator.core.model import AgentRef, RemoteTask
from coordinator.inbound.webhook import webhook_route
from coordinator.journal import system_time
from coordinator.outbound import (
    AgentCalls,
    Allowance,
    Attempt,
    Bounds,
    Patience,
    Pushes,
    cancel_remote,
    look,
    pursue,
    shared_http_client,
)
from coordinator.testing import Specialist
from coordinator.testing.server import listener, serving
from coordinator.wire import part_out

QUICK = Patience(
    request_s=2.0, silence_s=0.3, poll_min_s=0.01, poll_max_s=0.05, doubt_s=0.05, cancel_s=1.0, progress_s=0.0
)

ROOMY = Bounds()


@dataclass
class Ends:
    """What one attempt came to."""

    facts: list

    def of(self, kind):
        return [fact.event for fact in self.facts if isinstance(fact.event, kind)]

    @property
    def failure(self):
        (event,) = self.of(AttemptFailed)
        return event.failure

    @property
    def texts(self):
        (event,) = self.of(AttemptSucceeded)
        bodies = {payload.digest: payload.body for fact in self.facts for payload in fact.payloads}
        holders = [*event.artifacts, *([event.message] if event.message else [])]
        return [part_out(bodies[ref.digest]).text for holder in holders for ref in holder.parts]

    @property
    def opened(self):
        return [event.remote for event in self.of(TaskOpened)]

    @property
    def words(self):
        return [event.text for event in self.of(Progressed)]


class Rig:
    """A specialist and the calls to it."""

    def __init__(self, fleet, calls, *, streaming, pushing):
        self.agent = fleet["it"]
        self.fleet = fleet
        self.calls = calls
        self.ref = AgentRef("it", self.agent.url, streaming=streaming, pushing=pushing)
        self.allowance = Allowance(calls.bounds.results)

    def send(self):
        return Send(
            id="a", branch="s/it", attempt=1, agent=self.ref, message_id="m-1", since=system_time(), parts=(), expect=""
        )

    async def sent(self, *, in_doubt=False, attempt=None):
        return await self._pursued(self.send(), in_doubt=in_doubt, attempt=attempt)

    async def followed(self, task_id):
        remote = RemoteTask(task_id, "c")
        command = Follow(id="a", branch="s/it", attempt=1, agent=self.ref, remote=remote)
        return await self._pursued(command, in_doubt=True, attempt=None)

    async def looked(self, remote):
        facts = []
        command = Look(id="a", branch="s/it", attempt=1, agent=self.ref, remote=remote)
        await look(self.calls, command, emit=facts.append, now=system_time)
        return Ends(facts)

    async def canceled(self, remote=None):
        command = Cancel(
            id="c", branch="s/it", attempt=1, agent=self.ref, message_id="m-1", since=system_time(), remote=remote
        )
        return await cancel_remote(self.calls, command, None)

    async def _pursued(self, command, *, in_doubt, attempt):
        facts = []

        async def load(_):
            return [a2a.Part(text="hello")]

        await pursue(
            self.calls,
            command,
            attempt or Attempt(),
            emit=facts.append,
            now=system_time,
            load=load,
            in_doubt=in_doubt,
            allowance=self.allowance,
        )
        return Ends(facts)


@asynccontextmanager
async def rig(script, *, streaming=True, pushing=False, webhook=True, patience=QUICK, bounds=ROOMY):
    specialist = Specialist("it", script, streaming=streaming, pushing=pushing)
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(testing.fleet([specialist]))
        http = await stack.enter_async_context(shared_http_client(patience.request_s, bounds.answer))
        opened = stack.enter_context(listener())
        base = f"http://127.0.0.1:{opened.getsockname()[1]}"
        pushes = Pushes(base) if pushing and webhook else Pushes()
        await stack.enter_async_context(serving(Starlette(routes=[webhook_route(pushes)]), opened))
        calls = AgentCalls(http, patience, bounds=bounds, pushes=pushes)
        yield Rig(fleet, calls, streaming=streaming, pushing=pushing)

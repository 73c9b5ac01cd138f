"""One request from its arrival to the last byte of its answer, with everything that may go wrong on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from starlette.types import Send

from coordinator.testing import wire
from coordinator.testing.behaviour import Json, Point, drawn
from coordinator.testing.faults import AFTER, BEFORE, GARBAGE, STREAM, Ending, Refusal
from coordinator.testing.operations import METHODS, Answer, Awaited, Call, Followed, Told
from coordinator.testing.pulse import next_beat
from coordinator.testing.tasks import SpecialistTask
from coordinator.testing.wire import Gush, Reply, RpcError

GATES: Mapping[str, Point] = {"send": "arrival", "get": "get", "list": "list", "cancel": "cancel"}
"""Which gate a request passes before it takes effect."""


MARK = b"@here@"
PIECE = b"x" * 65536


@dataclass(frozen=True, slots=True)
class Gushing:
    """An answer of any size, in the place of a right one."""

    size: int
    instead: Answer

    def document(self) -> Json:
        """Return the right answer with `MARK` where the text goes."""
        match self.instead:
            case Told({"task": task}):
                return {"task": {**task, "metadata": {"gush": MARK.decode()}}}
            case Told(document):
                return {**document, "metadata": {"gush": MARK.decode()}}
            case Awaited(task) | Followed(task):
                return {"task": {**task.snapshot(0), "metadata": {"gush": MARK.decode()}}}


@dataclass(slots=True)
class Exchange:
    """A request on its way."""

    call: Call
    write: Send
    is_struck: bool = False  #: it gets something else than an answer, where the behaviour has that

    async def run(self) -> None:
        """Serve the request."""
        agent, connection = self.call.agent, self.call.connection
        agent.connections.add(connection)
        try:
            match await self._answer():
                case Reply() as reply:
                    spoilt = self._spoilt(reply)
                    agent.ledger.tell(agent.name, "reply", spoilt.body)
                    await respond(self.write, spoilt)
                case Gushing() as gushing:
                    await self._gush(gushing)
                case Followed() as followed:
                    await self._stream(followed)
                case Ending() as ending:
                    await self._end(ending)
        finally:
            agent.connections.discard(connection)
            agent.ledger.stirred.beat()

    async def _answer(self) -> Reply | Followed | Ending | Gushing:
        call = self.call
        await self._delay()
        self.is_struck = call.performance.strikes(call.operation)
        refusal = self._refusal(BEFORE)
        if refusal is not None and not isinstance(refusal, Gush):
            return refusal
        try:
            answer = METHODS[call.method](call)
        except RpcError as error:
            return error.reply(call.rpc_id)
        if refusal := self._refusal(AFTER):
            return Gushing(refusal.size, answer) if isinstance(refusal, Gush) else refusal
        if call.operation == "send":
            await call.agent.gates.passed("created")
        match answer:
            case Told(document):
                return Reply(wire.result(call.rpc_id, document))
            case Awaited(task, history_length):
                return await self._settled(task, history_length)
            case Followed():
                return answer

    async def _delay(self) -> None:
        call, behaviour = self.call, self.call.performance.behaviour
        await call.agent.gates.pause(drawn(behaviour.accept_s, call.performance.rng))
        if call.operation == "cancel":
            await call.agent.gates.pause(drawn(behaviour.cancel_s, call.performance.rng))
        if call.operation in GATES:
            # A request whose client has gone passes as well: it may have been on its way all the time.
            await call.agent.gates.passed(GATES[call.operation])

    def _refusal(self, table: tuple[Refusal, ...]) -> Reply | Ending | Gush | None:
        if not self.is_struck:
            return None
        behaviour, rpc_id = self.call.performance.behaviour, self.call.rpc_id
        return next((found for refuse in table if (found := refuse(behaviour, rpc_id)) is not None), None)

    async def _settled(self, task: SpecialistTask, history_length: int | None) -> Reply | Ending:
        connection = self.call.connection
        while not task.is_settled and not connection.is_lost:
            await next_beat(task.pulse, connection.lost)
        if connection.is_lost:
            return Ending.SILENCE
        document = task.log[-1] if task.behaviour.message else {"task": task.snapshot(history_length)}
        return Reply(wire.result(self.call.rpc_id, document))

    async def _stream(self, followed: Followed) -> None:
        call, task = self.call, followed.task
        is_cut = task.streams < task.behaviour.cut_streams
        task.streams += 1
        media_type = self._spoilt(Reply(b"", content_type=wire.STREAM_TYPE)).content_type
        await start(self.write, 200, media_type)
        call.agent.ledger.streaming(call.agent.name, +1)
        try:
            ending = await self._tell(followed, is_cut=is_cut)
        finally:
            call.agent.ledger.streaming(call.agent.name, -1)
        if ending is Ending.CUT:
            await self.write({"type": "http.response.body"})
        else:
            await self._end(ending)

    async def _tell(self, followed: Followed, *, is_cut: bool) -> Ending:
        call, behaviour, told = self.call, followed.task.behaviour, 0
        events = self._events(followed)
        while True:
            if is_cut and (ending := next((e for cut in STREAM if (e := cut(behaviour, told))), None)):
                return ending
            event = await anext(events, None)
            if event is None:
                return Ending.CUT
            body = self._spoilt(Reply(wire.result(call.rpc_id, event))).body
            call.agent.ledger.tell(call.agent.name, "event", body)
            await self.write({"type": "http.response.body", "body": wire.sse(body), "more_body": True})
            told += 1

    async def _events(self, followed: Followed) -> AsyncIterator[Json]:
        """Yield the stream's events, to the end of the task's life or of the connection."""
        task, connection, at = followed.task, self.call.connection, followed.start
        for event in followed.opening:
            yield event
        while not connection.is_lost:
            while at < len(task.log):
                at += 1
                yield task.log[at - 1]
            if task.is_done:
                return
            await next_beat(task.pulse, connection.lost)

    def _spoilt(self, reply: Reply) -> Reply:
        name = self.call.performance.behaviour.garbage
        if not name or not self.is_struck:
            return reply
        media_type, body = GARBAGE[name](reply.body)
        return Reply(body, reply.status, media_type or reply.content_type, reply.headers)

    async def _gush(self, gushing: Gushing) -> None:
        """Write an answer piece by piece, as fast as the client takes it."""
        call = self.call
        is_stream = isinstance(gushing.instead, Followed)
        whole = wire.result(call.rpc_id, gushing.document())
        head, tail = whole.split(MARK)
        call.agent.ledger.tell(call.agent.name, "gush", head)
        await start(self.write, 200, wire.STREAM_TYPE if is_stream else wire.JSON_TYPE)
        await self._write(b"data: " + head if is_stream else head)
        left = gushing.size
        while left > 0 and not call.connection.is_lost:
            await self._write(PIECE[:left])
            left -= len(PIECE)
        await self._write(tail + b"\n\n")
        await self.write({"type": "http.response.body"})

    async def _write(self, body: bytes) -> None:
        await self.write({"type": "http.response.body", "body": body, "more_body": True})

    async def _end(self, ending: Ending) -> None:
        self.call.agent.ledger.tell(self.call.agent.name, ending.value)
        if ending is Ending.BREAK:
            self.call.connection.drop()
        if ending is Ending.RESET:
            self.call.connection.reset()
        await self.call.connection.gone()


async def start(write: Send, status: int, media_type: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
    """Begin an HTTP answer."""
    told = [(b"content-type", media_type.encode()), *((name.encode(), value.encode()) for name, value in headers)]
    await write({"type": "http.response.start", "status": status, "headers": told})


async def respond(write: Send, reply: Reply) -> None:
    """Write a whole HTTP answer."""
    length = ("content-length", str(len(reply.body)))
    await start(write, reply.status, reply.content_type, (*reply.headers, length))
    await write({"type": "http.response.body", "body": reply.body})

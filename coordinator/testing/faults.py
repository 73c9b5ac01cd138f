"""Every way to misbehave, as one small function and one row of a table.

| field of a `Behaviour`              | what the caller sees                                         | table    |
|-------------------------------------|--------------------------------------------------------------|----------|
| `hang`                              | no answer, ever; `before` or `after` the request took effect | BEFORE, AFTER |
| `reset`                             | the connection is reset, before or after                     | BEFORE, AFTER |
| `http_error`, `retry_after`         | an HTTP status, with a Retry-After header                    | BEFORE   |
| `rpc_error`, `retry_after`          | a JSON-RPC error, with RetryInfo in its data                 | BEFORE   |
| `never_ends`                        | the task is WORKING for ever                                 | LIFE     |
| `endless_s`                         | and says so again and again                                  | LIFE     |
| `updates`, `padding`                | says so thousands of times at once, or at length             | LIFE     |
| `silence_s`                         | nothing for a while, in the middle of the work               | LIFE     |
| `oversized`                         | one artifact more, very large                                | LIFE     |
| `double_chunks`, `reorder_chunks`   | artifact events twice, or last one first                     | LIFE     |
| `goes_back`                         | SUBMITTED after WORKING, WORKING after the end               | LIFE     |
| `foreign_events`                    | events of another task in the stream                         | LIFE     |
| `forgets_after`                     | the agent restarts: unknown task, connections reset          | LIFE     |
| `cut_after`, `cut_by`               | the stream ends early; re-attaching works                    | STREAM   |
| `stall_after`                       | the stream falls silent; the task goes on                    | STREAM   |
| `gush`                              | an answer of any size, of which nothing is ever kept here    | AFTER    |
| `garbage`                           | answers, or events, that are not what they should be         | GARBAGE  |
| `push`, `push_s`                    | pushes late, twice, in disorder, forged, or not at all       | `pushing.py` |
| `cancel`                            | refused, ignored, or confirmed and then not done             | CANCEL   |

`wrong_ids`, `double_on_reattach` and what an agent does not offer at all (`streams`, `lists`,
`keeps_history`, `stamps`, `dedupes`, `opens_with_task`, `streams_artifacts`) are decided where the answer is written,
in `tasks.py` and `operations.py`. To add a fault: a field of `Behaviour`, a function here, a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from enum import Enum
from itertools import count
from typing import Any

from coordinator.testing import answers
from coordinator.testing.behaviour import Behaviour, CancelAnswer, Garbage
from coordinator.testing.life import Beat, Chunk, Restart, Speech, Status
from coordinator.testing.tasks import SpecialistTask
from coordinator.testing.wire import NOT_CANCELABLE, Gush, Reply, RpcError


class Ending(Enum):
    """How an answer ends that does not end as it should."""

    CUT = "cut"  #: properly, but early
    BREAK = "break"  #: the connection breaks; what was sent arrives
    RESET = "reset"  #: the connection is reset; what was sent may be lost
    SILENCE = "silence"  #: nothing more comes


# Instead of an answer.

Refusal = Callable[[Behaviour, Any], Reply | Ending | Gush | None]
"""Takes the behaviour and the id of the JSON-RPC request; None lets the request pass."""


def hang_before(behaviour: Behaviour, _: Any) -> Ending | None:
    """Never answer, and do nothing."""
    return Ending.SILENCE if behaviour.hang == "before" else None


def hang_after(behaviour: Behaviour, _: Any) -> Ending | None:
    """Do what was asked, and never answer."""
    return Ending.SILENCE if behaviour.hang == "after" else None


def reset_before(behaviour: Behaviour, _: Any) -> Ending | None:
    """Reset the connection, and do nothing."""
    return Ending.RESET if behaviour.reset == "before" else None


def reset_after(behaviour: Behaviour, _: Any) -> Ending | None:
    """Do what was asked, and reset the connection."""
    return Ending.RESET if behaviour.reset == "after" else None


def http_error(behaviour: Behaviour, _: Any) -> Reply | None:
    """Answer with an HTTP status, and when to come again."""
    if not behaviour.http_error:
        return None
    headers = () if behaviour.retry_after is None else (("retry-after", f"{behaviour.retry_after:g}"),)
    return Reply(b"not now", behaviour.http_error, "text/plain", headers)


def rpc_error(behaviour: Behaviour, rpc_id: Any) -> Reply | None:
    """Answer with a JSON-RPC error, and when to come again in its data."""
    if not behaviour.rpc_error:
        return None
    delay = f"{behaviour.retry_after or 0:g}s"
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    return RpcError(behaviour.rpc_error, "not now", None if behaviour.retry_after is None else [info]).reply(rpc_id)


BEFORE: tuple[Refusal, ...] = (hang_before, reset_before, http_error, rpc_error)
"""Asked in this order before a request takes effect."""


def gush(behaviour: Behaviour, _: Any) -> Gush | None:
    """Answer with more than anybody can keep."""
    return Gush(behaviour.gush) if behaviour.gush else None


AFTER: tuple[Refusal, ...] = (hang_after, reset_after, gush)
"""Asked when it has taken effect, before it is answered."""


# The life of a task.

Bend = Callable[[Behaviour, Iterator[Beat]], Iterator[Beat]]
"""Takes the life so far and returns another."""


def oversized(behaviour: Behaviour, beats: Iterator[Beat]) -> Iterator[Beat]:
    """Add a large artifact before the end."""
    for beat in beats:
        if isinstance(beat.told, Status) and beat.told.state == behaviour.end:
            large = answers.text("x" * behaviour.oversized, name="oversized")
            yield replace(beat, told=Chunk(large, append=False, is_last=True))
            yield Beat(beat.told)
        else:
            yield beat


def silence(behaviour: Behaviour, beats: Iterator[Beat]) -> Iterator[Beat]:
    """Wait longer for what comes after the first sign of work."""
    for number, beat in enumerate(beats):
        yield replace(beat, after_s=(beat.after_s or 0.0) + behaviour.silence_s) if number == 1 else beat


def endless(behaviour: Behaviour, beats: Iterator[Beat]) -> Iterator[Beat]:
    """Go on and on."""
    yield next(beats)
    for number in count(1):
        yield Beat(Status("working", _step(behaviour, number)), max(0.001, behaviour.endless_s))


def updates(behaviour: Behaviour, beats: Iterator[Beat]) -> Iterator[Beat]:
    """Say very often that it works."""
    yield next(beats)
    for number in range(1, behaviour.updates + 1):
        # Now and then the loop has to get round to telling them.
        yield Beat(Status("working", _step(behaviour, number)), 0.0 if number % 200 else 0.001)
    yield from beats


def _step(behaviour: Behaviour, number: int) -> str:
    return f"step {number}" + "x" * behaviour.padding


def never_ends(_: Behaviour, beats: Iterator[Beat]) -> Iterator[Beat]:
    """Begin, and then nothing."""
    yield next(beats)
    for beat in beats:
        yield replace(beat, after_s=None)


def double_chunks(_: Behaviour, beats: Iterator[Beat]) -> Iterator[Beat]:
    """Tell every chunk twice to streams."""
    for beat in beats:
        yield beat
        if isinstance(beat.told, Chunk):
            yield Beat(beat.told, is_kept=False)


def reorder_chunks(_: Behaviour, beats: Iterator[Beat]) -> Iterator[Beat]:
    """Tell the chunks last one first, to streams; what is stored is in order."""
    held: list[Beat] = []
    for beat in beats:
        if isinstance(beat.told, Chunk):
            yield replace(beat, is_told=False)
            held.append(beat)
            continue
        yield from (Beat(late.told, is_kept=False) for late in reversed(held))
        held.clear()
        yield beat


def goes_back(behaviour: Behaviour, beats: Iterator[Beat]) -> Iterator[Beat]:
    """Fall back to earlier states, also from the end."""
    for beat in beats:
        yield beat
        if isinstance(beat.told, Status):
            is_end = beat.told.state == behaviour.end
            yield Beat(Status("working" if is_end else "submitted"))
            if is_end:
                yield Beat(beat.told)


def foreign_events(_: Behaviour, beats: Iterator[Beat]) -> Iterator[Beat]:
    """Mix in what belongs to another task."""
    for beat in beats:
        if not isinstance(beat.told, Speech):
            yield Beat(Status("failed", "this is another task"), of_another=True, is_kept=False)
        yield beat


def forgets(behaviour: Behaviour, beats: Iterator[Beat]) -> Iterator[Beat]:
    """Restart after some events."""
    for _, beat in zip(range(behaviour.forgets_after or 0), beats, strict=False):
        yield beat
    yield Beat(Restart())


LIFE: Mapping[str, Bend] = {
    "oversized": oversized,
    "silence_s": silence,
    "updates": updates,
    "endless_s": endless,
    "never_ends": never_ends,
    "double_chunks": double_chunks,
    "reorder_chunks": reorder_chunks,
    "goes_back": goes_back,
    "foreign_events": foreign_events,
    "forgets_after": forgets,
}
"""By the field that switches them on; the later ones see what the earlier ones made."""


def bent(behaviour: Behaviour, beats: Iterator[Beat]) -> Iterator[Beat]:
    """Return the life as *behaviour* wants it."""
    for name, bend in LIFE.items():
        if getattr(behaviour, name) != getattr(_GOOD, name):
            beats = bend(behaviour, beats)
    return beats


_GOOD = Behaviour()


# Streams.

Cutting = Callable[[Behaviour, int], Ending | None]
"""Takes the behaviour and how many events the stream has told; None lets it go on."""


def cut(behaviour: Behaviour, told: int) -> Ending | None:
    """End the stream, not the task."""
    if behaviour.cut_after is None or told < behaviour.cut_after:
        return None
    return Ending.BREAK if behaviour.cut_by == "break" else Ending.CUT


def stall(behaviour: Behaviour, told: int) -> Ending | None:
    """Tell nothing more; the connection stays."""
    return None if behaviour.stall_after is None or told < behaviour.stall_after else Ending.SILENCE


STREAM: tuple[Cutting, ...] = (cut, stall)
"""Asked before every event of the streams that are to be cut."""


# Bodies that are not what they should be.

Spoil = Callable[[bytes], tuple[str, bytes]]
"""Takes the right JSON and returns a content type (empty: the right one) and a body."""

GARBAGE: Mapping[Garbage, Spoil] = {
    "": lambda body: ("", body),
    "broken_json": lambda body: ("", body[: len(body) // 2]),
    "html": lambda _: ("text/html", b"<html><h1>It works!</h1></html>"),
    "empty": lambda _: ("", b""),
    "wrong_type": lambda body: ("text/plain", body),
    "list": lambda _: ("", b"[]"),
    "deep": lambda _: ("", b"[" * 100_000 + b"]" * 100_000),
    "no_result": lambda _: ("", b'{"jsonrpc":"2.0","id":"1"}'),
    "wrong_shape": lambda _: ("", b'{"jsonrpc":"2.0","id":"1","result":{"task":{"id":42,"status":"fine"}}}'),
}


# Cancelation.

Canceling = Callable[[SpecialistTask], None]
"""Takes the task that is to be canceled and is not over."""


def works(task: SpecialistTask) -> None:
    """Cancel it."""
    task.stop()
    task.take(Beat(Status("canceled")))


def refused(_: SpecialistTask) -> None:
    """Say that it cannot be canceled."""
    raise RpcError(NOT_CANCELABLE, "this task cannot be canceled")


def ignored(_: SpecialistTask) -> None:
    """Answer as if nothing had been asked."""


def late(task: SpecialistTask) -> None:
    """Confirm, and go on to the end."""
    task.take(Beat(Status("canceled")))


CANCEL: Mapping[CancelAnswer, Canceling] = {"works": works, "refused": refused, "ignored": ignored, "late": late}

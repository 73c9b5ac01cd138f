"""What a specialist does when it is asked, as plain data.

A `Behaviour` describes one send and the task that comes of it; a `Script` says which behaviour
the first, the second, the third send gets. Both are frozen and can be written as JSON, so the same
script works in a test, on a command line and over HTTP. Nothing here acts; `faults.py` does.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

Json = dict[str, Any]
End = Literal["completed", "failed", "rejected", "canceled", "input_required", "auth_required"]
Moment = Literal["", "before", "after"]
Operation = Literal["send", "get", "list", "cancel", "subscribe"]
Point = Literal["arrival", "created", "start", "end", "get", "list", "cancel"]
Cut = Literal["end", "break"]
CancelAnswer = Literal["works", "refused", "ignored", "late"]
Garbage = Literal["", "broken_json", "html", "empty", "wrong_type", "list", "no_result", "wrong_shape", "deep"]
Push = Literal["works", "wrong_token", "doubled", "reordered", "never", "refused"]


@dataclass(frozen=True, slots=True)
class Uniform:
    """Anything between two delays, in seconds."""

    low: float
    high: float

    def draw(self, rng: random.Random) -> float:
        """Return one delay."""
        return rng.uniform(self.low, self.high)


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Mostly about the median, now and then much longer, as real services are; never beyond *most*."""

    median: float
    sigma: float = 0.5
    most: float = 30.0

    def draw(self, rng: random.Random) -> float:
        """Return one delay."""
        return min(self.most, rng.lognormvariate(math.log(self.median), self.sigma))


Duration = float | Uniform | LogNormal
"""Seconds; in JSON a number, `{"uniform": [low, high]}` or `{"lognormal": [median, sigma, most]}`."""


def drawn(duration: Duration, rng: random.Random) -> float:
    """Return a delay in seconds."""
    return duration if isinstance(duration, int | float) else duration.draw(rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One send and what comes of it. Every field left alone is good behaviour."""

    # The work.
    accept_s: Duration = 0.0  #: before the request is looked at at all
    work_s: Duration = 0.0  #: from acceptance to the end, spread evenly over the steps
    steps: tuple[str, ...] = ()  #: texts of WORKING updates on the way
    artifacts: tuple[Json, ...] | None = None  #: None: a text, if the task completes; see `answers.py`
    chunk: int = 0  #: parts of an artifact told in one event; 0: all of them
    message: str = ""  #: answers with a direct Message instead of a task
    end: End = "completed"
    end_text: str = ""  #: the status message at the end
    holds: tuple[Point, ...] = ()  #: gates that close when the send arrives; `release` opens them

    # What it offers.
    streams: bool = True  #: else streaming operations are "unsupported", whatever its card says
    lists: bool = True  #: else ListTasks is "method not found"
    keeps_history: bool = True  #: else tasks come without their messages
    stamps: bool = True  #: else a fresh task's status has no timestamp, and time filters miss it
    page: int = 100  #: most tasks on one page of ListTasks
    dedupes: bool = False  #: a repeated messageId gets the task it already has
    opens_with_task: bool = True  #: else a stream begins with the first update
    streams_artifacts: bool = True  #: else a stream tells of states only; the artifacts are in the task

    # Instead of an answer; `during` says to what, `times` how often (0: always).
    http_error: int = 0  #: an HTTP status
    rpc_error: int = 0  #: a JSON-RPC error code
    retry_after: float | None = None  #: seconds, with either: as header, or as RetryInfo in the error's data
    reset: Moment = ""  #: the connection is reset before or after the request took effect
    hang: Moment = ""  #: nothing is ever answered, before or after the request took effect
    garbage: Garbage = ""  #: the answer, or every event of a stream, is not what it should be
    gush: int = 0  #: the answer, or the first event of a stream, is of so many characters, made while it is read
    during: tuple[Operation, ...] = ("send",)
    times: int = 0

    # The life of the task.
    never_ends: bool = False  #: accepted, shown as WORKING, then nothing
    endless_s: float = 0.0  #: a WORKING update at this interval, for ever
    updates: int = 0  #: so many WORKING updates more, as fast as they can be told
    padding: int = 0  #: characters more in each update of these two
    silence_s: float = 0.0  #: a gap in the middle of the work
    double_chunks: bool = False  #: every artifact event comes twice in streams
    reorder_chunks: bool = False  #: artifact events come in the wrong order in streams
    goes_back: bool = False  #: SUBMITTED after WORKING, WORKING after the end
    foreign_events: bool = False  #: events of another task in streams
    wrong_ids: bool = False  #: all that follows the first answer names another task
    oversized: int = 0  #: one artifact more, of so many characters
    forgets_after: int | None = None  #: after so many events it restarts: no tasks, connections reset

    # Streams of the task, of which the first `cut_streams` are cut.
    cut_after: int | None = None  #: the stream ends after so many events, the task goes on
    stall_after: int | None = None  #: the stream falls silent after so many events, the task goes on
    cut_by: Cut = "end"  #: a proper end of the response, or a connection that breaks
    cut_streams: int = 1
    double_on_reattach: bool = False  #: SubscribeToTask repeats a chunk its snapshot already holds

    # Push notifications, where the card offers them and the client has given a webhook.
    push: Push = "works"  #: refused: the send is, because of the webhook's URL
    push_s: Duration = 0.0  #: before each of them

    # CancelTask.
    cancel: CancelAnswer = "works"  #: late: confirmed, but the work goes on to its end
    cancel_s: Duration = 0.0

    def __post_init__(self) -> None:
        """Raise `ValueError` for a word that is not among the choices."""
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            for word in value if isinstance(value, tuple) else (value,):
                if word not in choices:
                    raise ValueError(f"{name}: {word!r} is none of {', '.join(filter(None, choices))}")


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "end": get_args(End),
    "reset": get_args(Moment),
    "hang": get_args(Moment),
    "garbage": get_args(Garbage),
    "during": get_args(Operation),
    "holds": get_args(Point),
    "cut_by": get_args(Cut),
    "cancel": get_args(CancelAnswer),
    "push": get_args(Push),
}


@dataclass(frozen=True, slots=True)
class Script:
    """Which behaviour the next send gets: one after the other, and then the last again, all again, or any."""

    behaviours: tuple[Behaviour, ...] = (Behaviour(),)
    then: Literal["last", "cycle", "random"] = "last"  #: random: any of them from the first send on
    weights: tuple[float, ...] = ()  #: with random, how likely each is; none: all alike

    def __post_init__(self) -> None:
        """Raise `ValueError` for a script without behaviours, or with weights that do not fit them."""
        if self.weights and (self.then != "random" or len(self.weights) != len(self.behaviours)):
            raise ValueError("weights: one for each behaviour, with then: random")
        if not self.behaviours:
            raise ValueError("a script has at least one behaviour")
        if self.then not in {"last", "cycle", "random"}:
            raise ValueError(f"then: {self.then!r} is none of last, cycle, random")

    def at(self, number: int, rng: random.Random) -> Behaviour:
        """Return the behaviour for send *number*, counted from 0."""
        if self.then == "random":
            return rng.choices(self.behaviours, self.weights or None)[0]
        if self.then == "cycle":
            return self.behaviours[number % len(self.behaviours)]
        return self.behaviours[min(number, len(self.behaviours) - 1)]


Scripted = Script | Behaviour | Sequence[Behaviour]


def script_of(given: Scripted) -> Script:
    """Return a script, also for one behaviour or a plain sequence of them."""
    if isinstance(given, Script):
        return given
    return Script((given,) if isinstance(given, Behaviour) else tuple(given))


@dataclass(frozen=True, slots=True)
class Specialist:
    """One agent of a fleet: what its card says, and how it behaves."""

    name: str
    script: Scripted = field(default_factory=Script)
    skills: tuple[str, ...] = ("work",)
    tags: tuple[str, ...] = ("testing",)
    streaming: bool = True  #: what the card says; without it, streaming operations are refused
    pushing: bool = False  #: what the card says about push notifications; without it, a webhook is refused
    card: Json = field(default_factory=dict)  #: laid over the card, for a card that lies


def script_from(document: Any) -> Script:
    """Read a script from JSON: one behaviour, a list of them, or `{"behaviours": […], "then": …, "weights": […]}`.

    Raises `ValueError` that names the field.
    """
    if isinstance(document, Mapping) and "behaviours" in document:
        unknown = set(document) - {"behaviours", "then", "weights"}
        if unknown:
            raise ValueError(f"a script has no field {', '.join(sorted(unknown))}")
        behaviours = tuple(map(behaviour_from, document["behaviours"]))
        return Script(behaviours, document.get("then", "last"), tuple(document.get("weights", ())))
    if isinstance(document, list):
        return Script(tuple(map(behaviour_from, document)))
    return Script((behaviour_from(document),))


def behaviour_from(document: Any) -> Behaviour:
    """Read one behaviour from JSON. Raises `ValueError` that names the field."""
    if not isinstance(document, Mapping):
        raise ValueError("a behaviour is an object")
    unknown = set(document) - {known.name for known in fields(Behaviour)}
    if unknown:
        raise ValueError(f"a behaviour has no field {', '.join(sorted(unknown))}")
    return Behaviour(**{str(name): _value(value) for name, value in document.items()})


def specialist_from(document: Any) -> Specialist:
    """Read a specialist from JSON. Raises `ValueError` that names the field."""
    if not isinstance(document, Mapping) or "name" not in document:
        raise ValueError("a specialist is an object with a name")
    unknown = set(document) - {known.name for known in fields(Specialist)}
    if unknown:
        raise ValueError(f"a specialist has no field {', '.join(sorted(unknown))}")
    values = {str(name): _value(value) for name, value in document.items()}
    return Specialist(**{**values, "script": script_from(document.get("script", {}))})


def as_json(value: Any) -> Any:
    """Return a specialist, a script or a behaviour as JSON that the functions above read."""
    match value:
        case Uniform(low, high):
            return {"uniform": [low, high]}
        case LogNormal(median, sigma, most):
            return {"lognormal": [median, sigma, most]}
        case Behaviour() | Script() | Specialist():
            return {each.name: as_json(getattr(value, each.name)) for each in fields(value)}
        case list() | tuple():
            return [as_json(item) for item in value]
        case _:
            return value


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, Mapping) and set(value) == {"uniform"}:
        return Uniform(*value["uniform"])
    if isinstance(value, Mapping) and set(value) == {"lognormal"}:
        return LogNormal(*value["lognormal"])
    return value

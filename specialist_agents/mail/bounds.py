"""How long one mail may be worked on, and how much of it ever leaves this process."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN_S = 0.2


class Overtime(BaseException):
    """The work took more processor time than it may.

    Not an `Exception`: a library that carries on after every error must not carry on after this one.
    """


@contextmanager
def within(cpu_s: float) -> Iterator[None]:
    """Raise `Overtime` inside the block after so much processor time, and again if that is ignored."""
    before = signal.signal(signal.SIGPROF, _raise_overtime)
    signal.setitimer(signal.ITIMER_PROF, cpu_s, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def _raise_overtime(_number: int, _frame: FrameType | None) -> None:
    raise Overtime


def clean(text: str, most: int) -> str:
    """Return *text* on one line, as characters that can be encoded and printed, cut to *most*."""
    return "".join(c if c.isprintable() else " " for c in text[: 2 * most]).strip()[:most]


def clean_lines(text: str, most: int) -> str:
    """Return *text* with its line breaks and tabs, otherwise like `clean`."""
    kept = text[:most].replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in kept)

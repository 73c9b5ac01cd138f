"""How the command line ends: one exit code a meaning, and the exception that carries it.

`Stop` is for everything a user can act on; a bug of ours is any other exception. Nothing
here prints or exits, so every module may use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from coordinator.core.model import TaskState, Verdict


class ExitCode(IntEnum):
    """What a script learns from the end of a command."""

    OK = 0  #: completed, or done as asked
    USAGE = 2  #: wrong usage, a refused request, or nobody answers
    PARTIAL = 3  #: completed, but not every branch succeeded
    FAILED = 4  #: failed, canceled or rejected
    NEEDS_INPUT = 5  #: the task waits for an answer or an authorisation, and nobody could be asked
    INTERRUPTED = 130  #: Ctrl-C


class Stop(Exception):
    """Ends the command with one line for the user and an exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.code = code


class Lost(Stop):
    """Nobody answers, or the connection broke: asking again may help."""


class NoAnswer(Lost):
    """Nobody took the request: nothing was begun."""


class Unsupported(Stop):
    """The server does not do this, or not for a task in this state."""


class UnknownTask(Stop):
    """The server knows no such task, or does not show it to this caller."""


OF_STATE: Mapping[str, ExitCode] = {
    TaskState.FAILED: ExitCode.FAILED,
    TaskState.CANCELED: ExitCode.FAILED,
    TaskState.REJECTED: ExitCode.FAILED,
    TaskState.INPUT_REQUIRED: ExitCode.NEEDS_INPUT,
    TaskState.AUTH_REQUIRED: ExitCode.NEEDS_INPUT,
}


def exit_code(state: str, verdict: str | None) -> ExitCode:
    """Return what a task in *state*, whose run record says *verdict*, means for a script."""
    if state == TaskState.COMPLETED and verdict == Verdict.PARTIAL:
        return ExitCode.PARTIAL
    return OF_STATE.get(state, ExitCode.OK)

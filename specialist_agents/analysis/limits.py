"""How a program is started below limits, and what its end means.

A program is always started through `launch.py`, never with `preexec_fn`: running Python between
fork and exec is unsafe in a process with threads.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")

_MEANINGS = {
    signal.SIGXCPU: "the limit of CPU time reached",
    signal.SIGXFSZ: "the limit of output reached",
    signal.SIGKILL: "SIGKILL (often the sign of too little memory)",
}


def guarded(command: Sequence[str], *, memory_mb: int = 0, cpu_s: int = 0) -> list[str]:
    """Return the command line that runs *command* below limits and ends it when we end.

    Limits are inherited, so a program started by a limited one needs none of its own.
    """
    python = [sys.executable, "-I", "-S", str(LAUNCHER)]
    return [*python, str(os.getpid()), str(memory_mb), str(cpu_s), *command]


def describe_exit(status: int) -> str:
    """Say in words how a program ended."""
    if status >= 0:
        return f"exit status {status}"
    try:
        name = signal.Signals(-status)
    except ValueError:
        return f"signal {-status}"
    return _MEANINGS.get(name, name.name)

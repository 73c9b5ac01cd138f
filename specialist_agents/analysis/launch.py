"""Become another program, below limits, and die with the parent.

Run as a script, by path and with `-I -S`: PARENT_PID MEMORY_MB CPU_S PROGRAM ARGUMENT…
It replaces itself by the program, so it must set nothing that an exec would undo: resource limits
and Linux's parent-death signal both survive. A limit of 0 means: leave it as inherited.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_ORPHANED = 113
_CPU_GRACE_S = 5
_MAX_FILE_BYTES = 1 << 29


def die_with(parent: int) -> None:
    """Ask the kernel to kill us when the thread that started us ends; leave if it already has."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(_ORPHANED)


def limit(memory_mb: int, cpu_s: int) -> None:
    """Bound memory, CPU time, file size and core dumps of this process and all it starts."""
    _lower(resource.RLIMIT_CORE, 0, 0)
    _lower(resource.RLIMIT_FSIZE, _MAX_FILE_BYTES, _MAX_FILE_BYTES)
    if cpu_s:
        _lower(resource.RLIMIT_CPU, cpu_s, cpu_s + _CPU_GRACE_S)
    if memory_mb and sys.platform == "linux":  # other systems refuse this limit or ignore it
        _lower(resource.RLIMIT_AS, memory_mb << 20, memory_mb << 20)


def _lower(kind: int, soft: int, hard: int) -> None:
    ceiling = resource.getrlimit(kind)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


def main(arguments: list[str]) -> None:
    """Set the limits and become the program."""
    parent, memory_mb, cpu_s, *command = arguments
    die_with(int(parent))
    limit(int(memory_mb), int(cpu_s))
    os.execv(command[0], command)  # noqa: S606  # the point of this script


if __name__ == "__main__":
    main(sys.argv[1:])

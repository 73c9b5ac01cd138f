"""Becomes another program that cannot outlive the one that started it.

Run as a file, `launch.py PARENT COMMAND…`, never imported: between fork and exec there must be
as little of us as possible. The request to the kernel survives the exec, so even `kill -9` of
the parent leaves nothing behind. Elsewhere than on Linux the parent's own cleaning up has to do.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Bind this process to its parent and replace it by the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")  # it died before the request was made
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()

"""Forks coordinators, any number at a time; only tests start it.

    python -m tests.replicas.nursery

reads orders from its input, one JSON object a line: `{"config": FILE, "log": FILE, "ended": FILE}`. For each it forks
a process that serves as `coordinator serve --config FILE` does, and tells its number. One that comes to its end in
good order leaves its exit code in the file `ended`. Forking saves the second that importing everything costs.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

import coordinator.drivers.dbos
from coordinator.cli import serving
from coordinator.cli.exits import Stop

PARTS = (coordinator.drivers.dbos,)
"""What a replica would import late: here it is done once."""


def fork(order: dict[str, str]) -> int:
    """Start a coordinator and return the number of its process."""
    child = os.fork()
    if child:
        return child
    code = 70
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nothing outlives a test that was killed
    try:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        code = _serve(order)
    finally:
        os._exit(code)


def _serve(order: dict[str, str]) -> int:
    try:
        code = int(serving.serve(Path(order["config"]), {}))
    except Stop as stop:
        sys.stderr.write(f"{stop}\n")
        sys.stderr.flush()
        code = int(stop.code)
    Path(order["ended"]).write_text(str(code), encoding="utf-8")
    return code


def main() -> None:
    """Fork until the input ends."""
    os.environ["OTEL_INSTRUMENTATION_A2A_SDK_ENABLED"] = "false"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody here waits for them
    for line in sys.stdin:
        sys.stdout.write(f"{fork(json.loads(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

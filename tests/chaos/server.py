"""A coordinator that can be made to die at a fault point; only tests start it.

    python -m tests.chaos.server [MODULE …]

reads orders from its input, one JSON object a line: `{"config": FILE, "log": FILE, "fault": "append:Merged/after@1"}`.
For each it forks a process that serves as `coordinator serve --config FILE` does, tells its number, waits for its
end and tells that. Forking saves the second that importing everything costs; the process is as real as any.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from coordinator.app import Wrapping
from coordinator.config import load_settings
from coordinator.journal import Journal
from coordinator.outbound import Patience
from coordinator.server import serve
from tests.chaos.points import Trap, TrappedJournal, fault_from, trapped_client

DOUBT_S = 0.5
"""Between two look-ups; over loopback nothing travels for a second."""


class ShiftedJournal:
    """A journal whose clock is *ahead_s* ahead: so much time has passed between two processes."""

    def __init__(self, inner: Journal, ahead_s: float) -> None:
        self._inner = inner
        self._ahead_s = ahead_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def now(self) -> float:
        """Return the shifted time."""
        return await self._inner.now() + self._ahead_s


def run(order: dict[str, Any]) -> int:
    """Serve until a signal, or death."""
    trap = Trap(fault_from(order["fault"]) if order.get("fault") else None)
    ahead_s = order.get("ahead_s", 0.0)
    wrapping = Wrapping(
        journal=lambda journal: TrappedJournal(ShiftedJournal(journal, ahead_s), trap),  # type: ignore[arg-type]
        http=lambda http: trapped_client(http, trap),
    )
    os.environ["OTEL_INSTRUMENTATION_A2A_SDK_ENABLED"] = "false"
    settings = load_settings(Path(order["config"]))
    patience = Patience(
        request_s=settings.request_timeout, doubt_s=DOUBT_S, progress_s=0.1, push_retry_min_s=0.1, push_retry_max_s=0.2
    )
    return serve(settings, patience, wrapping)


def _fork(order: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    code = 70
    _end_with_parent()
    try:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        code = run(order)
    except Exception:
        traceback.print_exc()  # to the log; nobody else would hear of it
        raise
    finally:
        # Nothing of the parent's is to be cleaned up twice.
        os._exit(code)


def _end_with_parent() -> None:
    """Let nothing outlive a test that was killed; Linux only, elsewhere tests have to end in good order."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def main() -> None:
    """Take orders until the input ends; import the modules that are named before."""
    _end_with_parent()
    for module in sys.argv[1:]:
        importlib.import_module(module)
    for line in sys.stdin:
        child = _fork(json.loads(line))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Where a journal takes its time from.

Deadlines are kept in the storage's time, and for a file on this machine or a dictionary in
this process that is the machine's clock. Everybody else asks `Journal.now()`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]


def system_time() -> float:
    """Return the machine's time in seconds since the epoch."""
    return time.time()  # noqa: TID251 - the one place that reads it; journals take any other Clock instead

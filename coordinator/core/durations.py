"""Durations as people write them: `500ms`, `60s`, `10m`, `2h`, or a number of seconds."""

from __future__ import annotations

import re
from typing import Any

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*")


def seconds(text: Any) -> float:
    """Return the duration in seconds. Raises `ValueError` for anything that is not a positive duration."""
    match = _FORM.fullmatch(str(text)) if isinstance(text, str | int | float) and not isinstance(text, bool) else None
    if match is None or float(match[1]) == float("inf"):
        raise ValueError(f"{text!r} is not a duration; write for example 500ms, 60s, 10m or 2h")
    if not float(match[1]):
        raise ValueError(f"{text!r} is no time at all; write for example 500ms, 60s, 10m or 2h")
    return float(match[1]) * _UNITS[match[2] or "s"]

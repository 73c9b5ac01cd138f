"""What the outside may know about running work: structured logs.

Every line carries `task` and, where there is one, `branch`, so one coordination can be
followed through the log of many. No message content is ever logged.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, Literal, TextIO

from typing_extensions import override

FIELDS = ("action", "task", "branch", "attempt", "agent", "state", "seconds", "error", "detail")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A line for people: time, level, message, then the fields as key=value."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{key}={value}" for key, value in _fields(record).items())
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} {record.getMessage()} {fields}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line.rstrip()


def configure_logging(level: str, form: Literal["text", "json"], stream: TextIO | None = None) -> None:
    """Send the logs of this process to *stream* (stderr by default)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The SDK logs whole cards at INFO and each refused request, alembic its plugins; our own lines say what matters.
    for noisy in ("a2a", "alembic", "httpx", "httpcore", "uvicorn", "sse_starlette", "filelock", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: record.__dict__[name] for name in FIELDS if record.__dict__.get(name) not in {None, ""}}

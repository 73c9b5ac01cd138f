"""Stored journals as files again."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

STORED = sorted(Path(__file__).parent.glob("*.sql"))
"""Journals of every schema version there was; `making.py` made them."""


def load(stored: Path, path: Path) -> dict[str, Any]:
    """Write the database *stored* to *path*, and return the tasks it held when it was made, by id."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(stored.read_text(encoding="utf-8"))
    tasks: dict[str, Any] = json.loads(stored.with_suffix(".json").read_text(encoding="utf-8"))
    return tasks

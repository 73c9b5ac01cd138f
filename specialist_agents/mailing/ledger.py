"""Who was sent what: one SQLite file, written before and after each mail.

Mailers that may stand in for each other on one machine share the file. What began and has no outcome (a crash, a cut
connection) stays in doubt for ever, since a second mail is worse than a question.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

_TABLE = """
CREATE TABLE IF NOT EXISTS mails (
    campaign TEXT NOT NULL, address TEXT NOT NULL,
    outcome TEXT NOT NULL, code INTEGER NOT NULL DEFAULT 0, said TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (campaign, address)
) WITHOUT ROWID
"""
_CLAIM = """
INSERT INTO mails (campaign, address, outcome) VALUES (?, ?, 'unknown')
ON CONFLICT DO UPDATE SET outcome = 'unknown' WHERE outcome = 'deferred'
"""
_READ = "SELECT outcome, code, said FROM mails WHERE campaign = ? AND address = ?"
_SETTLE = "UPDATE mails SET outcome = ?, code = ?, said = ? WHERE campaign = ? AND address = ?"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one mail; `code` and `said` are the mail server's."""

    outcome: str  #: delivered (to the mail server), refused, deferred, unknown
    code: int = 0
    said: str = ""


class Ledger:
    """The mails of all campaigns; every call opens the file, so processes may share it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(_TABLE)

    def claim(self, campaign: str, address: str) -> Outcome | None:
        """Write down that a mail is about to be sent; return what is known already when it must not be sent."""
        with self._open() as database:
            if database.execute(_CLAIM, (campaign, address.lower())).rowcount:
                return None
            return self._read(database, campaign, address)

    def settle(self, campaign: str, address: str, outcome: Outcome) -> None:
        """Write down what became of a mail."""
        with self._open() as database:
            database.execute(_SETTLE, (outcome.outcome, outcome.code, outcome.said, campaign, address.lower()))

    @staticmethod
    def _read(database: sqlite3.Connection, campaign: str, address: str) -> Outcome:
        return Outcome(*database.execute(_READ, (campaign, address.lower())).fetchone())

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=30.0, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = FULL")
            yield database

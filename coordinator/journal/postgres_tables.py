"""The journal's tables in a PostgreSQL database: whose they are, of which version, and how they come to be.

Replicas start at the same time, and older ones may be at work meanwhile: everything happens in one
transaction under a lock, and what older ones could not live with happens only when asked for.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from sqlalchemy import text

from coordinator.errors import ConfigurationError, JournalTooNew
from coordinator.journal.sql_schema import SCHEMA_VERSION, alembic_version, metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)

_LOCK = text("SELECT pg_advisory_xact_lock(107061466398721)")
_TABLES = text("SELECT to_regclass('alembic_version') IS NOT NULL, to_regclass('head') IS NOT NULL")
_VERSION = text("SELECT version_num FROM alembic_version")
_ENCODING = text("SHOW server_encoding")
_SIZE = text(
    "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0) FROM unnest(CAST(:names AS text[])) AS name"
)


def prepare(connection: Connection, name: str, *, upgrade: bool) -> None:
    """Create the tables in an empty database; bring older ones up to date if that is safe, or if told to *upgrade*.

    Raises `ConfigurationError` for the database of another program, or one that has to be upgraded by hand;
    `JournalTooNew` for one of a later version.
    """
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.execute(_LOCK)
    version = checked_version(connection, name)
    if version == 0:
        _create(connection, name)
    elif version < SCHEMA_VERSION:
        _migrate(connection, name, version, upgrade=upgrade)


def checked_version(connection: Connection, name: str) -> int:
    """Return the schema version of the database, 0 for one without our tables.

    Raises `ConfigurationError` for the database of another program, `JournalTooNew` for one of a later version.
    """
    has_version, has_head = connection.execute(_TABLES).one()
    if not has_version and not has_head:
        return 0
    number = connection.execute(_VERSION).scalar_one_or_none() if has_version else None
    if not has_head or number is None or not re.fullmatch(r"\d{4}", number):
        message = f"{name} has the tables of another program; give the coordinator a database of its own"
        raise ConfigurationError(message)
    version = int(number)
    if version > SCHEMA_VERSION:
        message = (
            f"{name} was written by a newer version of this program (schema {version}, this one knows "
            f"{SCHEMA_VERSION}); update this program, or name another database"
        )
        raise JournalTooNew(message)
    return version


def size(connection: Connection) -> int:
    """Return the bytes of the tables and their indexes."""
    return int(connection.execute(_SIZE, {"names": sorted(metadata.tables)}).scalar_one())


def _create(connection: Connection, name: str) -> None:
    encoding = connection.execute(_ENCODING).scalar_one()
    if encoding != "UTF8":
        message = f"{name} is written in {encoding}; create the database with: createdb -E UTF8 -T template0"
        raise ConfigurationError(message)
    metadata.create_all(connection, checkfirst=False)
    connection.execute(alembic_version.insert(), {"version_num": f"{SCHEMA_VERSION:04}"})


def _migrate(connection: Connection, name: str, version: int, *, upgrade: bool) -> None:
    # alembic takes a while to import, and hardly any start needs it.
    from coordinator.journal import migrations  # noqa: PLC0415

    if not upgrade and not migrations.is_rolling(version):
        message = (
            f"{name} is of an older version (schema {version}, not {SCHEMA_VERSION}), and older coordinators cannot "
            "work on with the new one; stop them all, then run: coordinator db upgrade"
        )
        raise ConfigurationError(message)
    migrations.upgrade(connection)
    log.info("the database was brought up to date", extra={"detail": f"schema {version} to {SCHEMA_VERSION}"})

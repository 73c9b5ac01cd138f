"""Hears what other processes changed: one connection that listens, in a thread of its own.

What it hears are hints. Nothing depends on one: whoever waits looks for itself every few seconds. A
connection that was cut is made again, and then everybody is hinted once, since nobody knows what was missed.
"""

from __future__ import annotations

import logging
import secrets
import socket
from contextlib import closing, suppress
from selectors import EVENT_READ, DefaultSelector
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

CHANNEL = "a2a_coordinator"

FIRST_PAUSE_S = 0.1
MOST_PAUSE_S = 2.0


class Listener:
    """Listens as soon as it is made, with *parameters* as libpq has them. Raises `psycopg.Error` when it cannot."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.origin = secrets.token_hex(8)  #: begins every notification of this process, which need not hear it
        self._parameters = parameters
        self._first = self._connected()
        self._stopping, self._stop = socket.socketpair()
        self._closing = Lock()
        self._thread: Thread | None = None

    def start(self, on_change: Callable[[str | None], None]) -> None:
        """Call *on_change*, in a thread, with each coordination somebody else changed; None: any may have."""
        # A daemon, so that a program that forgets to close ends all the same.
        self._thread = Thread(target=self._run, args=(on_change,), name="journal-listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hear nothing more; a second time does nothing."""
        with self._closing:
            self._stop.close()
            if self._thread:
                self._thread.join()
            self._first.close()
            self._stopping.close()

    def _connected(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(**self._parameters, autocommit=True)
        connection.execute(f"LISTEN {CHANNEL}")
        return connection

    def _run(self, on_change: Callable[[str | None], None]) -> None:
        try:
            self._hear(self._first, on_change)
        except psycopg.Error as error:
            self._miss(error)
        pause_s = FIRST_PAUSE_S
        while not self._is_stopped(pause_s):
            try:
                with closing(self._connected()) as connection:
                    pause_s = FIRST_PAUSE_S
                    on_change(None)
                    self._hear(connection, on_change)
            except psycopg.Error as error:
                self._miss(error)
                pause_s = min(MOST_PAUSE_S, pause_s * 2)

    @staticmethod
    def _miss(error: psycopg.Error) -> None:
        # Whoever reads or writes finds out as well, and tells what to do.
        log.debug("hears nothing of other replicas", extra={"error": str(error)})

    def _hear(self, connection: psycopg.Connection[Any], on_change: Callable[[str | None], None]) -> None:
        """Listen until this is stopped. Raises `psycopg.Error` when the connection is cut."""
        with DefaultSelector() as selector:
            selector.register(self._stopping, EVENT_READ)
            selector.register(connection.fileno(), EVENT_READ)
            while self._stopping not in [key.fileobj for key, _ in selector.select()]:
                for heard in connection.notifies(timeout=0):
                    origin, _, task_id = heard.payload.partition(" ")
                    if origin != self.origin:
                        on_change(task_id)

    def _is_stopped(self, timeout_s: float) -> bool:
        self._stopping.settimeout(timeout_s)
        with suppress(TimeoutError):
            return not self._stopping.recv(1)
        return False

"""One client's connection, as far as a misbehaving agent needs it: to see it go, and to break it."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

from coordinator.testing.pulse import Pulse, next_beat

ABORTIVE = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing then sends a reset instead of a proper end."""


class Connection:
    """A connection; `lost` beats when the client has gone or we broke it."""

    __slots__ = ("_transport", "is_lost", "lost")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.lost = Pulse()
        self.is_lost = False

    def drop(self) -> None:
        """Close it in the middle of an answer; what was sent before arrives."""
        self._transport.close()

    def reset(self) -> None:
        """Break it as a crashed machine would: what was sent before may be lost, too."""
        connected = self._transport.get_extra_info("socket")
        with suppress(OSError):  # it may be closed already
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTIVE)
        self._transport.abort()

    def lose(self) -> None:
        """Wake everybody who serves a request on it."""
        self.is_lost = True
        self.lost.beat()

    async def gone(self) -> None:
        """Wait until the client has gone."""
        while not self.is_lost:
            await next_beat(self.lost)

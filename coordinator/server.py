"""The process around the application: its socket, its signals, its end.

The first signal ends it in good order within the grace period: new work is refused, streams end, turns
write what they know. The second one ends it at once, which the journal survives as it survives a crash.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from typing_extensions import override

from coordinator.app import NOTHING_BESIDE, PLAIN, Beside, Wrapping, assembled
from coordinator.config import Settings
from coordinator.errors import ConfigurationError
from coordinator.extras import check_extras
from coordinator.inbound import Stopping
from coordinator.outbound import Patience
from coordinator.telemetry import configure_logging

KEEP_ALIVE_S = 75  # longer than clients keep idle connections, so none is closed under a request
SIGNALS = (signal.SIGINT, signal.SIGTERM)

log = logging.getLogger(__name__)


def serve(settings: Settings, patience: Patience | None = None, wrapping: Wrapping = PLAIN) -> int:
    """Run the server until a signal; return the exit code. A second signal ends the process with 128 and its number.

    Raises `ConfigurationError` or `JournalLocked` when it cannot start.
    """
    configure_logging(settings.log_level, settings.log_format)
    with uvloop_runner() as runner:
        return runner.run(_serve(settings, patience, wrapping))


def uvloop_runner() -> asyncio.Runner:
    """Return a runner on uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415  # not on every platform
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def _serve(settings: Settings, patience: Patience | None, wrapping: Wrapping) -> int:
    stopping = Stopping()
    with _listen(settings) as listener:
        if settings.port == 0:
            settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        async with (
            _beside(settings, stopping) as (settings, beside),
            assembled(settings, patience, stopping=stopping, wrapping=wrapping, beside=beside) as application,
        ):
            server = _Server(_configured(application), stopping)
            log.info("listening", extra={"detail": settings.url})
            if settings.grpc_target:
                log.info("listening for gRPC", extra={"detail": settings.grpc_target})
            async with asyncio.TaskGroup() as group:
                ending = group.create_task(_ended(server, stopping, settings.grace))
                await server.serve(sockets=[listener])
                ending.cancel()
    return 0


@asynccontextmanager
async def _beside(settings: Settings, stopping: Stopping) -> AsyncIterator[tuple[Settings, Beside]]:
    """Take the gRPC port, if there is to be one, and yield the settings with its number."""
    if settings.grpc_port is None:
        yield settings, NOTHING_BESIDE
        return
    check_extras(settings)
    from coordinator.inbound.grpc_port import grpc_port  # noqa: PLC0415  # needs an extra

    async with grpc_port(settings, stopping) as opened:
        yield settings.model_copy(update={"grpc_port": opened.port}), opened.serving


def _configured(application: object) -> uvicorn.Config:
    return uvicorn.Config(
        application,  # type: ignore[arg-type]  # any ASGI application
        http="httptools",
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_S,
    )


async def _ended(server: _Server, stopping: Stopping, grace_s: float) -> None:
    """Once a stop is asked for, let everything come to its end while requests are still answered, then stop serving."""
    await stopping.asked.wait()
    loop = asyncio.get_running_loop()
    until = loop.time() + grace_s
    log.info("stopping", extra={"detail": f"within {grace_s:g} s; once more ends it at once"})
    try:
        async with asyncio.timeout_at(until):
            await stopping.quiet.wait()
    except TimeoutError:
        log.warning("not everything came to its end within the grace period")
    # uvicorn takes whole seconds; what is left of the grace period is for answers that are on their way.
    server.config.timeout_graceful_shutdown = max(1, round(until - loop.time()))
    server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn, but a signal only asks for the end: what is open is closed by its owners."""

    def __init__(self, config: uvicorn.Config, stopping: Stopping) -> None:
        super().__init__(config)
        self._stopping = stopping

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM; uvicorn itself would raise the signal again and kill the process."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._signaled, number)
        # Not given back before the process ends: a signal during the last steps is the second one.
        yield

    def _signaled(self, number: int) -> None:
        if self._stopping.asked.is_set():
            os._exit(128 + number)
        self._stopping.ask()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named, since asyncio switches Nagle's delay off only for sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; choose another one with --port"
        ) from error
    return listener

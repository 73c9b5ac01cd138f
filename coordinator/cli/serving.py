"""What `serve`, `check` and `init` do, once their options are read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.text import Text

from coordinator.cli.exits import ExitCode, Stop
from coordinator.cli.terminal import complain, note, plural, printable, say
from coordinator.config import load_settings
from coordinator.errors import CoordinatorError

STARTER = Path(__file__).with_name("starter.yaml")


def serve(config: Path | None, options: Mapping[str, Any]) -> int:
    """Run the coordinator until a signal ends it."""
    try:
        settings = load_settings(config, _given(options))
        # The SDK wraps every call in a span even when nobody collects them; who does sets this to true.
        os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")
        # gRPC's own lines would stand between ours; what matters is told by the errors of calls.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        # The server and its database cost a second to import, which no other command should pay.
        from coordinator import server  # noqa: PLC0415

        return server.serve(settings)
    except CoordinatorError as error:
        raise Stop(str(error)) from error


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return only what the user gave: an option left out must not override the file."""
    return {name: value for name, value in options.items() if not (value is None or value is False or value == [])}


def check(config: Path | None) -> ExitCode:
    """Validate configuration, plans and cards without starting anything."""
    try:
        settings = load_settings(config, {})
        # See `serve`.
        from coordinator import app  # noqa: PLC0415

        problems = app.check(settings)
    except CoordinatorError as error:
        problems = [str(error)]
    for problem in problems:
        complain(problem)
    if problems:
        note(Text(plural(len(problems), "problem")))
        return ExitCode.USAGE
    say(Text(f"{config or 'the default configuration'}: no problems"))
    return ExitCode.OK


def init(file: Path, *, force: bool) -> ExitCode:
    """Write a configuration to start from."""
    try:
        with file.open("w" if force else "x", encoding="utf-8") as written:
            written.write(STARTER.read_text(encoding="utf-8"))
    except FileExistsError:
        raise Stop(f"{file} exists; --force overwrites it") from None
    except OSError as error:
        raise Stop(f"{file} cannot be written: {error.strerror}") from error
    say(Text(f"{printable(file)} written; start with: coordinator serve --config {printable(file)}"))
    return ExitCode.OK

"""What needs a package that is not installed with the rest, and how to say so."""

from __future__ import annotations

import importlib.util

from coordinator.config import Settings
from coordinator.errors import ConfigurationError

GRPC_EXTRA = "pip install 'a2a-coordinator[grpc]'"


def speaks_grpc() -> bool:
    """Whether the extra for gRPC is installed."""
    return importlib.util.find_spec("grpc") is not None


def check_extras(settings: Settings) -> None:
    """Raise `ConfigurationError` when the settings want something served that is not installed."""
    if settings.grpc_port is not None and not speaks_grpc():
        raise ConfigurationError(f"grpc_port: serving gRPC needs an extra: {GRPC_EXTRA}")

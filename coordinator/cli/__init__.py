"""The command line. Itself an ordinary A2A client of the coordinator: it has no way around the protocol."""

from coordinator.cli.program import run_program as main

__all__ = ["main"]

"""Lets `python -m coordinator.cli` do what the installed command does."""

from coordinator.cli import main

main()

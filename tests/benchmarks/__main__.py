"""The benchmarks: `python -m tests.benchmarks [names] [--quick] [--json]`.

Each is a file with a `run`, and a row below.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from coordinator.server import uvloop_runner
from tests.benchmarks import (
    fanout,
    idle,
    journal,
    merge,
    open_branches,
    quality,
    replicas,
    restart,
    stragglers,
    triage,
    wide,
)
from tests.benchmarks.report import Figure, as_json, as_table

BENCHMARKS = {
    "fanout": fanout.run,
    "journal": journal.run,
    "merge": merge.run,
    "idle": idle.run,
    "quality": quality.run,
    "stragglers": stragglers.run,
    "triage": triage.run,
    "wide": wide.run,
    "open": open_branches.run,
    "restart": restart.run,
    "replicas": replicas.run,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run some benchmarks, or all, and print their figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure this project.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; else all")
    parser.add_argument("--quick", action="store_true", help="few rounds, for a first look")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    # The loop the coordinator runs on: the bare client should have the same.
    with uvloop_runner() as runner:
        figures = runner.run(_measured(options.names or list(BENCHMARKS), quick=options.quick))
    sys.stdout.write((as_json(figures) if options.json else as_table(figures)) + "\n")
    return 0


async def _measured(names: Sequence[str], *, quick: bool) -> list[Figure]:
    figures: list[Figure] = []
    for name in names:
        sys.stderr.write(f"{name} …\n")
        figures += await BENCHMARKS[name](quick=quick)
    return figures


if __name__ == "__main__":
    sys.exit(main())

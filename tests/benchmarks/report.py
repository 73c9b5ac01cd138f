"""What a benchmark returns, and how it is printed. No figure is ever asserted on: machines differ."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """One number, with what it should be where the project has said so."""

    benchmark: str
    what: str
    value: float
    unit: str
    target: str = ""
    samples: int = 1
    low: float | None = None
    high: float | None = None


def median_of(benchmark: str, what: str, samples: Sequence[float], unit: str, target: str = "") -> Figure:
    """Return the median of *samples*, with their extremes."""
    return Figure(benchmark, what, statistics.median(samples), unit, target, len(samples), min(samples), max(samples))


def machine() -> dict[str, object]:
    """Say where the figures come from."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 2),
    }


def as_table(figures: Iterable[Figure]) -> str:
    """Return the figures for people."""
    rows = [("benchmark", "what", "median", "from .. to", "n", "target")]
    rows += [
        (it.benchmark, it.what, f"{it.value:.3g} {it.unit}".strip(), _range(it), str(it.samples), it.target)
        for it in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    where = ", ".join(f"{key} {value}" for key, value in machine().items())
    return "\n".join([*lines, "", where])


def as_json(figures: Iterable[Figure]) -> str:
    """Return the figures for programs."""
    return json.dumps({"machine": machine(), "figures": [asdict(figure) for figure in figures]})


def _range(figure: Figure) -> str:
    return "" if figure.low is None else f"{figure.low:.3g} .. {figure.high:.3g}"

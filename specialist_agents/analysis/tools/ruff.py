"""Run ruff, and say in shared words what it found.

`--isolated` keeps it from reading any configuration, also one planted in the reviewed tree. The
default excludes are switched off: a file that was sent is a file to review.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ruff.__main__ import find_ruff_bin  # type: ignore[import-untyped]  # ships no types

from specialist_agents.analysis import limits
from specialist_agents.analysis.model import Bench, Remark, Span, Tool, ToolFailure
from specialist_agents.analysis.security_rules import SECURITY_RULES
from specialist_agents.analysis.sources import Source
from specialist_agents.analysis.vocabulary import own_kind, quoted_name

_T = TypeVar("_T")

SELECT = (
    "A", "ARG", "ASYNC", "B", "BLE", "C4", "C90", "E4", "E7", "E9", "F", "PERF", "PIE", "PLE", "PLW",
    "S", "SIM", "UP", "W6",
)  # fmt: skip

#: Room for code as deeply nested as Python allows, and few enough threads for the memory limit.
THREADS = {"RUST_MIN_STACK": str(32 << 20), "RAYON_NUM_THREADS": str(min(4, os.cpu_count() or 1))}

#: Rule: shared kind. A key without digits at its end stands for its whole family.
KINDS: dict[str, str] = {
    "invalid-syntax": "syntax-error",
    "A": "shadowed-builtin",
    "ARG": "unused-argument",
    "B006": "mutable-default",
    "B007": "unused-variable",
    "B039": "mutable-default",
    "BLE001": "blind-except",
    "C901": "complex-function",
    "E722": "bare-except",
    "E741": "ambiguous-name",
    "E742": "ambiguous-name",
    "E743": "ambiguous-name",
    "E902": "not-reviewed",
    "F401": "unused-import",
    "F70": "syntax-error",
    **dict.fromkeys(("F50", "F52"), "format-mismatch"),
    "F811": "redefined-name",
    "F821": "undefined-name",
    "F822": "undefined-export",
    "F823": "used-before-definition",
    "F841": "unused-variable",
    "F842": "unused-variable",
    "PLE1142": "await-outside-async",
    "PLE1205": "format-mismatch",
    "PLE1206": "format-mismatch",
    "PLE13": "format-mismatch",
    "PLE2502": "bidirectional-text",
}

#: Longest matching prefix of a rule: its severity.
SEVERITIES: dict[str, str] = {
    "": "low",
    "ASYNC": "medium",
    "B": "medium",
    "B007": "low",
    "B9": "low",
    "BLE": "medium",
    "E722": "medium",
    "F": "medium",
    "F401": "low",
    "F541": "info",
    "F82": "high",
    "F84": "low",
    "F7": "high",
    "C4": "info",
    "PIE": "info",
    "PLE": "high",
    "SIM": "info",
    "UP": "info",
    "invalid-syntax": "high",
}

#: Longest matching prefix of a rule: how sure we are that it is right, in percent.
CONFIDENCES: dict[str, int] = {
    "": 70,
    "A": 75,
    "ARG": 80,
    "B": 85,
    "BLE": 80,
    "C90": 80,
    "E7": 90,
    "E9": 100,
    "F": 95,
    "PERF": 70,
    "PLE": 90,
    "PLW": 80,
    "S": 85,
    "S101": 80,
    "S105": 70,
    "S106": 70,
    "S107": 70,
    "S311": 60,
    "S603": 40,
    "S607": 60,
    "S608": 80,
    "SIM": 70,
    "UP": 75,
    "invalid-syntax": 100,
}


def review(sources: Sequence[Source], bench: Bench) -> Iterator[Remark]:
    """Run ruff over the sources and yield its remarks."""
    report, listing = bench.scratch / "ruff.json", bench.scratch / "ruff-files.txt"
    listing.write_text("".join(f"{source.path}\n" for source in sources), encoding="utf-8")
    _run([*arguments(), "--output-file", str(report), f"@{listing}"], bench.scratch)
    by_path = {str(source.path): source for source in sources}
    for entry in json.loads(report.read_bytes()):
        yield remark(by_path[entry["filename"]], entry)


def arguments() -> list[str]:
    """Return the options that make ruff read the sources and nothing else."""
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    return [
        "check",
        "--isolated",
        "--no-cache",
        "--no-respect-gitignore",
        "--exit-zero",
        "--quiet",
        "--output-format=json",
        f"--target-version={version}",
        f"--select={','.join(SELECT)}",
    ]


def remark(source: Source, entry: dict[str, Any]) -> Remark:
    """Translate one entry of ruff's report."""
    rule, message = entry["code"] or "invalid-syntax", entry["message"]
    start, end = entry["location"], entry["end_location"]
    return Remark(
        source=source,
        rule=rule,
        kind=kind_of(rule),
        message=message,
        span=Span.of(start["row"], start["column"], end["row"], end["column"]),
        severity=severity_of(rule),
        confidence=_by_longest_prefix(CONFIDENCES, rule),
        name=quoted_name(message),
    )


def kind_of(rule: str) -> str:
    """Return the kind of a ruff rule, shared where there is a shared word."""
    security = _security_rule(rule)
    if security:
        return security[0]
    family = rule.rstrip("0123456789")
    candidates = (rule, *(rule[:length] for length in range(len(rule) - 1, len(family), -1)), family)
    return next((KINDS[name] for name in candidates if name in KINDS), own_kind("ruff", rule))


def severity_of(rule: str) -> str:
    """Return the severity of a ruff rule."""
    security = _security_rule(rule)
    return security[1] if security else _by_longest_prefix(SEVERITIES, rule)


def _security_rule(rule: str) -> tuple[str, str] | None:
    match = re.fullmatch(r"S(\d{3})", rule)
    return SECURITY_RULES.get(int(match.group(1))) if match else None


def _by_longest_prefix(table: dict[str, _T], rule: str) -> _T:
    return table[max((prefix for prefix in table if rule.startswith(prefix)), key=len)]


def _run(options: list[str], folder: Path) -> None:
    """Run the program below our own limits; it dies when we die."""
    command = limits.guarded([find_ruff_bin(), *options])
    ended = subprocess.run(
        command, cwd=folder, env=os.environ | THREADS, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if ended.returncode != 0:
        reason = ended.stderr.decode("utf-8", "replace").strip()[-500:]
        raise ToolFailure(f"ruff ended with {limits.describe_exit(ended.returncode)}: {reason}")


TOOL = Tool(name="ruff", review=review, needs_utf8=True)

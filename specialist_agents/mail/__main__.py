"""One batch of mails, or of files out of them: read the job, let the agent's program read each, write what it says.

The job names the agent and the files; documents are written whole and hold as many entries as the program says.
Progress goes to standard output, one line each, and nothing else does.
"""

import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from specialist_agents.trades import MAIL

FAILED = 3


def entries(job: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what the agent's program says about the job's mails, in their order."""
    program = importlib.import_module(MAIL[job["agent"]].program.module)
    for number, name in enumerate(job["names"]):
        sys.stdout.write(f"read {number} of {len(job['names'])} mails\n")
        sys.stdout.flush()
        yield from program.items_of(name, (folder / "src" / name).read_bytes(), job["media_types"].get(name, ""))


def documents(program: Any, found: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the entries as whole documents; none at all is one document with an empty list."""
    for start in range(0, max(len(found), 1), program.ENTRIES_PER_DOCUMENT):
        yield {"schema": program.SCHEMA, "items": found[start : start + program.ENTRIES_PER_DOCUMENT]}


def main(job_path: Path) -> int:
    """Do the job; return the exit status."""
    folder = job_path.parent
    job = json.loads(job_path.read_bytes())
    found = list(entries(job, folder))
    if len(found) > job["max_findings"]:
        told = f"{len(found)} entries; the limit is {job['max_findings']}: send fewer mails"
        (folder / "failure.txt").write_text(told, encoding="utf-8")
        return FAILED
    program = importlib.import_module(MAIL[job["agent"]].program.module)
    for number, document in enumerate(documents(program, found)):
        (folder / f"findings-{number:05}.json").write_text(json.dumps(document), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

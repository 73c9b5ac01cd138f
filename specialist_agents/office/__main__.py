"""One piece of office work: read the job, let the agent's program look at the files, write what it says.

Documents are written whole and hold at most 200 entries. Nothing heavy is imported: a child starts for every message.
"""

import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from specialist_agents.mail.bounds import Overtime, within
from specialist_agents.office.texts import File, Unusable

ENTRIES_PER_DOCUMENT = 200
FAILED = 3
FILE_CPU_S = 5.0


def documents(schema: str, found: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the entries as whole documents; none at all is one document with an empty list."""
    for start in range(0, max(len(found), 1), ENTRIES_PER_DOCUMENT):
        yield {"schema": schema, "items": found[start : start + ENTRIES_PER_DOCUMENT]}


def main(job_path: Path) -> int:
    """Do the job; return the exit status."""
    folder = job_path.parent
    job = json.loads(job_path.read_bytes())
    program = importlib.import_module(f"specialist_agents.office.{job['agent']}")
    files = [File(name, (folder / "src" / name).read_bytes()) for name in job["names"]]
    try:
        with within(FILE_CPU_S * max(1, len(files))):
            found = list(program.items_of(files))
    except (Unusable, Overtime) as error:
        return _failed(folder, str(error) or "the files take too long to work on")
    if len(found) > job["max_findings"]:
        return _failed(folder, f"{len(found)} entries; the limit is {job['max_findings']}: send less")
    for number, document in enumerate(documents(program.SCHEMA, found)):
        (folder / f"findings-{number:05}.json").write_text(json.dumps(document), encoding="utf-8")
    return 0


def _failed(folder: Path, told: str) -> int:
    (folder / "failure.txt").write_text(told, encoding="utf-8")
    return FAILED


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

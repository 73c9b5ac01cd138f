"""One analysis: read the job, run its tool, write the findings.

The job names the agent, the folder of the sources and their names. Findings are written as whole
documents of at most a thousand; what goes wrong, and what has to be asked first, is written too and
told by the exit status.
Progress goes to standard output, one line each, and nothing else does.
"""

import importlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from specialist_agents.analysis.findings import findings_of, problem_remarks
from specialist_agents.analysis.model import Bench, Finding, Remark, Span, Tool, ToolFailure, Undecided
from specialist_agents.analysis.sources import Source, read_sources
from specialist_agents.reviewers import REVIEWERS

FINDINGS_PER_DOCUMENT = 1_000
FAILED = 3
ASKING = 4
#: Enough for every visitor to walk what the parser accepts at Python's default limit.
_RECURSION_LIMIT = 20_000


def review(job: dict[str, Any], folder: Path, progress: Callable[[str], None]) -> list[Finding]:
    """Run the job's tool over the job's sources and return its findings."""
    reviewer = REVIEWERS[job["agent"]]
    tool: Tool = importlib.import_module(reviewer.module).TOOL
    version = reviewer.version()
    many = "1 file" if len(job["names"]) == 1 else f"{len(job['names'])} files"
    progress(f"checking {many} with {tool.name} {version}")
    sources = list(read_sources(folder / "src", sorted(job["names"]), progress, texts=tool.reads_texts))
    readable = [source for source in sources if _is_for(tool, source)]
    bench = Bench(root=folder / "src", scratch=folder, progress=progress, decided=job.get("decided", {}))
    sys.setrecursionlimit(_RECURSION_LIMIT)
    remarks = list(tool.review(readable, bench)) if readable else []
    remarks.extend(problem_remarks(sources))
    remarks.extend(_undecodable(tool, sources))
    return findings_of(remarks, tool.name, version, str(folder))


def documents(findings: Sequence[Finding]) -> Iterator[dict[str, Any]]:
    """Yield the findings as whole documents; none at all is one document with an empty list."""
    for start in range(0, max(len(findings), 1), FINDINGS_PER_DOCUMENT):
        yield {"schema": "findings/v1", "findings": findings[start : start + FINDINGS_PER_DOCUMENT]}


def main(job_path: Path) -> int:
    """Do the job; return the exit status."""
    tell = _progress_writer()
    warnings.simplefilter("ignore")  # about reviewed code, not about us
    folder = job_path.parent
    job = json.loads(job_path.read_bytes())
    try:
        findings = review(job, folder, tell)
    except Undecided as asked:
        (folder / "question.json").write_text(json.dumps(asked.question), encoding="utf-8")
        return ASKING
    except ToolFailure as error:
        return _failed(folder, str(error))
    except (MemoryError, RecursionError) as error:
        needed = "memory" if isinstance(error, MemoryError) else "depth"
        return _failed(folder, f"the analysis needed more {needed} than it may use")
    if len(findings) > job["max_findings"]:
        return _failed(folder, f"{len(findings)} findings; the limit is {job['max_findings']}: send fewer files")
    for number, document in enumerate(documents(findings)):
        (folder / f"findings-{number:05}.json").write_text(json.dumps(document), encoding="utf-8")
    return 0


def _is_for(tool: Tool, source: Source) -> bool:
    reads = tool.reads_stubs or not source.is_stub
    return source.problem is None and reads and (source.is_utf8 or not tool.needs_utf8)


def _undecodable(tool: Tool, sources: Sequence[Source]) -> Iterator[Remark]:
    for source in sources:
        if source.problem is None and tool.needs_utf8 and not source.is_utf8:
            message = f"{tool.name} reads UTF-8 only"
            yield Remark(source, "not-reviewed", "not-reviewed", message, Span.of(1), "info", 100)


def _progress_writer() -> Callable[[str], None]:
    """Take standard output for ourselves, so that what a tool prints goes to standard error."""
    output = os.dup(1)
    os.dup2(2, 1)

    def tell(text: str) -> None:
        os.write(output, f"{text}\n".encode())

    return tell


def _failed(folder: Path, message: str) -> int:
    (folder / "failure.txt").write_text(message.replace(str(folder), "."), encoding="utf-8")
    return FAILED


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

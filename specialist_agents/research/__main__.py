"""One search: read the job, rank what the agent's kind of source says about the question, write it as a document.

Progress goes to standard output, one line each, and nothing else does.
"""

import importlib
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from specialist_agents.research.passages import File, excerpt_of
from specialist_agents.research.ranking import Hit, ranked
from specialist_agents.research.words import asked_terms, names_in
from specialist_agents.trades import RESEARCH

SCHEMA = "passages/v1"
MOST_PASSAGES = 20
FAILED = 3


def files_of(job: dict[str, Any], folder: Path) -> Iterator[File]:
    """Yield the job's files that hold text, by name."""
    for name in sorted(job["names"]):
        content = (folder / "src" / name).read_bytes()
        if b"\0" not in content[:8_000]:
            yield File(name, content.decode("utf-8", "replace"))


def item_of(hit: Hit) -> dict[str, Any]:
    """Return a hit as an entry of the document."""
    passage = hit.passage
    place: dict[str, Any]
    if passage.path:
        place = {"path": passage.path, "line": passage.line, "endLine": max(passage.line, passage.end_line)}
    else:
        place = {"commit": passage.commit, "date": passage.date}
    return {
        "citation": passage.citation,
        "kind": passage.kind,
        **place,
        "title": _clean(passage.title),
        "excerpt": _clean(excerpt_of(passage.text, hit.terms)),
        "terms": list(hit.terms),
        "confidence": hit.score,
    }


def _clean(text: str) -> str:
    """Return *text* as characters that can be encoded and printed."""
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text).strip() or "(nothing)"


def main(job_path: Path) -> int:
    """Do the job; return the exit status."""
    warnings.simplefilter("ignore")  # about what is searched, not about us
    folder = job_path.parent
    job = json.loads(job_path.read_bytes())
    question = job["decided"]["question"]
    asked = asked_terms(question)
    if not asked:
        (folder / "failure.txt").write_text("the question holds no word to search for", encoding="utf-8")
        return FAILED
    sys.stdout.write(f"searching {len(job['names'])} files for {', '.join(asked)[:100]}\n")
    sys.stdout.flush()
    program = importlib.import_module(RESEARCH[job["agent"]].program.module)
    hits = ranked(program.passages_of(files_of(job, folder), names_in(question)), asked, MOST_PASSAGES)
    document = {"schema": SCHEMA, "items": [item_of(hit) for hit in hits]}
    (folder / "findings-00000.json").write_text(json.dumps(document), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

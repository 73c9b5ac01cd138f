"""Run bandit, and say in shared words what it found.

Through its own classes, with an empty configuration object: no `.bandit`, no pyproject.toml, no
default excludes. A few files at a time, so that we can tell how far it is; not one, since every run
adds up all that was counted before.
"""

import logging
from collections.abc import Iterator, Sequence

from bandit.core.config import BanditConfig
from bandit.core.issue import Issue
from bandit.core.manager import BanditManager

from specialist_agents.analysis.model import Bench, Remark, Span, Tool
from specialist_agents.analysis.security_rules import SECURITY_RULES
from specialist_agents.analysis.sources import Source
from specialist_agents.analysis.vocabulary import own_kind

FILES_PER_RUN = 20

#: Bandit's word: ours.
SEVERITIES = {"UNDEFINED": "info", "LOW": "low", "MEDIUM": "medium", "HIGH": "high"}
CONFIDENCES = {"UNDEFINED": 30, "LOW": 30, "MEDIUM": 60, "HIGH": 90}


def review(sources: Sequence[Source], bench: Bench) -> Iterator[Remark]:
    """Run bandit over the sources and yield its remarks."""
    logging.getLogger("bandit").setLevel(logging.CRITICAL)
    manager = BanditManager(BanditConfig(), "file")
    by_path = {str(source.path): source for source in sources}
    paths = list(by_path)
    for start in range(0, len(paths), FILES_PER_RUN):
        bench.progress(f"{start} of {len(paths)} files")
        manager.files_list = paths[start : start + FILES_PER_RUN]
        manager.run_tests()
    for path, reason in manager.get_skipped():
        yield _skipped(by_path[path], reason)
    for issue in manager.results:
        yield remark(by_path[issue.fname], issue)


def remark(source: Source, issue: Issue) -> Remark:
    """Translate one of bandit's issues."""
    lines = issue.linerange or [issue.lineno]
    # The column belongs to the node's first line; bandit may name another line of the node.
    column = issue.col_offset + 1 if issue.lineno == lines[0] else 1
    return Remark(
        source=source,
        rule=issue.test_id,
        kind=kind_of(issue.test_id),
        message=issue.text,
        span=Span.of(issue.lineno, column, lines[-1], issue.end_col_offset + 1),
        severity=SEVERITIES[issue.severity],
        confidence=CONFIDENCES[issue.confidence],
    )


def kind_of(rule: str) -> str:
    """Return the kind of a bandit check, shared where there is a shared word."""
    number = rule.removeprefix("B")
    known = SECURITY_RULES.get(int(number)) if number.isdigit() else None
    return known[0] if known else own_kind("bandit", rule)


def _skipped(source: Source, reason: str) -> Remark:
    return Remark(
        source=source,
        rule="not-reviewed",
        kind="not-reviewed",
        message=reason,
        span=Span.of(1),
        severity="info",
        confidence=100,
    )


TOOL = Tool(name="bandit", review=review)

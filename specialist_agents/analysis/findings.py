"""From a tool's remarks to findings: statement, symbol, order.

The same remarks give the same findings in the same order, whatever the order of the files, the
time, or the folder they lay in. Two tools' remarks about one thing get one identity: path, kind,
statement and symbol.
"""

from collections.abc import Iterable, Iterator

from specialist_agents.analysis.model import Finding, Remark, Span
from specialist_agents.analysis.sources import Source
from specialist_agents.analysis.vocabulary import NAMED_KINDS

MAX_MESSAGE_CHARACTERS = 2_000

_DEFINITIONS = frozenset({"complex-function", "unused-class", "unused-function", "unused-method", "unused-property"})


def findings_of(remarks: Iterable[Remark], tool: str, version: str, folder: str) -> list[Finding]:
    """Return the remarks as findings, sorted, without repetitions and without the *folder*'s name."""
    unique = {_key(remark): remark for remark in remarks}
    return [_finding(unique[key], {"name": tool, "version": version}, folder) for key in sorted(unique)]


def problem_remarks(sources: Iterable[Source]) -> Iterator[Remark]:
    """Yield one remark for every file that cannot be parsed, the same for every tool."""
    for source in sources:
        if problem := source.problem:
            yield Remark(
                source=source,
                rule=problem.kind,
                kind=problem.kind,
                message=problem.message,
                span=Span.of(problem.line, problem.column),
                severity="high" if problem.kind == "syntax-error" else "info",
                confidence=100,
            )


def symbol_of(remark: Remark) -> str | None:
    """Return the name a remark is about, as the code binds it, whatever the tool calls it."""
    index, span = remark.source.index, remark.span
    if remark.kind not in NAMED_KINDS:
        return None
    if index is None:  # no Python: the tool's word is all there is
        return remark.name
    found: str | None = None
    if remark.kind == "unused-import":
        found = index.bound_at(span.start_line, span.start_column, remark.name or "")
    elif remark.kind == "mutable-default":
        found = index.argument_of_default(span.start_line, span.start_column)
    elif remark.kind in _DEFINITIONS:
        found = index.defined_at(index.first_line(span.start_line))
    return found or remark.name


def _key(remark: Remark) -> tuple[str, Span, str, str]:
    return remark.source.name, remark.span, remark.rule, remark.message


def _finding(remark: Remark, tool: dict[str, str], folder: str) -> Finding:
    span, symbol = remark.span, symbol_of(remark)
    finding: Finding = {
        "rule": remark.rule,
        "kind": remark.kind,
        "message": _clean(remark.message, folder) or remark.rule,
        "path": remark.source.name,
        "range": {
            "startLine": span.start_line,
            "startColumn": span.start_column,
            "endLine": span.end_line,
            "endColumn": span.end_column,
        },
        "statement": remark.source.statement(span.start_line),
        "severity": remark.severity,
        "confidence": remark.confidence,
        "tool": tool,
    }
    return finding | ({"symbol": _clean(symbol, folder)} if symbol else {})


def _clean(text: str, folder: str) -> str:
    """Drop our folder's name, what cannot be encoded (a lone surrogate of a literal), and excess."""
    printable = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return printable.replace(f"{folder}/", "").replace(folder, ".")[:MAX_MESSAGE_CHARACTERS]

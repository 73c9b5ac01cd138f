"""Say which public functions no test has run, by a coverage report that travels with the code.

Nothing is run here. Read are coverage.xml (the form of Cobertura), coverage.json, and .coverage, the data file of
coverage.py, which names only lines that ran. Without a report that is what is said, and nothing else.
"""

import ast
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from xml.parsers import expat

from specialist_agents.analysis.model import Bench, Remark, Span, Tool
from specialist_agents.analysis.sources import Source

#: Each rule with its severity and confidence.
RULES: dict[str, tuple[str, int]] = {
    "no-coverage-report": ("info", 100),
    "not-measured": ("info", 70),
    "unreadable-coverage-report": ("medium", 100),
    "untested-function": ("low", 85),
}
NAMES = ("coverage.xml", "coverage.json", ".coverage")


class NoReport(Exception):
    """A file is named like a report and is none; the message says why."""


@dataclass(slots=True)
class Lines:
    """What a report says about one file; `missed` is None where a report does not tell."""

    executed: set[int] = field(default_factory=set)
    missed: set[int] | None = field(default_factory=set)


Report = Mapping[str, Lines]


def review(sources: Sequence[Source], bench: Bench) -> Iterator[Remark]:
    """Yield the public functions without a single line that ran."""
    reports = [source for source in sources if _is_report(source)]
    if not reports:
        message = (
            f"no coverage report travels with these files, so nothing is said about tests: send {' or '.join(NAMES)}"
        )
        yield _remark(sources[0], 1, "no-coverage-report", message)
        return
    seen: dict[str, Lines] = {}
    for source in reports:
        bench.progress(f"reading {source.name}")
        try:
            seen = _joined(seen, read_report(source))
        except NoReport as error:
            yield _remark(source, 1, "unreadable-coverage-report", f"{source.name} is no coverage report: {error}")
    if seen:
        for source in sources:
            if source.name.endswith(".py") and not _is_test(source.name):
                yield from _untested(source, _about(source.name, seen))


def _is_report(source: Source) -> bool:
    """Say whether a file is meant as a report; other JSON files may be called coverage.json as well."""
    name = source.name.rpartition("/")[2]
    return name in NAMES and (name != "coverage.json" or b'"executed_lines"' in source.path.read_bytes())


def read_report(source: Source) -> Report:
    """Return what a report says about each file. Raises NoReport."""
    content = source.path.read_bytes()
    try:
        if source.name.endswith(".xml"):
            return _of_xml(content)
        return _of_json(content) if source.name.endswith(".json") else _of_data(source)
    except (expat.ExpatError, sqlite3.Error, ValueError, LookupError, TypeError, AttributeError) as error:
        raise NoReport(str(error) or type(error).__name__) from error


def _of_xml(content: bytes) -> Report:
    files: dict[str, tuple[set[int], set[int]]] = {}
    place: list[str] = []

    def begin(name: str, attributes: dict[str, str]) -> None:
        if name == "class":
            place.append(attributes["filename"])
        elif name == "line" and place:
            executed, missed = files.setdefault(place[-1], (set(), set()))
            (executed if int(attributes["hits"]) else missed).add(int(attributes["number"]))

    def end(name: str) -> None:
        if name == "class":
            place.pop()

    def refuse(*_: object) -> None:
        raise ValueError("it declares entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = begin, end, refuse
    parser.Parse(content, True)  # noqa: FBT003  # it takes no keyword; this is all of it
    if not files:
        raise ValueError("it names no files")
    return {name: Lines(*lines) for name, lines in files.items()}


def _of_json(content: bytes) -> Report:
    files = json.loads(content)["files"]
    return {name: Lines(set(told["executed_lines"]), set(told["missing_lines"])) for name, told in files.items()}


def _of_data(source: Source) -> Report:
    """Read coverage.py's data file: for each file a string of bits, one a line."""
    files: dict[str, Lines] = {}
    with closing(sqlite3.connect(f"file:{source.path}?mode=ro&immutable=1", uri=True)) as database:
        measured = "SELECT file.path, line_bits.numbits FROM file JOIN line_bits ON line_bits.file_id = file.id"
        for path, bits in database.execute(measured):
            numbers = {8 * place + bit for place, byte in enumerate(bits) for bit in range(8) if byte & (1 << bit)}
            files.setdefault(path, Lines(missed=None)).executed.update(numbers)
        arcs = "SELECT file.path, arc.fromno, arc.tono FROM file JOIN arc ON arc.file_id = file.id"
        for path, start, to in database.execute(arcs):
            files.setdefault(path, Lines(missed=None)).executed.update(line for line in (start, to) if line > 0)
    return files


def _joined(one: Mapping[str, Lines], other: Report) -> dict[str, Lines]:
    """Return two reports as one: what ran in either ran."""
    files = dict(one)
    for name, lines in other.items():
        before = files.get(name)
        if before is None:
            files[name] = lines
            continue
        executed = before.executed | lines.executed
        both = before.missed is not None and lines.missed is not None
        missed = ((before.missed or set()) | (lines.missed or set())) - executed if both else None
        files[name] = Lines(executed, missed)
    return files


def _about(name: str, report: Report) -> Lines | None:
    """Return what a report says about a file: under its name, or under the longest path that ends or begins alike."""
    parts = name.split("/")
    best, length = None, 0
    for path, lines in report.items():
        others = path.replace("\\", "/").split("/")
        shorter = min(len(parts), len(others))
        if shorter > length and others[-shorter:] == parts[-shorter:]:
            best, length = lines, shorter
    return best


def _untested(source: Source, lines: Lines | None) -> Iterator[Remark]:
    functions = list(_public(ast.parse(source.path.read_bytes())))
    if lines is None:
        if functions:
            yield _remark(source, 1, "not-measured", "the coverage report does not know this file")
        return
    for name, node in functions:
        body = {line for line in _body(node) if lines.missed is None or line in lines.missed or line in lines.executed}
        if body and not body & lines.executed:
            message = f"no test runs {name}: none of its {len(body)} statements has been executed"
            yield _remark(source, node.lineno, "untested-function", message, name=node.name)


def _public(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield functions and methods nobody marked as private; what is inside a function is part of it."""
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        prefix, node = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
                waiting.append((f"{prefix}{child.name}.", child))
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
                yield f"{prefix}{child.name}", child


def _body(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[int]:
    """Yield the first lines of a function's statements; a docstring and a lone `...` are none that could run."""
    for child in node.body:
        is_text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        if not is_text:
            yield from (inner.lineno for inner in ast.walk(child) if isinstance(inner, ast.stmt))


def _is_test(name: str) -> bool:
    return bool(re.search(r"(?:^|/)(?:tests?/|test_[^/]*$|conftest\.py$)", name))


def _remark(source: Source, line: int, rule: str, message: str, *, name: str | None = None) -> Remark:
    severity, confidence = RULES[rule]
    return Remark(source, rule, rule, message, Span.of(line), severity, confidence, name)


TOOL = Tool(name="coverage", review=review, reads_texts=True)

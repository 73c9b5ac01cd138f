"""Compare documents with what they are about: public names without a docstring, links, examples, options.

Documents are read, never rendered; no link is followed to anywhere but the files that were sent.
"""

import ast
import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard
from urllib.parse import unquote

import yaml

from specialist_agents.analysis.model import Bench, Remark, Span, Tool
from specialist_agents.analysis.sources import Source

#: Each rule with its severity and confidence.
RULES: dict[str, tuple[str, int]] = {
    "broken-anchor": ("low", 75),
    "broken-example": ("low", 80),
    "broken-link": ("medium", 80),
    "missing-docstring": ("info", 80),
    "unknown-option": ("low", 65),
}
#: Links to files of other kinds are not judged: those may be there and not sent.
LINKED = (".md", ".rst", ".py", ".pyi", ".toml", ".yaml", ".yml", ".json")
_FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*([\w+-]*)")
_LINK = re.compile(r"(?<!!)\[[^\]\[]*\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)")
_CODE = re.compile(r"`[^`]*`")
_OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z0-9]*(?:-[a-z0-9]+)*)\b")
_SLUG_DROPS = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Document:
    """A Markdown file: its prose by line number, its code blocks, its headings as anchors."""

    source: Source
    prose: tuple[tuple[int, str], ...]
    blocks: tuple[tuple[int, str, str], ...]  #: first line of the code, language, code
    anchors: frozenset[str]


def review(sources: Sequence[Source], bench: Bench) -> Iterator[Remark]:
    """Yield what documents lack, or say wrongly."""
    documents = {source.name: _document(source) for source in sources if source.name.endswith(".md")}
    bench.progress(f"{len(documents)} documents")
    for source in sources:
        if source.name.endswith(".py") and not _is_test(source.name):
            yield from _undocumented(source)
    names = _names(sources)
    for document in documents.values():
        yield from _links(document, documents, names)
        yield from _examples(document)
    yield from _options(sources, documents)


# -- docstrings --------------------------------------------------------------------------------


def _undocumented(source: Source) -> Iterator[Remark]:
    tree = ast.parse(source.path.read_bytes())
    if tree.body and ast.get_docstring(tree) is None and not source.name.endswith("__init__.py"):
        yield _remark(source, 1, "missing-docstring", "the module says nowhere what it is for")
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        prefix, node = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
                waiting.append((f"{prefix}{child.name}.", child))
            if _is_public(child) and ast.get_docstring(child) is None:
                message = f"{prefix}{child.name} is public and has no docstring"
                yield _remark(source, child.lineno, "missing-docstring", message, name=child.name)


def _is_public(node: ast.AST) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
        return False
    # An overload, an override and a setter are documented where the thing itself is.
    return not any(re.search(r"\b(?:overload|override|setter|deleter)$", ast.unparse(d)) for d in node.decorator_list)


# -- Markdown ----------------------------------------------------------------------------------


def _document(source: Source) -> Document:
    prose: list[tuple[int, str]] = []
    blocks: list[tuple[int, str, str]] = []
    inside: tuple[int, str, str, list[str]] | None = None
    for number, line in enumerate(source.path.read_text("utf-8", "replace").splitlines(), 1):
        fence = _FENCE.match(line)
        if inside is None and fence:
            inside = number + 1, fence[2], fence[3].lower(), []
        elif inside is None:
            prose.append((number, line))
        elif fence and not fence[3] and fence[2].startswith(inside[1]):
            blocks.append((inside[0], inside[2], "\n".join(inside[3])))
            inside = None
        else:
            inside[3].append(line)
    return Document(source, tuple(prose), tuple(blocks), _anchors(line for _, line in prose))


def _anchors(lines: Iterator[str]) -> frozenset[str]:
    """Return the anchors of headings as GitHub makes them; the second of a name has `-1`."""
    seen: dict[str, int] = {}
    anchors = set[str]()
    for line in lines:
        if match := re.match(r"#{1,6}\s+(.*?)\s*#*\s*$", line):
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1])
            slug = _SLUG_DROPS.sub("", words.lower()).replace(" ", "-")
            count = seen.get(slug, 0)
            seen[slug] = count + 1
            anchors.add(f"{slug}-{count}" if count else slug)
        anchors.update(re.findall(r"<a\s+(?:id|name)=[\"']([^\"']+)", line))
    return frozenset(anchors)


def _names(sources: Sequence[Source]) -> frozenset[str]:
    """Return every file, and every folder with one in it."""
    names = {source.name for source in sources}
    for name in tuple(names):
        while name := posixpath.dirname(name):
            names.add(name)
    return frozenset(names)


def _links(document: Document, documents: Mapping[str, Document], names: frozenset[str]) -> Iterator[Remark]:
    for number, line in document.prose:
        for match in _LINK.finditer(_CODE.sub("", line)):
            path, _, anchor = unquote(match[1]).partition("#")
            if re.match(r"[a-z][a-z0-9+.-]*:|//|/", path, re.IGNORECASE):
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(document.source.name), path))
            target = target if path else document.source.name
            if target not in names and _can_be_judged(target):
                yield _remark(document.source, number, "broken-link", f"the link leads to {path}, which is not there")
            elif anchor and target in documents and anchor.lower() not in documents[target].anchors:
                message = f"{path or 'this page'} has no heading #{anchor}"
                yield _remark(document.source, number, "broken-anchor", message)


def _can_be_judged(target: str) -> bool:
    hidden = any(part.startswith(".") for part in target.split("/"))  # not sent, or outside
    return not hidden and target.endswith(LINKED)


def _examples(document: Document) -> Iterator[Remark]:
    for first, language, code in document.blocks:
        check = _CHECKS.get(language)
        if check is None or "…" in code or re.search(r"^\s*(?:>>>|\$|%|!)", code, re.MULTILINE):
            continue
        try:
            check(code)
        except (ValueError, SyntaxError, yaml.YAMLError, RecursionError, MemoryError) as error:
            line = first + _line_in(error) - 1
            told = str(getattr(error, "problem", None) or getattr(error, "msg", None) or error)
            yield _remark(document.source, line, "broken-example", f"this {language} does not parse: {told}")


def _python(code: str) -> None:
    ast.parse(code)


def _yaml(code: str) -> None:
    for _ in yaml.parse(code, Loader=yaml.SafeLoader):
        pass


_CHECKS: Mapping[str, Callable[[str], object]] = {
    "python": _python,
    "py": _python,
    "json": json.loads,
    "toml": lambda code: tomllib.loads(f"{code}\n"),  # without the end of the line it names no line
    "yaml": _yaml,
    "yml": _yaml,
}


def _line_in(error: Exception) -> int:
    """Return the line an error is in, from 1, as each parser tells it."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return error.problem_mark.line + 1
    if isinstance(error, SyntaxError | json.JSONDecodeError):
        return error.lineno or 1
    match = re.search(r"at line (\d+)", str(error))
    return int(match[1]) if match else 1


# -- options -----------------------------------------------------------------------------------


def _options(sources: Sequence[Source], documents: Mapping[str, Document]) -> Iterator[Remark]:
    """Yield options that documents show after one of the project's commands and no other file mentions."""
    commands = _commands(sources)
    if not commands:
        return
    others = [source for source in sources if not source.name.endswith((".md", ".gitlog"))]
    texts = [source.path.read_text("utf-8", "replace") for source in others]
    known = {option for text in texts for option in _OPTION.findall(text)}
    # A command line library makes `--dry-run` of the parameter `dry_run`, and `--no-colour` beside `colour`.
    known |= {f"--{name.replace('_', '-')}" for text in texts for name in set(re.findall(r"\b[a-z]\w+\b", text))}
    called = re.compile(rf"(?:^|[\s/`$])(?:{'|'.join(map(re.escape, commands))})\s([^|;&`]*)")
    for document in documents.values():
        lines = [*document.prose]
        lines += [(first + n, line) for first, _, code in document.blocks for n, line in enumerate(code.splitlines())]
        for number, line in lines:
            for match in called.finditer(line):
                for option in _OPTION.findall(match[1]):
                    plain = option.replace("--no-", "--")
                    if not known & {option, plain} and option not in {"--help", "--version"}:
                        yield _remark(document.source, number, "unknown-option", f"{option} is in no other file")


def _commands(sources: Sequence[Source]) -> list[str]:
    found: list[str] = []
    for source in sources:
        if source.name.rpartition("/")[2] == "pyproject.toml":
            try:
                scripts = tomllib.loads(source.path.read_text("utf-8", "replace")).get("project", {}).get("scripts")
            except (ValueError, AttributeError):
                continue
            found += [str(name) for name in scripts] if isinstance(scripts, Mapping) else []
    return found


def _is_test(name: str) -> bool:
    return bool(re.search(r"(?:^|/)(?:tests?/|test_[^/]*$|conftest\.py$)", name))


def _remark(source: Source, line: int, rule: str, message: str, *, name: str | None = None) -> Remark:
    severity, confidence = RULES[rule]
    return Remark(source, rule, rule, message, Span.of(line), severity, confidence, name)


TOOL = Tool(name="documentation", review=review, reads_texts=True)

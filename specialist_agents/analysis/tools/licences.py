"""Read what a project says about its licence, and report what is missing, unknown or contradictory.

Three places say it: SPDX identifiers and notices in the files' headers, `license` in pyproject.toml,
and licence files. What was not sent is not missed: only files at hand are judged. Identifiers are
checked against the SPDX list that packaging brings. This is bookkeeping, no legal advice.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from specialist_agents.analysis.model import Bench, Remark, Span, Tool
from specialist_agents.analysis.sources import Source

HEADER_LINES = 40

#: Rule, which is also the kind: (severity, confidence).
RULES: dict[str, tuple[str, int]] = {
    "ambiguous-licence": ("low", 90),
    "conflicting-licence": ("medium", 80),
    "missing-licence": ("info", 70),
    "unknown-licence": ("medium", 85),
}

#: Licence: what its text or its notice must hold, in lower case with single spaces.
TEXTS: dict[str, tuple[str, ...]] = {
    "AGPL-3.0": ("gnu affero general public license", "version 3"),
    "LGPL-3.0": ("gnu lesser general public license", "version 3"),
    "LGPL-2.1": ("gnu lesser general public license", "version 2.1"),
    "GPL-3.0": ("gnu general public license", "version 3"),
    "GPL-2.0": ("gnu general public license", "version 2"),
    "Apache-2.0": ("apache license", "version 2.0"),
    "MPL-2.0": ("mozilla public license", "2.0"),
    "MIT": ("permission is hereby granted, free of charge, to any person obtaining a copy",),
    "ISC": ("permission to use, copy, modify, and/or distribute this software for any purpose",),
    "BSD-3-Clause": ("redistribution and use in source and binary forms", "neither the name"),
    "BSD-2-Clause": ("redistribution and use in source and binary forms",),
    "Unlicense": ("this is free and unencumbered software released into the public domain",),
    "CC0-1.0": ("creative commons", "cc0 1.0 universal"),
}

_SPDX = re.compile(r"SPDX-License-Identifier:\s*(.*)")
_COMMENT_END = re.compile(r"\s*(?:\*/|-->)?\s*$")
_OPERATORS = frozenset({"AND", "OR", "WITH"})
_WITHOUT_VERSION_RULE = re.compile(r"[AL]?GPL-\d\.\d\+?")
_VERSION_RULE = re.compile(r"(-only|-or-later|\+)$")


@dataclass(frozen=True, slots=True)
class Statement:
    """What one place says: an SPDX expression, or nothing where the words are no known licence."""

    source: Source
    line: int
    words: str
    expression: str

    @property
    def licences(self) -> frozenset[str]:
        """Return the licences named, versions of the GNU ones without `-only` and `-or-later`."""
        names = re.findall(r"[\w.+-]+", self.expression)
        return frozenset(_VERSION_RULE.sub("", name) for name in names if name not in _OPERATORS)


def review(sources: Sequence[Source], bench: Bench) -> Iterator[Remark]:
    """Read every source's statements and yield remarks about them."""
    statements: list[Statement] = []
    for count, source in enumerate(sources):
        bench.progress(f"{count} of {len(sources)} files")
        text = source.path.read_text("utf-8", "replace")
        said = list(_said(source, text))
        if not said and _is_code(source) and text.strip():
            yield _remark(source, 1, "missing-licence", "the file does not say under which licence it is")
        statements += said
    for statement in statements:
        yield from _judged(statement)
    yield from _conflicts([statement for statement in statements if statement.licences])


def _said(source: Source, text: str) -> Iterator[Statement]:
    if PurePosixPath(source.name).name == "pyproject.toml":
        yield from _of_project(source, text)
    elif _is_code(source):
        yield from _of_header(source, text)
    else:
        licence = _recognised(text)
        yield Statement(source, 1, licence or "the text", licence)


def _of_header(source: Source, text: str) -> Iterator[Statement]:
    """Yield the SPDX identifiers of a file's first lines, or where there are none the notice."""
    header = text.splitlines()[:HEADER_LINES]
    found = False
    for number, line in enumerate(header, 1):
        if match := _SPDX.search(line):
            found = True
            words = _COMMENT_END.sub("", match[1])
            yield Statement(source, number, words, _canonical(words))
    if not found and (licence := _recognised(_notice(header))):
        yield Statement(source, 1, licence, licence)


def _notice(header: Sequence[str]) -> str:
    """Return the comments and the docstring at the top, without their marks."""
    return " ".join(line.strip().lstrip("#").strip("\"' ") for line in header)


def _of_project(source: Source, text: str) -> Iterator[Statement]:
    try:
        project = tomllib.loads(text).get("project", {})
    except tomllib.TOMLDecodeError:
        return
    told = project.get("license") if isinstance(project, Mapping) else None
    words = told.get("text") if isinstance(told, Mapping) else told
    if isinstance(words, str):
        line = next((n for n, line in enumerate(text.splitlines(), 1) if line.lstrip().startswith("license")), 1)
        yield Statement(source, line, words, _canonical(words) or _recognised(words))


def _canonical(words: str) -> str:
    try:
        return str(canonicalize_license_expression(words))
    except InvalidLicenseExpression:
        return ""


def _recognised(text: str) -> str:
    """Return the first licence all of whose phrases are in the text."""
    plain = " ".join(text.lower().split())
    return next((name for name, phrases in TEXTS.items() if all(phrase in plain for phrase in phrases)), "")


def _judged(statement: Statement) -> Iterator[Remark]:
    if not statement.expression:
        message = f"{statement.words or 'nothing'!r} is no licence expression of the SPDX list"
        yield _remark(statement.source, statement.line, "unknown-licence", message)
    elif _is_code(statement.source) or statement.source.name.endswith(".toml"):
        for name in sorted(set(statement.words.split())):
            if _WITHOUT_VERSION_RULE.fullmatch(name):
                message = f"{name} does not say whether later versions count: write -only or -or-later"
                yield _remark(statement.source, statement.line, "ambiguous-licence", message)


def _conflicts(statements: Sequence[Statement]) -> Iterator[Remark]:
    """Yield a remark for every place that names none of the project's licences."""
    if not statements:
        return
    declared, who = _project_licences(statements)
    for statement in statements:
        if not statement.licences & declared:
            message = f"the licence here is {statement.expression}; {who} {' and '.join(sorted(declared))}"
            yield _remark(statement.source, statement.line, "conflicting-licence", message)


def _project_licences(statements: Sequence[Statement]) -> tuple[frozenset[str], str]:
    """Return the licences of the project and who says so: pyproject.toml, a licence file, most files."""
    for statement in statements:
        if statement.source.name.endswith(".toml"):
            return statement.licences, f"{statement.source.name} says"
    files = [statement for statement in statements if not _is_code(statement.source)]
    if files:
        return frozenset().union(*(file.licences for file in files)), f"{files[0].source.name} is"
    counts = Counter(statement.licences for statement in statements)
    most = max(counts, key=lambda licences: (counts[licences], sorted(licences)))
    return most, "most files say"


def _is_code(source: Source) -> bool:
    return Path(source.name).suffix in {".py", ".pyi"}


def _remark(source: Source, line: int, rule: str, message: str) -> Remark:
    severity, confidence = RULES[rule]
    return Remark(source, rule, rule, message, Span.of(line), severity, confidence)


TOOL = Tool(name="packaging", review=review, reads_texts=True)

"""Type-check with mypy, and say in shared words what it found.

An empty `--config-file` means no configuration at all: a mypy.ini may name a plugin, and mypy
would run it. Files are laid out anew for it, since it refuses what Python allows: folders that are
no identifiers, two files for one module, a file named like a module mypy itself builds on.
"""

import json
import os
from collections.abc import Iterator, Sequence
from itertools import count
from keyword import iskeyword
from pathlib import Path, PurePosixPath
from typing import Any

from mypy import api

from specialist_agents.analysis.model import Bench, Remark, Span, Tool, ToolFailure
from specialist_agents.analysis.sources import Source
from specialist_agents.analysis.vocabulary import own_kind, quoted_name

MAX_ROUNDS = 10
BLOCKED = 2

#: Modules mypy's own semantics rest on; a reviewed file of that name is checked under another.
RESERVED = frozenset({
    "_collections_abc", "_typeshed", "abc", "asyncio", "builtins", "collections", "contextlib", "dataclasses",
    "enum", "functools", "mypy_extensions", "numbers", "re", "sys", "types", "typing", "typing_extensions",
})  # fmt: skip

#: Error code: shared kind.
KINDS: dict[str, str] = {
    **dict.fromkeys(("arg-type", "assignment", "call-overload", "dict-item", "index", "list-item"), "type-mismatch"),
    **dict.fromkeys(("operator", "return-value", "type-var", "typeddict-item", "union-attr"), "type-mismatch"),
    "attr-defined": "unknown-attribute",
    "await-not-async": "await-outside-async",
    "call-arg": "wrong-arguments",
    "name-defined": "undefined-name",
    "no-redef": "redefined-name",
    "override": "incompatible-override",
    "possibly-undefined": "possibly-undefined",
    "return": "missing-return",
    "str-format": "format-mismatch",
    "syntax": "syntax-error",
    "top-level-await": "await-outside-async",
    "unreachable": "unreachable-code",
    "unused-coroutine": "unused-coroutine",
    "used-before-def": "used-before-definition",
    "var-annotated": "missing-annotation",
}

#: Error code: (severity, confidence); the empty code is the default.
RATINGS: dict[str, tuple[str, int]] = {
    "": ("medium", 85),
    "attr-defined": ("medium", 80),
    "blocked": ("high", 100),
    "misc": ("medium", 70),
    "name-defined": ("high", 90),
    "no-redef": ("low", 85),
    "syntax": ("high", 100),
    "union-attr": ("medium", 75),
    "used-before-def": ("high", 90),
    "var-annotated": ("info", 90),
}


def review(sources: Sequence[Source], bench: Bench) -> Iterator[Remark]:
    """Check the sources together and yield mypy's remarks.

    Some errors make mypy stop at the file that has them. Such a file's errors are kept, and the
    others are checked again without it.
    """
    by_path = lay_out(sources, bench.scratch / "mypy")
    for _ in range(MAX_ROUNDS):
        entries, complaint, status = _check(list(by_path), bench.scratch)
        known = [entry for entry in entries if entry["file"] in by_path]
        yield from (remark(by_path[entry["file"]], entry) for entry in known)
        if status < BLOCKED:
            return
        if not known:
            raise ToolFailure(f"mypy gave up: {complaint}")
        for path in {entry["file"] for entry in known}:
            del by_path[path]
        if not by_path:
            return
    raise ToolFailure(f"mypy gave up on one file after another, {MAX_ROUNDS} times")


def arguments(listing: Path) -> list[str]:
    """Return the options that make mypy read the listed files, typeshed and nothing else."""
    return [
        "--config-file=",
        "--no-incremental",
        "--cache-dir=/dev/null",
        "--no-site-packages",
        "--ignore-missing-imports",
        "--follow-imports=silent",
        "--explicit-package-bases",
        "--check-untyped-defs",
        "--show-error-end",
        "--output=json",
        f"@{listing}",
    ]


def remark(source: Source, entry: dict[str, Any]) -> Remark:
    """Translate one entry of mypy's report."""
    rule = entry["code"] or "blocked"
    severity, confidence = RATINGS.get(rule, RATINGS[""])
    return Remark(
        source=source,
        rule=rule,
        kind=kind_of(entry["code"], entry["line"]),
        message=entry["message"],
        span=Span.of(entry["line"], entry["column"] + 1, entry["end_line"], entry["end_column"] + 1),
        severity=severity,
        confidence=confidence,
        name=quoted_name(entry["message"]),
    )


def kind_of(code: str | None, line: int = 1) -> str:
    """Return the kind of an error code; an error without one is about the syntax or the whole file."""
    if code is None:
        return "syntax-error" if line > 0 else "not-reviewed"
    return KINDS.get(code) or own_kind("mypy", code)


def lay_out(sources: Sequence[Source], folder: Path) -> dict[str, Source]:
    """Link every source to a place mypy accepts, and return the sources by that place."""
    places: dict[str, Source] = {}
    taken: dict[PurePosixPath, PurePosixPath] = {}
    modules: set[PurePosixPath] = set()
    # What was sent may be the inside of a package: its relative imports need the package around them.
    is_inside = any(source.name in {"__init__.py", "__init__.pyi"} for source in sources)
    around = PurePosixPath("package" if is_inside else "")
    for source in sorted(sources, key=_packages_first):
        place = folder / _place(around / source.name, taken, modules)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(source.path, place)
        places[str(place)] = source
    return places


def _packages_first(source: Source) -> tuple[bool, bool, str]:
    # Where `a/__init__.py` and `a.py`, or `a.pyi` and `a.py`, claim one module, Python's choice wins.
    return not source.name.endswith(("/__init__.py", "/__init__.pyi")), not source.is_stub, source.name


def _place(
    name: PurePosixPath, taken: dict[PurePosixPath, PurePosixPath], modules: set[PurePosixPath]
) -> PurePosixPath:
    parent = PurePosixPath()
    for depth in range(len(name.parts) - 1, 0, -1):
        original = name.parents[depth - 1]
        if original not in taken:
            taken[original] = _free(parent / _identifier(original.name), modules)
        parent = taken[original]
    stem, suffix = name.stem, name.suffix
    if stem == "__init__":
        return _free(parent / stem, modules).with_suffix(suffix)
    return _free(parent / _identifier(stem), modules).with_suffix(suffix)


def _free(wanted: PurePosixPath, modules: set[PurePosixPath]) -> PurePosixPath:
    reserved = len(wanted.parts) == 1 and wanted.name in RESERVED
    candidates = (wanted.with_name(f"{wanted.name}{'_' * bool(number)}{number or ''}") for number in count(reserved))
    module = next(candidate for candidate in candidates if candidate not in modules)
    modules.add(module)
    return module


def _identifier(text: str) -> str:
    if text.isidentifier() and not iskeyword(text):
        return text
    cleaned = "".join(char if char.isalnum() or char == "_" else "_" for char in text)
    return cleaned if cleaned.isidentifier() and not iskeyword(cleaned) else f"_{cleaned}"


def _check(paths: Sequence[str], scratch: Path) -> tuple[list[dict[str, Any]], str, int]:
    listing = scratch / "mypy-files.txt"
    listing.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    os.environ["MYPYPATH"] = str(scratch / "mypy")
    output, complaint, status = api.run(arguments(listing))
    entries = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [entry for entry in entries if entry["severity"] == "error"], complaint.strip()[-500:], status


TOOL = Tool(name="mypy", review=review, needs_utf8=True)

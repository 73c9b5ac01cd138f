"""Compare what a project says it needs with what it imports: undeclared, unused, unpinned, twice, contradictory.

Read are pyproject.toml, and requirements and constraints files. Nothing is resolved or looked up anywhere: which
distribution brings a module is told by a short table and by what happens to be installed beside this agent.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from specialist_agents.analysis.imports import Imported, distributions_of, imports_of, local_names
from specialist_agents.analysis.model import Bench, Remark, Span, Tool
from specialist_agents.analysis.sources import Source

#: Each rule with its severity and confidence.
RULES: dict[str, tuple[str, int]] = {
    "conflicting-requirement": ("medium", 90),
    "copyleft-dependency": ("low", 60),
    "duplicate-requirement": ("low", 90),
    "invalid-requirement": ("medium", 95),
    "no-dependency-metadata": ("info", 100),
    "undeclared-import": ("medium", 75),
    "unpinned-requirement": ("info", 80),
    "unused-dependency": ("low", 55),
}
_FILE = re.compile(r"(?:requirements|constraints)[\w.-]*\.(?:txt|in)", re.IGNORECASE)
_COPYLEFT = re.compile(r"\b(?:A?GPL|GNU (?:Affero )?General Public)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Declared:
    """One requirement, and where it stands."""

    source: Source
    line: int
    group: str  #: the table or file it is in
    requirement: Requirement

    @property
    def name(self) -> str:
        """Return the distribution's name as indexes compare it."""
        return canonicalize_name(self.requirement.name)

    @property
    def is_constraint(self) -> bool:
        """Whether it only bounds what something else asks for."""
        return self.source.name.rpartition("/")[2].lower().startswith("constraints")


def review(sources: Sequence[Source], bench: Bench) -> Iterator[Remark]:
    """Yield what does not fit between requirements and imports."""
    declared: list[Declared] = []
    for source in sources:
        for found in _declared(source):
            if isinstance(found, Remark):
                yield found
            else:
                declared.append(found)
    if not any(_is_metadata(source.name) for source in sources):
        message = "neither pyproject.toml nor requirements travel with these files, so nothing is said about them"
        yield _remark(sources[0], 1, "no-dependency-metadata", message)
        return
    bench.progress(f"{len(declared)} requirements")
    own: set[str] = {canonicalize_name(name) for name in _own_names(sources)}
    yield from _duplicates(declared)
    yield from _conflicts(declared)
    yield from _unpinned(declared)
    yield from _copyleft(declared)
    yield from _imports(sources, declared, own)


# -- what is declared --------------------------------------------------------------------------


def _is_metadata(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name == "pyproject.toml" or _FILE.fullmatch(name) is not None


def _declared(source: Source) -> Iterator[Declared | Remark]:
    name = source.name.rpartition("/")[2]
    if not _is_metadata(source.name):
        return
    lines = source.path.read_text("utf-8", "replace").splitlines()
    if name != "pyproject.toml":
        for number, line in enumerate(lines, 1):
            text = re.sub(r"(?:^|\s)(?:#|--hash).*", "", line).strip().rstrip("\\").strip()
            if text and not text.startswith("-"):
                yield _parsed(source, number, source.name, text)
        return
    for group, listed in _tables(_project(source)):
        for text in listed:
            number = next((n for n, line in enumerate(lines, 1) if f'"{text}"' in line or f"'{text}'" in line), 1)
            yield _parsed(source, number, group, text)


def _parsed(source: Source, line: int, group: str, text: str) -> Declared | Remark:
    try:
        return Declared(source, line, group, Requirement(text))
    except InvalidRequirement as error:
        message = f"{text!r} is no requirement: {str(error).splitlines()[0]}"
        return _remark(source, line, "invalid-requirement", message)


def _project(source: Source) -> Mapping[str, Any]:
    try:
        return tomllib.loads(source.path.read_text("utf-8", "replace"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _tables(document: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    project = document.get("project")
    if isinstance(project, Mapping):
        yield "project.dependencies", _texts(project.get("dependencies"))
        for extra, listed in _mapping(project.get("optional-dependencies")):
            yield f"project.optional-dependencies.{extra}", _texts(listed)
    for group, listed in _mapping(document.get("dependency-groups")):
        yield f"dependency-groups.{group}", _texts(listed)


def _mapping(value: object) -> list[tuple[str, object]]:
    return [(str(key), one) for key, one in value.items()] if isinstance(value, Mapping) else []


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _own_names(sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        if source.name.rpartition("/")[2] == "pyproject.toml":
            project = _project(source).get("project")
            if isinstance(project, Mapping) and isinstance(project.get("name"), str):
                yield project["name"]


def _duplicates(declared: Sequence[Declared]) -> Iterator[Remark]:
    first: dict[tuple[str, str, str], Declared] = {}
    for one in declared:
        key = one.group, one.name, str(one.requirement.marker or "")
        if before := first.get(key):
            message = f"{one.name} is in {one.group} twice, first at line {before.line}"
            yield _remark(one.source, one.line, "duplicate-requirement", message, name=one.name)
        first.setdefault(key, one)


def _conflicts(declared: Sequence[Declared]) -> Iterator[Remark]:
    """Yield exact versions that another place rules out."""
    for one in declared:
        exact = [
            spec.version for spec in one.requirement.specifier if spec.operator == "==" and "*" not in spec.version
        ]
        for other in declared if exact else ():
            if other.name == one.name and not other.requirement.specifier.contains(exact[0], prereleases=True):
                message = f"{one.name} is {exact[0]} here, and {other.group} wants {other.requirement.specifier}"
                yield _remark(one.source, one.line, "conflicting-requirement", message, name=one.name)


def _unpinned(declared: Sequence[Declared]) -> Iterator[Remark]:
    constrained = {one.name for one in declared if one.is_constraint}
    for one in declared:
        if not one.requirement.specifier and not one.requirement.url and one.name not in constrained:
            message = f"{one.name} may be any version: say at least from which on"
            yield _remark(one.source, one.line, "unpinned-requirement", message, name=one.name)


def _copyleft(declared: Sequence[Declared]) -> Iterator[Remark]:
    """Yield runtime dependencies under a licence that asks something of what uses them, as far as it is known here."""
    for one in declared:
        if one.group == "project.dependencies" and (licence := _licence(one.name)):
            message = f"{one.name} is under {licence}, as installed here: look whether your licence goes with it"
            yield _remark(one.source, one.line, "copyleft-dependency", message, name=one.name)


def _licence(name: str) -> str:
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    words = [*(told.get_all("License-Expression") or []), *(told.get_all("Classifier") or [])]
    licences = [word for word in words if _COPYLEFT.search(word) and "Lesser" not in word and "LGPL" not in word]
    return licences[0].rpartition(" :: ")[2] if licences else ""


# -- what is imported --------------------------------------------------------------------------


def _imports(sources: Sequence[Source], declared: Sequence[Declared], own: set[str]) -> Iterator[Remark]:
    local = local_names(sources)
    imported = [one for source in sources if source.index for one in imports_of(source) if one.top not in local]
    brought = metadata.packages_distributions()
    names = {one.name for one in declared if not one.is_constraint} | own
    seen = set[tuple[str, str]]()
    for one in imported:
        if (one.source.name, one.top) in seen or one.is_optional:
            continue
        seen.add((one.source.name, one.top))
        if not names & distributions_of(one.module, brought):
            message = f"{one.top} is imported, and nothing that is declared is known to bring it"
            yield _remark(one.source, one.line, "undeclared-import", message, name=one.top)
    if imported or local:
        yield from _unused(declared, partial(distributions_of, brought=brought), imported)


def _unused(
    declared: Sequence[Declared], brings: "partial[set[str]]", imported: Iterable[Imported]
) -> Iterator[Remark]:
    """Yield what the project needs at run time and never imports; extras may be programs."""
    used = {name for one in imported for name in brings(one.module)}
    for one in declared:
        if one.group == "project.dependencies" and one.name not in used:
            message = f"{one.name} is a dependency, and no file imports it: a plugin, a driver, or not needed"
            yield _remark(one.source, one.line, "unused-dependency", message, name=one.name)


def _remark(source: Source, line: int, rule: str, message: str, *, name: str | None = None) -> Remark:
    severity, confidence = RULES[rule]
    return Remark(source, rule, rule, message, Span.of(line), severity, confidence, name)


TOOL = Tool(name="dependencies", review=review, reads_texts=True)

"""The program behind `search-dependencies`: what a project says it is, and what it says it needs.

Read from pyproject.toml, requirements and constraints files, and package.json. Nothing is resolved, installed or
looked up.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from specialist_agents.research.passages import File, Passage

KIND = "dependency"
_REQUIREMENTS = re.compile(r"(?:requirements|constraints)[\w.-]*\.(?:txt|in)", re.IGNORECASE)
_WORTH_TELLING = ("name", "version", "description", "requires-python", "license", "engines", "scripts", "keywords")


def passages_of(files: Iterable[File], _names: tuple[str, ...]) -> Iterator[Passage]:
    """Yield one passage for each requirement, and one for each thing a project says of itself."""
    for file in files:
        name = PurePosixPath(file.name).name
        if name in {"pyproject.toml", "package.json"}:
            yield from _of_document(file, _document(file))
        elif _REQUIREMENTS.fullmatch(name):
            yield from _of_lines(file)


def _document(file: File) -> Mapping[str, Any]:
    try:
        made = tomllib.loads(file.text) if file.suffix == ".toml" else json.loads(file.text)
    except (ValueError, RecursionError):
        return {}
    return made if isinstance(made, Mapping) else {}


def _of_document(file: File, document: Mapping[str, Any]) -> Iterator[Passage]:
    project = document.get("project", document)
    if isinstance(project, Mapping):
        for key in _WORTH_TELLING:
            if key in project:
                yield _passage(file, f"{key}: {_told(project[key])}", "of the project", key)
    for place, requirement in _requirements(document):
        yield _passage(file, requirement, f"a dependency in {place}", re.split(r"[\[<>=!~;@ ]", requirement)[0])


def _requirements(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the requirements with the table they stand in, whatever the tool that reads it."""
    project, tool = _table(document, "project"), _table(document, "tool", "poetry")
    yield from (("project.dependencies", one) for one in _texts(project.get("dependencies")))
    for group, listed in _table(project, "optional-dependencies").items():
        yield from ((f"project.optional-dependencies.{group}", one) for one in _texts(listed))
    for group, listed in _table(document, "dependency-groups").items():
        yield from ((f"dependency-groups.{group}", one) for one in _texts(listed))
    yield from (("build-system.requires", one) for one in _texts(_table(document, "build-system").get("requires")))
    for key in ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies"):
        for name, version in (_table(document, key) | _table(tool, key)).items():
            yield key, f"{name} {_told(version)}"


def _table(document: Mapping[str, Any], *path: str) -> dict[str, Any]:
    found: Any = document
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def _texts(listed: object) -> list[str]:
    return [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []


def _told(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _of_lines(file: File) -> Iterator[Passage]:
    for number, line in enumerate(file.lines, 1):
        requirement = line.partition("#")[0].strip()
        if requirement:
            yield Passage(KIND, requirement, f"{line}\nin {file.name}", file.name, number, number)


def _passage(file: File, title: str, where: str, word: str) -> Passage:
    """Return what a document says, cited at the first line that holds its word."""
    line = next((number for number, text in enumerate(file.lines, 1) if word and word in text), 1)
    return Passage(KIND, title[:300], f"{where} of {file.name}", file.name, line, line)

"""The program behind `search-tests`: each test by its name and what it does; helpers beside them count as well."""

from collections.abc import Iterable, Iterator

from specialist_agents.research.passages import File, Passage, parsed, windows
from specialist_agents.research.source import python_passages

KIND = "test"


def passages_of(files: Iterable[File], _names: tuple[str, ...]) -> Iterator[Passage]:
    """Yield the passages of every test file."""
    for file in files:
        if file.is_test and file.suffix != ".gitlog":
            tree = parsed(file) if file.is_python else None
            yield from windows(file, KIND) if tree is None else python_passages(file, tree, KIND)

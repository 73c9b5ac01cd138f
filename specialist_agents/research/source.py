"""The program behind `search-source`: code and other texts, function by function where the language is Python."""

import ast
from collections.abc import Iterable, Iterator

from specialist_agents.research.passages import File, Passage, definitions, parsed, windows

KIND = "source"
NOT_SOURCE = frozenset({".md", ".rst", ".txt", ".gitlog", ".lock"})


def passages_of(files: Iterable[File], _names: tuple[str, ...]) -> Iterator[Passage]:
    """Yield the passages of every file that is neither documentation nor a test."""
    for file in files:
        if file.is_test or file.suffix in NOT_SOURCE:
            continue
        tree = parsed(file) if file.is_python else None
        yield from windows(file, KIND) if tree is None else python_passages(file, tree, KIND)


def python_passages(file: File, tree: ast.Module, kind: str) -> Iterator[Passage]:
    """Yield each definition without those inside it, and what of the module belongs to none."""
    lines, taken = file.lines, set[int]()
    found = sorted(definitions(tree), key=lambda one: -one[1].lineno)  # the inner ones take their lines first
    for name, node in found:
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        own = [number for number in range(first, (node.end_lineno or first) + 1) if number not in taken]
        taken.update(own)
        text = "\n".join(lines[number - 1] for number in own)
        title = f"{name} in {file.name}"
        yield Passage(
            kind, title, text, file.name, node.lineno, node.end_lineno or first, heading=f"{name} {file.name}"
        )
    rest = [number for number in range(1, len(lines) + 1) if number not in taken and lines[number - 1].strip()]
    if rest:
        text = "\n".join(lines[number - 1] for number in rest)
        yield Passage(kind, file.name, text, file.name, rest[0], rest[-1])
